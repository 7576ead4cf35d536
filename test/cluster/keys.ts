import { setTimeout as sleep } from "node:timers/promises";
import { verifyPath } from "./changes.ts";
import type { Answer, HttpClient } from "./http-client.ts";

export interface IssuedKey {
  readonly keyId: string;
  readonly secret: string;
}

export const issuedPath = "/v2alpha1/admin/issuedApiKeys";

/** Requests whose responses each test checks itself. */
export const keyRequests = {
  issue: (http: HttpClient) => http.send("POST", issuedPath, {}),
  rotate: (http: HttpClient, { keyId }: IssuedKey) => http.send("POST", `${issuedPath}/${keyId}:rotate`, {}),
  revoke: (http: HttpClient, { keyId }: IssuedKey) =>
    http.send("POST", `/v2alpha1/admin/apiKeys/${keyId}:revoke`, { reason: "REVOCATION_REASON_KEY_COMPROMISE" }),
  get: (http: HttpClient, { keyId }: IssuedKey) => http.send("GET", `${issuedPath}/${keyId}`),
  verify: (http: HttpClient, { secret }: IssuedKey, cacheControl?: "no-cache") =>
    http.send("POST", verifyPath, { credential: secret }, cacheControl === undefined ? {} : { "cache-control": cacheControl }),
};

/** Reads the response of issue or rotate. */
export function issuedKeyOf({ body }: Answer): IssuedKey {
  const { issued_api_key, secret } = body as { issued_api_key: { key_id: string }; secret: string };
  return { keyId: issued_api_key.key_id, secret };
}

export async function issueKey(http: HttpClient): Promise<IssuedKey> {
  const answer = await keyRequests.issue(http);
  if (answer.status !== 201) throw new Error(`issue answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  return issuedKeyOf(answer);
}

/** VALID, the error code of a refused credential, or the status of a response that is not a verdict. */
export function verdictOf({ status, body }: Answer): string {
  if (status !== 200) return String(status);
  const { is_valid, error_code } = body as { is_valid: boolean; error_code?: string };
  return is_valid ? "VALID" : String(error_code).replace("VERIFICATION_ERROR_", "");
}

/** Verifies a valid key until it comes from a cache. */
export async function untilCached(http: HttpClient, key: IssuedKey): Promise<void> {
  const deadlineMs = performance.now() + 20_000;
  for (;;) {
    const answer = await keyRequests.verify(http, key);
    if (verdictOf(answer) === "VALID" && answer.cacheStatus === "keywright; hit") return;
    if (performance.now() > deadlineMs) throw new Error(`still ${verdictOf(answer)}, ${answer.cacheStatus}`);
    await sleep(20);
  }
}
