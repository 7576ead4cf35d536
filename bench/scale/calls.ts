import { randomBytes } from "node:crypto";
import { createNoRecordCache } from "../../src/adapters/none/record-cache.ts";
import { createTrustedCache } from "../../src/cache/trusted-cache.ts";
import { createPageTokens } from "../../src/core/page-token.ts";
import { dayMs } from "../../src/core/time-units.ts";
import type { KeyStore } from "../../src/ports/key-store.ts";
import { getKey } from "../../src/service/get.ts";
import { issueKey } from "../../src/service/issue.ts";
import type { KeyService } from "../../src/service/key-service.ts";
import { listKeys } from "../../src/service/list.ts";
import { revokeKey } from "../../src/service/revoke.ts";
import { createTenantSettings } from "../../src/service/tenants/tenant-settings.ts";
import { createVerify } from "../../src/service/verify.ts";
import { noLimits } from "../../test/support/no-limits.ts";
import { noTokens } from "../../test/support/no-tokens.ts";
import { actorsOf, credentialOf, credentials, type Filling, groups, keyIdOf, keysOfCredential } from "./records.ts";

const tenant = "default";
const origin = { method: "bench", caller: "bench", clientAddress: "192.0.2.1", requestId: "bench" };

/** A call on one random key. */
export interface Call {
  readonly name: string;
  /** Calls measured in one turn. */
  readonly count: number;
  /** Calls that run at the same time. Default: 16. */
  readonly inFlight?: number;
  /** Prepares a call, which is not measured. */
  prepare(): () => Promise<unknown>;
}

/** The operations of the API without the protocol, over a store. Verifications have no cache, so that each is a miss. */
export function callsOf(store: KeyStore, filling: Filling): Call[] {
  const { kind, count } = filling;
  const service = serviceOf(store);
  const randomKeyId = () => keyIdOf(filling, below(count));
  const calls: Call[] = [
    { name: "get", count: 1600, prepare: () => reading(store, randomKeyId()) },
    { name: "get, one at a time", count: 200, inFlight: 1, prepare: () => reading(store, randomKeyId()) },
    { name: "GetApiKey", count: 1600, prepare: () => reading({ get: (_, keyId) => getKey(service, tenant, kind, keyId) }, randomKeyId()) },
    ...filters(filling).map(([name, filterOf]) => ({ name, count: 64, prepare: () => listing(service, kind, filterOf()) })),
    // Last, because they change the stores, and the small one more.
    { name: "issue", count: 128, prepare: () => () => issueKey(service, tenant, origin, newKey(`user-${below(actorsOf(filling))}`)) },
    { name: "revoke", count: 64, prepare: () => revoking(service, randomKeyId()) },
  ];
  if (kind === "imported") return calls;
  const credential = () => credentialOf(filling, Math.floor(below(count) / keysOfCredential) * keysOfCredential);
  const missing = () => verifying(verifyOf(service), credential());
  return [
    { name: "verify, a miss", count: 600, prepare: missing },
    { name: "verify, a miss, one at a time", count: 200, inFlight: 1, prepare: missing },
    ...calls,
  ];
}

const reading = (store: Pick<KeyStore, "get">, keyId: string) => async () => {
  if ((await store.get(tenant, keyId)) === null) throw new Error(`no key ${keyId}`);
};

const verifying = (verify: ReturnType<typeof createVerify>, credential: string) => async () => {
  const verification = { credential, endUserAddress: () => null, statedAddress: null, requiredScopes: [], audience: null, cost: 1 };
  const { verdict } = await verify(tenant, verification, "none");
  if (!verdict.isValid && verdict.code === "not_found") throw new Error(`no key for ${credential}`);
};

const revoking = (service: KeyService, keyId: string) => () =>
  revokeKey(service, tenant, origin, { keyId, revocation: { reason: "superseded", description: "" } });

interface Filter {
  readonly filter: string;
  readonly orderBy?: string;
}

const listing =
  (service: KeyService, kind: Filling["kind"], { filter, orderBy = "" }: Filter) =>
  () =>
    listKeys(service, tenant, {
      ...{ kind, filter, orderBy, pageSize: 50, pageToken: "", hasTotalSize: false },
      ...{ maxBytes: 4_000_000, bytesOf: () => 1000, throwIfOver() {} },
    });

function filters(filling: Filling): [name: string, filterOf: () => Filter][] {
  const group = () => below(groups);
  const actor = () => `actor_id="user-${below(actorsOf(filling))}"`;
  const at = (timeMs: number) => `"${new Date(timeMs).toISOString()}"`;
  const { filledMs } = filling;
  return [
    ["list by actor", () => ({ filter: actor() })],
    ["list by actor and status", () => ({ filter: `${actor()} AND status=KEY_STATUS_ACTIVE` })],
    ["list by status: active", () => ({ filter: "status=KEY_STATUS_ACTIVE" })],
    ["list by status: revoked", () => ({ filter: "status=KEY_STATUS_REVOKED" })],
    ["name, a prefix", () => ({ filter: `name="service-${group()}-*"` })],
    ["scope", () => ({ filter: `scopes:"area-${group()}"` })],
    ["metadata", () => ({ filter: `metadata.team="team-${group()}"` })],
    ["scope and actor", () => ({ filter: `scopes:"area-${group()}" AND ${actor()}` })],
    ["expires within 7 days, active", () => ({ filter: `expire_time<${at(filledMs + 7 * dayMs)} AND status=KEY_STATUS_ACTIVE` })],
    ["unused for 90 days, active", () => ({ filter: `last_used_time<${at(filledMs - 90 * dayMs)} AND status=KEY_STATUS_ACTIVE` })],
    ["create_time, a range", () => ({ filter: `create_time>=${at(filledMs - below(190) * dayMs)}` })],
    ["order_by create_time desc", () => ({ filter: "", orderBy: "create_time desc" })],
    ["order_by expire_time, active", () => ({ filter: "status=KEY_STATUS_ACTIVE", orderBy: "expire_time" })],
  ];
}

function newKey(actorId: string): Parameters<typeof issueKey>[3] {
  const attributes = {
    name: `service-${below(groups)}-key`,
    scopes: ["invoices:read", `area-${below(groups)}`],
    metadata: { team: `team-${below(groups)}`, stage: "production" },
    rateLimitPolicy: null,
    allowedCidrs: [],
  };
  return { attributes, actorId, visibility: "secret", ttlMs: 30 * dayMs, requestId: null };
}

function serviceOf(store: KeyStore): KeyService & { readonly reader: Parameters<typeof createVerify>[0]["reader"] } {
  const cache = createTrustedCache({
    ...{ store, generations: null, local: createNoRecordCache(), shared: null, clock: Date.now, monotonicMs: () => performance.now() },
    ...{ cacheTtlMs: 60_000, graceMs: 0, createBeatId: () => "beat", schedule: () => {} },
  });
  return {
    ...{ store, announcer: cache.announcer, reader: cache.reader, credentials: credentials(randomBytes), tokens: noTokens.tokens },
    pageTokens: createPageTokens({ current: "s".repeat(32), retired: [] }, randomBytes),
    ...{ clock: Date.now, randomBytes, defaultKeyTtlMs: null, tenantSettings: createTenantSettings() },
  };
}

/** Has no memory of tags that were checked before, of which a store with few credentials would have more. */
function verifyOf({ reader }: ReturnType<typeof serviceOf>): ReturnType<typeof createVerify> {
  return createVerify({
    ...noTokens,
    ...noLimits,
    credentials: credentials(randomBytes),
    reader,
    usage: { record: () => {} },
    clock: Date.now,
  });
}

function below(count: number): number {
  return Math.floor(Math.random() * count);
}
