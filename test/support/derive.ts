import type { JsonObject } from "@bufbuild/protobuf";
import type { Api } from "./api.ts";
import { asObject } from "./clients/client.ts";

export interface DerivedToken {
  readonly token: string;
  readonly claims: JsonObject;
  readonly expireTimeMs: number;
  readonly scopes: readonly string[];
}

/** Derives a token from an API key, or from another token. */
export async function derive(api: Pick<Api, "call">, credential: string, request: JsonObject = {}): Promise<DerivedToken> {
  const { token, claims, expire_time, scopes = [] } = asObject((await api.call("AdminDeriveToken", { credential, ...request })).token);
  return { token: String(token), claims: asObject(claims), expireTimeMs: Date.parse(String(expire_time)), scopes: scopes as string[] };
}
