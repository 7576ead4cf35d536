import { create, type Message } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { type VerifyApiKeyResponse, VerifyApiKeyResponseSchema } from "../../gen/keywright/v2alpha1/verification_pb.ts";
import { Failure } from "../../src/error/failure.ts";
import type { HttpCall } from "../../src/http/http-call.ts";
import { runCall, type ServedMethod, startCall } from "../../src/http/run-call.ts";

const broken = new Error("the log is broken");
const answer: VerifyApiKeyResponse = create(VerifyApiKeyResponseSchema);

/** What a call returns, and what is reported, if its end cannot be recorded. */
async function outcomeOf(handler: () => Message | Promise<Message>) {
  const observation = {
    end: () => {
      throw broken;
    },
  };
  const call = { isClosed: false, observation, closeBody: () => {} } as unknown as HttpCall;
  const served = { admit: () => {}, handler } as unknown as ServedMethod;
  const reported: unknown[] = [];
  const steps = { timeoutMs: () => undefined, read: () => answer, encode: () => "encoded" };
  const outcome = await runCall(call, served, steps, (error) => void reported.push(error));
  return { outcome, reported };
}

test.each<[string, () => Message | Promise<Message>]>([
  ["at once", () => answer],
  ["later", async () => answer],
])("a call whose end cannot be recorded is answered, and the error is reported (%s)", async (_, handler) => {
  expect(await outcomeOf(handler)).toEqual({ outcome: "encoded", reported: [broken] });
});

test.each<[string, () => Message | Promise<Message>]>([
  [
    "at once",
    () => {
      throw new Failure("CONCURRENT_CHANGE");
    },
  ],
  ["later", () => Promise.reject(new Failure("CONCURRENT_CHANGE"))],
])("so is a call that fails (%s)", async (_, handler) => {
  const { outcome, reported } = await outcomeOf(handler);
  expect(outcome).toMatchObject({ reason: "CONCURRENT_CHANGE" });
  expect(reported).toEqual([broken]);
});

test("an answer that comes after the deadline is not encoded", async () => {
  const seen: unknown[] = [];
  const call = { isClosed: false, isExpired: false, closeBody: () => seen.push("closed") };
  const served = {
    admit: () => {},
    handler: async () => {
      call.isExpired = true;
      return answer;
    },
  } as unknown as ServedMethod;
  const steps = { timeoutMs: () => undefined, read: () => answer, encode: () => seen.push("encoded") };
  const note = (result: unknown): void => void seen.push(result);
  startCall(call as unknown as HttpCall, served, steps, note, note);
  await new Promise(setImmediate);
  expect(seen).toEqual(["closed"]);
});
