import { afterEach, expect, test, vi } from "vitest";
import { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import type { Call } from "../../src/call/call.ts";
import { Failure } from "../../src/error/failure.ts";
import { logCalls } from "../../src/rpc/log-calls.ts";
import { createLog } from "../../src/telemetry/log.ts";

const { adminVerifyApiKey, adminRevokeApiKey } = ApiKeysService.method;

afterEach(() => void vi.useRealTimers());

test("in an outage every change that fails has a line, but reads only a few a second, with the number of those omitted, also at its end", () => {
  vi.useFakeTimers({ toFake: ["setTimeout"] });
  const lines: Record<string, unknown>[] = [];
  let nowMs = 0;
  let end = (): void => {};
  const observer = logCalls({
    log: createLog("info", { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) }),
    monotonicMs: () => nowMs,
    atEnd: (work) => {
      end = work;
    },
    isRead: (method) => method === adminVerifyApiKey,
    isSampled: () => false,
    traceIdOf: () => undefined,
  });
  const fail = (method: Call["method"], count: number) => {
    const call = { method, protocol: "grpc", requestId: "r", caller: undefined } as unknown as Call;
    for (let index = 0; index < count; index += 1) observer.begin(call).end(new Failure("STORE_UNAVAILABLE"));
    return lines.splice(0).map(({ omitted }) => omitted);
  };
  expect(fail(adminVerifyApiKey, 500)).toEqual(Array(10).fill(undefined));
  expect(fail(adminRevokeApiKey, 20)).toEqual(Array(20).fill(undefined));
  nowMs += 1000;
  expect(fail(adminVerifyApiKey, 2)).toEqual([490, undefined]);
  expect(fail(adminVerifyApiKey, 11)).toEqual(Array(8).fill(undefined));
  vi.runAllTimers();
  expect(lines.splice(0)).toMatchObject([{ omitted: 3, message: "call failed; further lines were omitted" }]);
  nowMs += 100_000;
  expect(fail(adminVerifyApiKey, 1)).toEqual([undefined]);
  vi.runAllTimers();
  expect(lines).toEqual([]);
  expect(fail(adminVerifyApiKey, 12)).toEqual(Array(9).fill(undefined));
  end();
  expect(lines.splice(0)).toMatchObject([{ omitted: 3 }]);
  vi.runAllTimers();
  expect(lines).toEqual([]);
});
