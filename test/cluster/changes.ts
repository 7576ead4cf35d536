import { randomUUID } from "node:crypto";
import type { HttpClient } from "./http-client.ts";

/** Path and body of a request that makes a change. A success acknowledges it. */
export interface Change {
  readonly method: string;
  readonly path: string;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A key before and after one change. */
export interface Subject {
  readonly verifyBody: object;
  readonly verifyHeaders?: Readonly<Record<string, string>>;
  readonly change: Change;
  /** A second change, sent once the first is acknowledged. */
  readonly followedBy?: Change;
  /** True if the key is refused before the change and accepted after it. */
  readonly isRefusedBefore?: boolean;
  /** When the change takes effect, in epoch ms, from its response. Absent: when it is acknowledged. */
  readonly effectMs?: (body: unknown) => number;
}

/** A change after which a key, or some of its permissions, must be refused. */
export interface ChangeKind {
  readonly name: string;
  prepare(http: HttpClient): Promise<Subject>;
}

const admin = "/v2alpha1/admin";
export const verifyPath = `${admin}/apiKeys:verify`;

export const revocation: ChangeKind = {
  name: "revocation",
  async prepare(http) {
    const { keyId, credential } = await issue(http);
    const body = { reason: "REVOCATION_REASON_KEY_COMPROMISE" };
    return { verifyBody: { credential }, change: { method: "POST", path: `${admin}/apiKeys/${keyId}:revoke`, body } };
  },
};

/** The same for a macaroon that was derived from a JWT that was derived from the key. */
export const rootRevocation: ChangeKind = {
  name: "revocation of a token's root",
  async prepare(http) {
    const { keyId, credential } = await issue(http);
    const jwt = await derive(http, credential, "JWT");
    const body = { reason: "REVOCATION_REASON_KEY_COMPROMISE" };
    return {
      verifyBody: { credential: await derive(http, jwt, "MACAROON") },
      change: { method: "POST", path: `${admin}/apiKeys/${keyId}:revoke`, body },
    };
  },
};

/** A revocation whose reason becomes more serious as soon as it is acknowledged: the second of the two records must stay. */
export const raisedReason: ChangeKind = {
  name: "revocation and a more serious reason",
  async prepare(http) {
    const { keyId, credential } = await issue(http);
    const revoke = (reason: string) => ({ method: "POST", path: `${admin}/apiKeys/${keyId}:revoke`, body: { reason } });
    return {
      verifyBody: { credential },
      change: revoke("REVOCATION_REASON_SUPERSEDED"),
      followedBy: revoke("REVOCATION_REASON_KEY_COMPROMISE"),
    };
  },
};

export const narrowing: ChangeKind = {
  name: "narrowed scope",
  async prepare(http) {
    const { keyId, credential } = await issue(http);
    const change = { method: "PATCH", path: `${admin}/issuedApiKeys/${keyId}`, body: { scopes: ["orders:read"] } };
    return { verifyBody: { credential, required_scopes: ["orders:write"] }, change };
  },
};

export const rotation: ChangeKind = {
  name: "rotation",
  async prepare(http) {
    const { keyId, credential } = await issue(http);
    return { verifyBody: { credential }, change: { method: "POST", path: `${admin}/issuedApiKeys/${keyId}:rotate`, body: {} } };
  },
};

export const disabling: ChangeKind = {
  name: "disabling",
  async prepare(http) {
    const { keyId, credential } = await issue(http);
    return { verifyBody: { credential }, change: { method: "POST", path: `${admin}/apiKeys/${keyId}:disable`, body: {} } };
  },
};

/** A key that is accepted again. */
export const enabling: ChangeKind = {
  name: "enabling",
  async prepare(http) {
    const { keyId, credential } = await issue(http);
    const { status } = await http.send("POST", `${admin}/apiKeys/${keyId}:disable`, {});
    if (status !== 204) throw new Error(`disable answered ${status}`);
    const change = { method: "POST", path: `${admin}/apiKeys/${keyId}:enable`, body: {} };
    return { verifyBody: { credential }, isRefusedBefore: true, change };
  },
};

/** The end of a grace period, which depends on the clock and which nobody announces. */
export const endOfGrace: ChangeKind = {
  name: "end of the grace period of a rotation",
  async prepare(http) {
    const { keyId, credential } = await issue(http);
    const change = { method: "POST", path: `${admin}/issuedApiKeys/${keyId}:rotate`, body: { grace_period: "1s" } };
    const effectMs = (body: unknown) =>
      Date.parse((body as { old_issued_api_key: { expire_time: string } }).old_issued_api_key.expire_time);
    return { verifyBody: { credential }, change, effectMs };
  },
};

/**
 * Each subject is the first actor of a tenant that gets a limit, so that the tenant changes too. The cost is above the quota: what is admitted was
 * not limited.
 */
export const actorLimit: ChangeKind = {
  name: "limit of an actor",
  async prepare(http) {
    const tenant = `t-${randomUUID()}`;
    const created = await http.send("POST", `${admin}/tenants?tenant_id=${tenant}`, {});
    if (created.status !== 201) throw new Error(`create answered ${created.status}`);
    const headers = { "keywright-tenant": tenant };
    const { status, body } = await http.send("POST", `${admin}/issuedApiKeys`, { actor_id: "ann" }, headers);
    if (status !== 201) throw new Error(`issue answered ${status}`);
    const limit = { actor_id: "ann", rate_limit_policy: { quota: "1", window: "60s" } };
    return {
      verifyBody: { credential: (body as { secret: string }).secret, cost: 2 },
      verifyHeaders: headers,
      change: { method: "POST", path: `${admin}/actorLimits:set`, body: limit, headers },
    };
  },
};

/** A key within its grace period, which the revocation cuts short. */
export const revocationInGrace: ChangeKind = {
  name: "revocation within the grace period of a rotation",
  async prepare(http) {
    const { keyId, credential } = await issue(http);
    const body = { reason: "REVOCATION_REASON_KEY_COMPROMISE" };
    const { status } = await http.send("POST", `${admin}/issuedApiKeys/${keyId}:rotate`, { grace_period: "3600s" });
    if (status !== 201) throw new Error(`rotate answered ${status}`);
    return { verifyBody: { credential }, change: { method: "POST", path: `${admin}/apiKeys/${keyId}:revoke`, body } };
  },
};

export const deletion: ChangeKind = {
  name: "deletion",
  async prepare(http) {
    const credential = `legacy-${randomUUID()}`;
    const { status, body } = await http.send("POST", `${admin}/importedApiKeys`, {
      raw_key: credential,
      name: "legacy",
      actor_id: "legacy",
    });
    if (status !== 201) throw new Error(`import answered ${status}: ${JSON.stringify(body)}`);
    const path = `${admin}/importedApiKeys/${(body as { key_id: string }).key_id}`;
    return { verifyBody: { credential }, change: { method: "DELETE", path } };
  },
};

/** Each subject is a tenant. The tenants are verified in turn with a key, a JWT derived from it, and a macaroon derived from the JWT. */
export const suspension: ChangeKind = {
  name: "tenant suspended",
  async prepare(http) {
    const tenant = `t-${randomUUID()}`;
    const { status } = await http.send("POST", `${admin}/tenants?tenant_id=${tenant}`, {});
    if (status !== 201) throw new Error(`create answered ${status}`);
    const verifyHeaders = { "keywright-tenant": tenant };
    const { credential } = await issue(http, verifyHeaders);
    const jwt = await derive(http, credential, "JWT", verifyHeaders);
    const credentials = [credential, jwt, await derive(http, jwt, "MACAROON", verifyHeaders)];
    turn += 1;
    const change = { method: "POST", path: `${admin}/tenants/${tenant}:suspend`, body: {} };
    return { verifyBody: { credential: credentials[turn % credentials.length] }, verifyHeaders, change };
  },
};
let turn = 0;

async function issue(http: HttpClient, headers: Readonly<Record<string, string>> = {}): Promise<{ keyId: string; credential: string }> {
  const { status, body } = await http.send("POST", `${admin}/issuedApiKeys`, { scopes: ["orders:read", "orders:write"] }, headers);
  if (status !== 201) throw new Error(`issue answered ${status}: ${JSON.stringify(body)}`);
  const { issued_api_key, secret } = body as { issued_api_key: { key_id: string }; secret: string };
  return { keyId: issued_api_key.key_id, credential: secret };
}

async function derive(
  http: HttpClient,
  credential: string,
  algorithm: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<string> {
  const request = { credential, algorithm: `TOKEN_ALGORITHM_${algorithm}` };
  const { status, body } = await http.send("POST", `${admin}/apiKeys:derive`, request, headers);
  if (status !== 200) throw new Error(`derive answered ${status}: ${JSON.stringify(body)}`);
  return (body as { token: { token: string } }).token.token;
}
