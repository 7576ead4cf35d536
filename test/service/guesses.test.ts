import { randomBytes } from "node:crypto";
import { beforeEach, expect, test } from "vitest";
import { createMemoryLedger } from "../../src/adapters/memory/ledger.ts";
import { parseAddress } from "../../src/core/address.ts";
import { createCredentials, digestOf } from "../../src/core/credential.ts";
import { createUlid } from "../../src/core/ulid.ts";
import { createGuessLimit } from "../../src/limit/guess-limit.ts";
import type { Verification } from "../../src/service/judge.ts";
import { createVerify } from "../../src/service/verify.ts";
import { createVerifyMany } from "../../src/service/verify-many.ts";
import { keyRecord } from "../support/key-record.ts";
import { noLimits } from "../support/no-limits.ts";
import { noTokens } from "../support/no-tokens.ts";

const nowMs = 1_800_000_000_000;
const credentials = createCredentials(
  { current: "s".repeat(32), retired: [] },
  { secret: "kw", public: "kw_pub", retired: [] },
  randomBytes,
);
/** Another installation with the same prefixes. Its keys may have been imported here. */
const others = createCredentials({ current: "o".repeat(32), retired: [] }, { secret: "kw", public: "kw_pub", retired: [] }, randomBytes);
const keyId = createUlid(nowMs, randomBytes);
const genuine = credentials.mint("default", keyId, "secret");
const record = keyRecord({ keyId, digest: digestOf(genuine) });
const guessesAMinute = 3;

let lookedUp: string[];
let reported: unknown[];
let options: Parameters<typeof createVerify>[0] & Parameters<typeof createVerifyMany>[0];
beforeEach(() => {
  lookedUp = [];
  reported = [];
  const answer = (id: string) => ({ record: id === keyId ? record : null, outcome: "miss" as const });
  const policy = { quota: BigInt(guessesAMinute), windowMs: 60_000, unit: "requests" };
  options = {
    ...noTokens,
    rateLimiter: noLimits.rateLimiter,
    actorLimits: noLimits.actorLimits,
    guesses: createGuessLimit(createMemoryLedger({ maxEntries: 10, monotonicMs: () => 0 }), "test", policy),
    credentials,
    reader: {
      async read(_tenant, id) {
        lookedUp.push(id);
        return answer(id);
      },
      async readMany(_tenant, ids) {
        lookedUp.push(...ids);
        return ids.map((id) => ({ status: "fulfilled", value: answer(id) }));
      },
    },
    usage: { record() {} },
    clock: () => nowMs,
    reportUnanswered: (error) => reported.push(error),
  };
});

function from(client: string, credential: string): Verification {
  const statedAddress = parseAddress(client);
  return { credential, statedAddress, endUserAddress: () => statedAddress, requiredScopes: [], audience: "", cost: 1 };
}

test("a guesser above its limit causes no look-up, alone or in a batch, but a genuine key from there is looked up", async () => {
  const verify = createVerify(options);
  for (let count = 0; count < guessesAMinute; count += 1) await verify("default", from("192.0.2.1", `guess ${count}`), "none");
  expect(lookedUp).toHaveLength(guessesAMinute);
  lookedUp = [];
  const { verdict } = await verify("default", from("192.0.2.1", "one more guess"), "none");
  expect(verdict).toMatchObject({ isValid: false, code: "guess_limited" });
  const foreign = others.mint("default", keyId, "secret");
  expect((await verify("default", from("192.0.2.1", foreign), "none")).verdict).toMatchObject({ isValid: false, code: "guess_limited" });
  const batch = ["guess a", genuine, foreign].map((credential) => from("192.0.2.1", credential));
  const verified = await createVerifyMany(options)("default", batch, "none");
  expect(verified.map(({ verdict }) => (verdict.isValid ? "valid" : verdict.code))).toEqual(["guess_limited", "valid", "guess_limited"]);
  expect(lookedUp).toEqual([keyId]);
});

test("an item of a batch that cannot be judged is `internal`, whatever the reason, and the others are answered", async () => {
  const broken: Verification = {
    ...from("192.0.2.2", genuine),
    get requiredScopes(): readonly string[] {
      throw new Error("out of order");
    },
  };
  const verified = await createVerifyMany(options)("default", [from("192.0.2.2", genuine), broken, from("192.0.2.2", "guess")], "none");
  expect(verified.map(({ verdict }) => (verdict.isValid ? "valid" : verdict.code))).toEqual(["valid", "internal", "not_found"]);
  expect(reported).toEqual([new Error("out of order")]);
});

test("an item of a batch whose limit cannot be checked is `internal`, and the others are answered", async () => {
  const limited = keyRecord({ ...record, rateLimitPolicy: { quota: 5n, windowMs: 1000, unit: "requests" } });
  const lost = () => Promise.reject(new Error("lost"));
  const rateLimiter = { take: lost, takeAll: lost };
  const reader = { readMany: async () => [{ status: "fulfilled" as const, value: { record: limited, outcome: "hit" as const } }] };
  const verifyMany = createVerifyMany({ ...options, rateLimiter, reader });
  const verified = await verifyMany("default", [from("192.0.2.3", genuine), from("192.0.2.3", " ")], "none");
  expect(verified.map(({ verdict }) => (verdict.isValid ? "valid" : verdict.code))).toEqual(["internal", "invalid_format"]);
  expect(reported).toEqual([new Error("lost")]);
});
