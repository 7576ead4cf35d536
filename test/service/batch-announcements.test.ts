import { createHash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { BatchSelfRevokeRequestSchema } from "../../gen/keywright/v2alpha1/holder_pb.ts";
import { RevocationReason } from "../../gen/keywright/v2alpha1/revocation_pb.ts";
import type { Change, ChangeAnnouncer } from "../../src/cache/announce.ts";
import type { Call } from "../../src/call/call.ts";
import { createCredentials } from "../../src/core/credential.ts";
import type { KeyRecord } from "../../src/core/key.ts";
import { Failure } from "../../src/error/failure.ts";
import { batchSelfRevoke } from "../../src/rpc/holders/batch-self-revoke.ts";
import { collectAnnouncements } from "../../src/service/batch-announcements.ts";
import type { KeyService } from "../../src/service/key-service.ts";
import { keyRecord } from "../support/key-record.ts";
import { noTokens } from "../support/no-tokens.ts";

/** An announcer that records what it is asked, and rejects for the tenant `lost`. */
function recordingAnnouncer() {
  const steps: string[] = [];
  const announcer = {
    beginChanges(tenant: string) {
      steps.push(`begin ${tenant}`);
      return async (changes: readonly Change[]) => {
        steps.push(`announce ${tenant} ${changes.map(({ keyId, revision }) => `${keyId}/${revision}`)}`);
        if (tenant === "lost") throw new Error("lost");
      };
    },
  } as unknown as ChangeAnnouncer;
  return { steps, announcer };
}

const change = async ({ announcer }: { announcer: ChangeAnnouncer }, tenant: string, keyId: string, revision: number) => {
  const announce = announcer.beginChange(tenant, keyId);
  await announce(keyRecord({ keyId, revision }), revision);
};

test("the changes of a batch are announced once per tenant, begun before the first change of the tenant", async () => {
  const { steps, announcer } = recordingAnnouncer();
  const batch = collectAnnouncements(announcer);
  for (const keyId of ["A", "B"]) await change(batch, "one", keyId, 2);
  await change(batch, "two", "C", 7);
  expect(steps).toEqual(["begin one", "begin two"]);
  expect(await batch.announceAll()).toEqual(new Map());
  expect(steps.slice(2)).toEqual(["announce one A/2,B/2", "announce two C/7"]);
});

test("of several changes of a key the newest is announced, and nothing for a tenant without changes", async () => {
  const { steps, announcer } = recordingAnnouncer();
  const batch = collectAnnouncements(announcer);
  batch.announcer.beginChange("none", "X");
  for (const revision of [2, 4, 3]) await change(batch, "one", "A", revision);
  await batch.announceAll();
  expect(steps.slice(2)).toEqual(["announce one A/4"]);
});

test("a tenant whose changes cannot be announced does not affect the others", async () => {
  const { steps, announcer } = recordingAnnouncer();
  const batch = collectAnnouncements(announcer);
  await change(batch, "lost", "A", 2);
  await change(batch, "one", "B", 2);
  expect(await batch.announceAll()).toEqual(new Map([["lost", new Error("lost")]]));
  expect(steps).toContain("announce one B/2");
});

const credentials = createCredentials({ current: "s".repeat(32), retired: [] }, { secret: "kw", public: "kw_pub", retired: [] }, () =>
  Buffer.alloc(64),
);
const revocable = Array.from({ length: 25 }, (_, index) => `raw-key-${index}`);
const idOf = (rawKey: string) => credentials.importedKeyIds("one", createHash("sha256").update(rawKey).digest())[0];

/** Revokes all keys and an unknown one in a batch. Returns what is announced, the results, and the reported errors. */
async function revokeAll(announcement: () => Promise<void>) {
  const steps: string[] = [];
  const records = new Map(revocable.map((rawKey) => [idOf(rawKey), keyRecord({ kind: "imported", keyId: idOf(rawKey) })]));
  const announceAll = (changes: readonly Change[]) => {
    steps.push(`announce ${changes.length}`);
    return announcement();
  };
  const service = {
    ...{ credentials, ...noTokens, clock: () => 1, randomBytes: (length: number) => Buffer.alloc(length) },
    tenantSettings: { of: () => ({ suspended: false }) },
    announcer: { beginChanges: () => announceAll },
    store: {
      get: async (_tenant: string, keyId: string) => records.get(keyId) ?? null,
      async replace(_tenant: string, record: KeyRecord) {
        steps.push("replace");
        records.set(record.keyId, record);
        return true;
      },
    },
  } as unknown as KeyService;
  const reported: unknown[] = [];
  const revoke = batchSelfRevoke({
    service,
    limits: { guesses: { take: () => null }, takeUse: () => null, takeLook: () => null, takeRepeat: () => null },
    directory: { current: () => null, tenantOfPrefix: () => undefined },
    reportUnanswered: (error) => reported.push(error),
  });
  const request = create(BatchSelfRevokeRequestSchema, { credentials: [...revocable, "unknown"], reason: RevocationReason.SUPERSEDED });
  const { results } = await revoke(request, {
    tenant: "one",
    clientAddress: "",
    guessAddress: "",
    method: { name: "BatchSelfRevoke" },
  } as unknown as Call);
  return { steps, reported, results: results?.map(({ revoked, errorReason }) => errorReason ?? revoked) };
}

test("a batch of self-revocations is announced after every twenty keys, and after its last one", async () => {
  const { steps, reported, results } = await revokeAll(async () => {});
  expect(steps).toEqual([...Array(20).fill("replace"), "announce 20", ...Array(5).fill("replace"), "announce 5"]);
  expect(results).toEqual([...revocable.map(() => true), "KEY_NOT_FOUND"]);
  expect(reported).toEqual([]);
});

test("only keys whose announcement failed do not count as revoked", async () => {
  const answers = [() => Promise.reject(new Failure("STORE_UNAVAILABLE")), async () => {}];
  const { reported, results } = await revokeAll(() => (answers.shift() ?? (async () => {}))());
  expect(results).toEqual([...Array(20).fill("STORE_UNAVAILABLE"), ...Array(5).fill(true), "KEY_NOT_FOUND"]);
  expect(reported).toEqual([new Failure("STORE_UNAVAILABLE")]);
});

test("no key of a batch counts as revoked if the changes cannot be announced", async () => {
  const { reported, results } = await revokeAll(() => Promise.reject(new Failure("STORE_UNAVAILABLE")));
  expect(results).toEqual([...revocable.map(() => "STORE_UNAVAILABLE"), "KEY_NOT_FOUND"]);
  expect(reported).toEqual([new Failure("STORE_UNAVAILABLE")]);
});
