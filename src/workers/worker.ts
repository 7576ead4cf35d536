import cluster from "node:cluster";
import type { App } from "../composition/app.ts";
import type { ToPrimary, ToWorker } from "./messages.ts";

export interface WorkerOptions {
  readonly app: Pick<App, "metrics">;
  readonly url: string;
  readonly reload: () => void;
  /** Closes the app and ends the process. Further calls do nothing. */
  readonly close: (reason: string) => void;
}

/** Reports to the primary that this worker accepts connections, and then handles the primary's requests. */
export function serveAsWorker({ app, url, reload, close }: WorkerOptions): void {
  const handlers: { readonly [K in ToWorker["kind"]]: (message: Extract<ToWorker, { kind: K }>) => void } = {
    close: () => close("asked by the primary"),
    reload,
    scrape: ({ id }) => sendMetrics(app, id),
  };
  process.on("message", (message: ToWorker) => handlers[message.kind]?.(message as never));
  // Otherwise Node ends the process at once when the primary exits, and calls in progress are lost.
  if (cluster.worker !== undefined) cluster.worker.exitedAfterDisconnect = true;
  process.once("disconnect", () => close("the primary is gone"));
  void send({ kind: "serving", url });
}

/** Sends what this worker counted, so that the primary's sums never decrease. */
export function sendLastMetrics(app: Pick<App, "metrics">): Promise<void> {
  return sendMetrics(app, null);
}

function sendMetrics({ metrics }: Pick<App, "metrics">, id: number | null): Promise<void> {
  return send({ kind: "metrics", id, families: metrics?.snapshot() ?? [] });
}

/** Resolves once the message is sent, or cannot be sent because the primary has exited. */
function send(message: ToPrimary): Promise<void> {
  return new Promise((resolve) => {
    if (!process.connected || process.send === undefined) return resolve();
    process.send(message, undefined, undefined, () => resolve());
  });
}
