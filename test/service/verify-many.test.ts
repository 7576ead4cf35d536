import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { ReadAnswer } from "../../src/cache/reading.ts";
import type { RecordReader } from "../../src/cache/record-reader.ts";
import { actorLimitRecordId, newActorLimitRecord } from "../../src/core/actor-limit.ts";
import { createCredentials, digestOf } from "../../src/core/credential.ts";
import type { KeyRecord } from "../../src/core/key.ts";
import { createUlid } from "../../src/core/ulid.ts";
import { Failure } from "../../src/error/failure.ts";
import { createActorLimits } from "../../src/service/actor-limits.ts";
import type { TenantSettings } from "../../src/service/tenants/tenant-settings.ts";
import { createVerifyMany } from "../../src/service/verify-many.ts";
import { createTurns, type Turns } from "../../src/turns.ts";
import { keyRecord } from "../support/key-record.ts";
import { noLimits } from "../support/no-limits.ts";
import { noTokens } from "../support/no-tokens.ts";

const nowMs = 1_800_000_000_000;
const secrets = { current: "s".repeat(32), retired: [{ secret: "r".repeat(32), expireTimeMs: null }] };
const credentials = createCredentials(secrets, { secret: "kw", public: "kw_pub", retired: [] }, randomBytes);

/** A reader of some records, whose answer for the ids in `lost` is unknown. */
function setup(records: readonly KeyRecord[], lost: ReadonlySet<string> = new Set(), hasActorLimits = false, turns?: Turns) {
  const asked: (readonly string[])[] = [];
  const reported: unknown[] = [];
  const used: string[] = [];
  let parsed = 0;
  const reader: Pick<RecordReader, "readMany"> = {
    async readMany(_tenant, keyIds) {
      asked.push(keyIds);
      return keyIds.map((keyId): PromiseSettledResult<ReadAnswer> => {
        if (lost.has(keyId)) return { status: "rejected", reason: new Failure("STORE_UNAVAILABLE") };
        return { status: "fulfilled", value: { record: records.find((record) => record.keyId === keyId) ?? null, outcome: "hit" } };
      });
    },
  };
  const read = () => Promise.reject(new Error("one at a time"));
  const settings = { of: () => ({ hasActorLimits, actorRateLimitPolicy: null }) as ReturnType<TenantSettings["of"]> };
  const verifyMany = createVerifyMany({
    ...noTokens,
    ...noLimits,
    actorLimits: createActorLimits({ cache: { peek: () => undefined, reader: { ...reader, read } }, settings }),
    credentials: {
      asImported: credentials.asImported,
      parse(tenant, text, atMs) {
        parsed += 1;
        return credentials.parse(tenant, text, atMs);
      },
    },
    reader,
    usage: { record: (_tenant, keyId) => used.push(keyId) },
    clock: () => nowMs,
    reportUnanswered: (error) => reported.push(error),
  });
  const verdicts = async (...texts: string[]) => {
    const verified = await verifyMany(
      "default",
      texts.map((credential) => ({
        credential,
        endUserAddress: () => null,
        requiredScopes: [],
        audience: "",
        statedAddress: null,
        cost: 1,
      })),
      "none",
      turns,
    );
    return verified.map(({ verdict }) => (verdict.isValid ? verdict.record.keyId : verdict.code));
  };
  return { verdicts, asked, reported, used, parsedCount: () => parsed };
}

function mint(): { text: string; record: KeyRecord } {
  const keyId = createUlid(nowMs, randomBytes);
  const text = credentials.mint("default", keyId, "secret");
  return { text, record: keyRecord({ keyId, digest: digestOf(text) }) };
}

describe("a batch", () => {
  test("asks once for all keys of both kinds, and once for a repeated key", async () => {
    const [a, b] = [mint(), mint()];
    const raw = "raw-key";
    const parsed = credentials.parse("default", raw, nowMs);
    if (parsed.type !== "imported") throw new Error("not an imported key");
    // Stored under the retired secret only.
    const imported = keyRecord({ kind: "imported", keyId: parsed.keyIds[1] as string });
    const { verdicts, asked, used, parsedCount } = setup([a.record, b.record, imported]);
    expect(await verdicts(a.text, raw, b.text, a.text, "kw_v1_broken", raw)).toEqual([
      a.record.keyId,
      imported.keyId,
      b.record.keyId,
      a.record.keyId,
      "not_found",
      imported.keyId,
    ]);
    expect(asked).toHaveLength(1);
    expect(new Set(asked[0]).size).toBe(asked[0]?.length);
    expect(asked[0]).toEqual(expect.arrayContaining([a.record.keyId, b.record.keyId, ...parsed.keyIds]));
    expect(parsedCount()).toBe(4);
    expect(used).toEqual([a.record.keyId, imported.keyId, b.record.keyId, a.record.keyId, imported.keyId]);
  });

  test("if the store fails for a key, only that one is unanswered, and this is reported once", async () => {
    const [a, b, c] = [mint(), mint(), mint()];
    const { verdicts, reported } = setup([a.record, b.record, c.record], new Set([b.record.keyId, c.record.keyId]));
    expect(await verdicts(a.text, b.text, c.text)).toEqual([a.record.keyId, "internal", "internal"]);
    expect(reported).toEqual([new Failure("STORE_UNAVAILABLE")]);
  });

  test("never treats a key as unknown while one of its ids is unanswered", async () => {
    const parsed = credentials.parse("default", "raw-key", nowMs);
    if (parsed.type !== "imported") throw new Error("not an imported key");
    const [current, retired] = parsed.keyIds as [string, string];
    const lostFirst = setup([keyRecord({ kind: "imported", keyId: retired })], new Set([current]));
    expect(await lostFirst.verdicts("raw-key")).toEqual(["internal"]);
    const lostLast = setup([keyRecord({ kind: "imported", keyId: current })], new Set([retired]));
    expect(await lostLast.verdicts("raw-key")).toEqual([current]);
    expect(await setup([], new Set([retired])).verdicts("raw-key")).toEqual(["internal"]);
  });

  test("asks once for the limits of all actors, and only keys of those that were not answered have no verdict", async () => {
    const minted = ["a", "b", "a", "", "lost"].map((actorId) => ({ ...mint(), actorId }));
    const keys = minted.map(({ record, actorId }) => ({ ...record, actorId }));
    const limit = newActorLimitRecord("a", { quota: 10n, windowMs: 1000, unit: "requests" }, nowMs);
    const { verdicts, asked, reported } = setup([...keys, limit], new Set([actorLimitRecordId("lost")]), true);
    const texts = minted.map(({ text }) => text);
    expect(await verdicts(...texts)).toEqual([...keys.slice(0, 4).map(({ keyId }) => keyId), "internal"]);
    expect(asked[1]).toEqual(["a", "b", "lost"].map(actorLimitRecordId));
    expect(asked).toHaveLength(2);
    expect(reported).toEqual([new Failure("STORE_UNAVAILABLE")]);
  });
});

test("the credentials of a long batch are read in several turns of the event loop", async () => {
  let timeMs = 0;
  const turns = createTurns(() => ++timeMs);
  const { verdicts, parsedCount } = setup([], new Set(), false, turns);
  const parsedAtTurns: number[] = [];
  const noteTurn = () => {
    parsedAtTurns.push(parsedCount());
    if (parsedCount() < 100) setImmediate(noteTurn);
  };
  setImmediate(noteTurn);
  await verdicts(...Array.from({ length: 100 }, (_, index) => `key-${index}`));
  expect(parsedAtTurns.length).toBeGreaterThan(10);
});
