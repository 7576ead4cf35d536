import { type Client, createClient, type Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import { RevocationReason } from "../../gen/keywright/v2alpha1/revocation_pb.ts";
import { VerificationErrorCode } from "../../gen/keywright/v2alpha1/verification_pb.ts";
import type { ServerProcess } from "../support/server-process.ts";

export interface NewKey {
  readonly keyId: string;
  readonly secret: string;
}

/** Operations on keys for tests of whole processes, the same on each protocol. Every method rejects if the server returns an error. */
export interface KeyClient {
  readonly protocol: string;
  issue(actorId?: string): Promise<NewKey>;
  rotate(keyId: string): Promise<NewKey>;
  revoke(keyId: string): Promise<void>;
  selfRevoke(secret: string): Promise<void>;
  /** Returns VALID, or the error code. */
  verify(secret: string): Promise<string>;
  close(): void;
}

type Target = Pick<ServerProcess, "url" | "adminToken">;

export function jsonHttpClient({ url, adminToken }: Target): KeyClient {
  const post = async (path: string, body: object): Promise<unknown> => {
    const response = await fetch(url + path, {
      method: "POST",
      headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${text}`);
    return text === "" ? {} : JSON.parse(text);
  };
  const newKey = (answer: unknown): NewKey => {
    const { issued_api_key, secret } = answer as { issued_api_key: { key_id: string }; secret: string };
    return { keyId: issued_api_key.key_id, secret };
  };
  return {
    protocol: "json-http",
    issue: async (actorId = "actor") => newKey(await post("/v2alpha1/admin/issuedApiKeys", { actor_id: actorId })),
    rotate: async (keyId) => newKey(await post(`/v2alpha1/admin/issuedApiKeys/${keyId}:rotate`, {})),
    async revoke(keyId) {
      await post(`/v2alpha1/admin/apiKeys/${keyId}:revoke`, { reason: "REVOCATION_REASON_KEY_COMPROMISE" });
    },
    async selfRevoke(credential) {
      await post("/v2alpha1/apiKeys:selfRevoke", { credential, reason: "REVOCATION_REASON_SUPERSEDED" });
    },
    async verify(credential) {
      const answer = (await post("/v2alpha1/admin/apiKeys:verify", { credential })) as { is_valid: boolean; error_code?: string };
      return answer.is_valid ? "VALID" : String(answer.error_code).replace("VERIFICATION_ERROR_", "");
    },
    close: () => {},
  };
}

export function grpcClient(target: Target): KeyClient {
  const sessions = new Http2SessionManager(target.url);
  return rpcClient(target, createGrpcTransport({ baseUrl: target.url, sessionManager: sessions }), () => sessions.abort());
}

function rpcClient({ adminToken }: Target, transport: Transport, close: () => void): KeyClient {
  const client: Client<typeof ApiKeysService> = createClient(ApiKeysService, transport);
  const options = { headers: { authorization: `Bearer ${adminToken}` }, timeoutMs: 30_000 };
  return {
    protocol: "grpc",
    async issue(actorId = "actor") {
      const { issuedApiKey, secret } = await client.adminIssueApiKey({ actorId }, options);
      return { keyId: issuedApiKey?.keyId ?? "", secret };
    },
    async rotate(keyId) {
      const { issuedApiKey, secret } = await client.adminRotateIssuedApiKey({ keyId }, options);
      return { keyId: issuedApiKey?.keyId ?? "", secret };
    },
    async revoke(keyId) {
      await client.adminRevokeApiKey({ keyId, reason: RevocationReason.KEY_COMPROMISE }, options);
    },
    async selfRevoke(credential) {
      await client.revokeApiKey({ credential, reason: RevocationReason.SUPERSEDED });
    },
    async verify(credential) {
      const { isValid, errorCode } = await client.adminVerifyApiKey({ credential }, options);
      return isValid ? "VALID" : codeName(errorCode).replace("VERIFICATION_ERROR_", "");
    },
    close,
  };
}

function codeName(code: VerificationErrorCode): string {
  return Object.entries(VerificationErrorCode).find(([, value]) => value === code)?.[0] ?? String(code);
}
