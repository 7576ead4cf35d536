import { create, toJson } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import { type VerifyApiKeyResponse, VerifyApiKeyResponseSchema } from "../../gen/keywright/v2alpha1/verification_pb.ts";
import { createMessageEncoder } from "../../src/connect/encode.ts";
import type { KeyRecord } from "../../src/core/key.ts";
import type { RefusalCode } from "../../src/core/verdict.ts";
import { createLastingAnswers } from "../../src/rpc/lasting-answers.ts";
import { refusals, verifiedToMessage } from "../../src/rpc/verified.ts";
import type { KeyLimit, Verified } from "../../src/service/judge.ts";
import { createAnswerEncoder } from "../../src/transcode/encode-answer.ts";
import type { Route } from "../../src/transcode/route.ts";
import { fullRecord, keyRecord } from "../support/key-record.ts";
import { runCount } from "../support/run-count.ts";

const issuer = "https://keys.example";
const nowMs = 1_800_000_000_000;

function verified(record: KeyRecord, more: Partial<Verified> = {}): Verified {
  const verdict = { isValid: true, record } as const;
  return { verdict, kind: "issued", isGuess: false, nowMs, cacheOutcome: "hit", customClaims: null, ...more };
}

function plainAnswer(answer: Verified): unknown {
  return toJson(VerifyApiKeyResponseSchema, create(VerifyApiKeyResponseSchema, verifiedToMessage(answer, issuer)));
}

test.each([keyRecord({ scopes: ["a"], metadata: { team: "core" } }), { ...fullRecord, revocation: null }])(
  "a record has one frozen answer, equal to one that is not remembered",
  (record) => {
    const answerTo = createLastingAnswers(1);
    const answer = answerTo(verified(record), issuer);
    expect(answer).toBeDefined();
    expect(Object.isFrozen(answer)).toBe(true);
    expect(answerTo(verified(record, { nowMs: nowMs + 1 }), issuer)).toBe(answer);
    expect(answer && toJson(VerifyApiKeyResponseSchema, answer)).toEqual(plainAnswer(verified(record)));
  },
);

test("a newer record of the key and a new issuer have answers of their own", () => {
  const answerTo = createLastingAnswers(1);
  const record = keyRecord({ metadata: { team: "core" } });
  answerTo(verified(record), issuer);
  const newer = { ...record, revision: 2, metadata: { team: "edge" } };
  expect(answerTo(verified(newer), issuer)?.metadata).toEqual({ team: "edge" });
  expect(answerTo(verified(record), "https://other.example")?.issuer).toBe("https://other.example");
  expect(answerTo(verified(record), issuer)?.issuer).toBe(issuer);
});

const limit: KeyLimit = { policy: { quota: 5n, windowMs: 1000, unit: "requests" }, remaining: 4n, resetTimeMs: nowMs, resetAfterMs: 1 };

test.each<[string, Partial<Verified>]>([
  ["comes from the store", { cacheOutcome: "bypass" }],
  ["is a token", { kind: "jwt", customClaims: { plan: "pro" } }],
])("what %s has no lasting answer", (_, more) => {
  expect(createLastingAnswers(1)(verified(keyRecord(), more), issuer)).toBeUndefined();
});

test.each<[string, Partial<Verified>]>([
  ["its own", { limit }],
  ["its actor's", { actorLimit: { ...limit, remaining: 3n } }],
  ["both", { limit, actorLimit: { ...limit, remaining: 3n, resetTimeMs: nowMs + 5 } }],
])("the text of a key with a limit (%s) is that of its lasting answer and the limits of this moment", (_, more) => {
  const method = ApiKeysService.method.adminVerifyApiKey;
  const encode = createAnswerEncoder();
  const route = { method, success: { status: 200 }, responseBody: undefined } as unknown as Route;
  const textOf = (answer: VerifyApiKeyResponse) => JSON.parse(encode(route, answer).text as string) as unknown;
  const answerTo = createLastingAnswers(1);
  const record = { ...fullRecord, revocation: null };
  for (const left of [5n, 2n]) {
    const each = verified(record, { ...more, ...(more.limit && { limit: { ...more.limit, remaining: left } }) });
    const answer = answerTo(each, issuer) as VerifyApiKeyResponse;
    expect(toJson(VerifyApiKeyResponseSchema, answer)).toEqual(plainAnswer(each));
    expect(textOf(answer)).toEqual(textOf(create(VerifyApiKeyResponseSchema, verifiedToMessage(each, issuer))));
  }
  const unlimited = answerTo(verified(record), issuer) as VerifyApiKeyResponse;
  expect(toJson(VerifyApiKeyResponseSchema, unlimited)).toEqual(plainAnswer(verified(record)));
});

const records = [keyRecord({ expireTimeMs: nowMs }), keyRecord({ scopes: ["a"], disabled: true }), null];
const verifications: fc.Arbitrary<Verified> = fc
  .record({
    record: fc.constantFrom(...records),
    code: fc.constantFrom(null, ...(Object.keys(refusals) as RefusalCode[])),
    nowMs: fc.constantFrom(nowMs - 1, nowMs),
    more: fc.constantFrom<Partial<Verified>>({}, { cacheOutcome: "bypass" }, { limit }, { actorLimit: limit }, { kind: "jwt" }),
  })
  .map(({ record, code, more, ...rest }) => {
    const refused = { isValid: false, code: code ?? "not_found", record } as const;
    return verified(keyRecord(), { ...rest, ...more, verdict: code === null && record !== null ? { isValid: true, record } : refused });
  });

test("earlier answers do not change a later one", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(verifications, fc.constantFrom(issuer, "https://b")), { minLength: 30, maxLength: 50 }), (calls) => {
      const answerTo = createLastingAnswers(1);
      for (const [each, issuerOfCall] of calls) {
        const answer = answerTo(each, issuerOfCall);
        if (answer === undefined) continue;
        const expected = create(VerifyApiKeyResponseSchema, verifiedToMessage(each, issuerOfCall));
        expect(toJson(VerifyApiKeyResponseSchema, answer)).toEqual(toJson(VerifyApiKeyResponseSchema, expected));
      }
    }),
    { numRuns: runCount(50) },
  );
});

test("refusals have a lasting answer for each record, or for all credentials without one", () => {
  const answerTo = createLastingAnswers(1);
  const refused = (record: KeyRecord | null) => verified(keyRecord(), { verdict: { isValid: false, code: "expired", record } });
  for (const record of [null, keyRecord({ expireTimeMs: 1 })]) {
    const answer = answerTo(refused(record), issuer);
    expect(answer).toBeDefined();
    expect(answerTo({ ...refused(record), nowMs: nowMs + 1 }, issuer)).toBe(answer);
  }
});

test("encoders remember the bytes of a lasting answer, in each form, and only of it", () => {
  const encode = createMessageEncoder(undefined);
  const plain = create(VerifyApiKeyResponseSchema, verifiedToMessage(verified(keyRecord({ scopes: ["a"] })), issuer));
  const lasting = createLastingAnswers(1)(verified(keyRecord({ scopes: ["a"] })), issuer) as VerifyApiKeyResponse;
  for (const binary of [false, true]) {
    for (const enveloped of [false, true]) {
      const form = { binary, enveloped };
      const bytes = encode(VerifyApiKeyResponseSchema, lasting, form);
      expect(bytes).toEqual(encode(VerifyApiKeyResponseSchema, plain, form));
      expect(encode(VerifyApiKeyResponseSchema, lasting, form)).toBe(bytes);
      expect(encode(VerifyApiKeyResponseSchema, plain, form)).not.toBe(encode(VerifyApiKeyResponseSchema, plain, form));
    }
  }
});

test("encoders do not remember what is above 4 KiB", () => {
  const encode = createMessageEncoder(undefined);
  const form = { binary: true, enveloped: false };
  const lastingOf = (scope: string) => createLastingAnswers(1)(verified(keyRecord({ scopes: [scope] })), issuer) as VerifyApiKeyResponse;
  const bytesOf = (message: VerifyApiKeyResponse) => encode(VerifyApiKeyResponseSchema, message, form);
  const otherBytes = bytesOf(lastingOf("x".repeat(3000))).length - 3000;
  for (const [bytes, isRemembered] of [
    [4096, true],
    [4097, false],
  ] as const) {
    const lasting = lastingOf("x".repeat(bytes - otherBytes));
    const first = bytesOf(lasting);
    expect(first).toHaveLength(bytes);
    expect(bytesOf(lasting) === first).toBe(isRemembered);
  }
});

test("the text of a lasting answer is remembered up to 4 KiB", () => {
  const encode = createAnswerEncoder();
  const method = ApiKeysService.method.adminVerifyApiKey;
  const route = { method, success: { status: 200 }, responseBody: undefined } as unknown as Route;
  for (const [length, isRemembered] of [
    [3000, true],
    [5000, false],
  ] as const) {
    let reads = 0;
    const lasting = create(VerifyApiKeyResponseSchema, { isValid: true, keyId: "k" });
    Object.defineProperty(lasting, "issuer", {
      enumerable: true,
      get: () => {
        reads += 1;
        return "x".repeat(length);
      },
    });
    Object.freeze(lasting);
    const text = encode(route, lasting).text;
    const readsOfOne = reads;
    expect(encode(route, lasting).text).toBe(text);
    expect(reads === readsOfOne).toBe(isRemembered);
  }
});

test("one of sixteen answers that are not known is remembered", () => {
  const answerTo = createLastingAnswers();
  const record = keyRecord();
  const answers = Array.from({ length: 17 }, () => answerTo(verified(record), issuer));
  expect(answers.slice(0, 15)).toEqual(Array.from({ length: 15 }));
  expect(answers[15]).toBeDefined();
  expect(answers[16]).toBe(answers[15]);
});
