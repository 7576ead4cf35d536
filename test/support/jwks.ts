import type { JsonObject } from "@bufbuild/protobuf";
import { generateJwkSet } from "../../src/config/signing-key.ts";
import type { JwtAlgorithm } from "../../src/core/token/signature.ts";

/** Makes a new private JWK. */
export async function privateJwk(algorithm?: JwtAlgorithm): Promise<JsonObject> {
  const { keys } = JSON.parse(await generateJwkSet(algorithm)) as { keys: JsonObject[] };
  return keys[0] as JsonObject;
}

/** The public part of a JWK. */
export function publicJwk({ kty, crv, x, y, n, e, kid }: JsonObject): JsonObject {
  return JSON.parse(JSON.stringify({ kty, crv, x, y, n, e, kid })) as JsonObject;
}

export function jwkSet(...keys: readonly JsonObject[]): string {
  return JSON.stringify({ keys });
}

/** Value for KEYWRIGHT_SIGNING_KEYS. */
export function base64Uri(jwkSetText: string): string {
  return `base64://${Buffer.from(jwkSetText).toString("base64url")}`;
}
