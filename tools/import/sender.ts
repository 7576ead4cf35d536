import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import { tenantHeader } from "../../src/core/tenant.ts";
import type { Batch } from "./batches.ts";
import type { LineFailure } from "./failures.ts";
import { failuresOf, unreadableOf } from "./outcome.ts";
import { StoppedError } from "./problems.ts";

export interface Sender {
  /**
   * Sends a batch until the service answers it. Returns the rows that failed; all others were imported. A batch may be sent again under its
   * id, in this run or a later one. Rejects with StoppedError if the service refuses the call itself, cannot be reached for too long, or
   * has no room left.
   */
  send(batch: Batch, batchId: string): Promise<readonly LineFailure[]>;
  close(): void;
}

export interface SenderOptions {
  readonly url: string;
  readonly token: string;
  readonly tenant: string | null;
  /** After it aborts, no further attempt is made. */
  readonly stop: AbortSignal;
  /** Called with the problem of each attempt that will be repeated. */
  readonly onRetry: (problem: string) => void;
  readonly random: () => number;
}

const callTimeoutMs = 60_000;
const firstPauseMs = 100;
const maxPauseMs = 5000;
/**
 * How long a service may be unreachable: long enough for a restart and a failover. Before its first answer, a mistake in the URL is more
 * likely.
 */
const patienceMs = { beforeFirstAnswer: 10_000, later: 600_000 };
const transient: ReadonlySet<Code> = new Set([Code.Unavailable, Code.Aborted, Code.DeadlineExceeded, Code.Canceled]);

export function createSender({ url, token, tenant, stop, onRetry, random }: SenderOptions): Sender {
  const sessions = new Http2SessionManager(url);
  const client = createClient(ApiKeysService, createGrpcTransport({ baseUrl: url, sessionManager: sessions }));
  const headers = { authorization: `Bearer ${token}`, ...(tenant !== null && { [tenantHeader]: tenant }) };
  const options = { headers, timeoutMs: callTimeoutMs };
  let hasAnswered = false;

  return {
    async send(batch, requestId) {
      if (batch.requests.length === 0) return unreadableOf(batch);
      const request = { requests: [...batch.requests], requestId, compactResults: true };
      const begunMs = performance.now();
      for (let attempt = 0; ; attempt += 1) {
        try {
          const { results } = await client.adminBatchImportApiKeys(request, options);
          hasAnswered = true;
          return failuresOf(batch, results);
        } catch (error) {
          if (error instanceof StoppedError) throw error;
          const { code, message } = ConnectError.from(error);
          if (!transient.has(code)) throw new StoppedError(`the service refused a batch: ${message}`);
          const limitMs = hasAnswered ? patienceMs.later : patienceMs.beforeFirstAnswer;
          if (stop.aborted || performance.now() - begunMs > limitMs) throw new StoppedError(`the service cannot be reached: ${message}`);
          onRetry(message);
        }
        const pauseMs = Math.min(maxPauseMs, firstPauseMs * 2 ** attempt) * (0.5 + random() / 2);
        // `stop` cuts the pause short, and the check after the next failure ends the loop.
        await sleep(pauseMs, undefined, { signal: stop }).catch(() => {});
      }
    },
    close: () => sessions.abort(),
  };
}
