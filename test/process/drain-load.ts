import { Agent, request } from "node:http";
import type { ServerProcess } from "../support/server-process.ts";
import { grpcClient } from "./key-client.ts";

/** What one kind of client saw until the server was gone. Each request issues a key with a unique `actor_id`. */
export interface LoadOutcome {
  readonly acknowledged: string[];
  /** Answered with an error. */
  readonly refused: string[];
  /** Not answered: the connection was closed or could not be opened. Such a request must not have been accepted. */
  readonly unanswered: string[];
}

export interface Load {
  /** Grows until `done`. */
  readonly outcome: LoadOutcome;
  /** Resolves once the clients can no longer reach the server. */
  readonly done: Promise<void>;
}

export const issuePath = "/v2alpha1/admin/issuedApiKeys";

/** Node's HTTP/1.1 client with kept-alive connections. */
export function http1Load({ port, adminToken }: ServerProcess, connections: number): Load {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const issue = (actorId: string) =>
    new Promise<number>((resolve, reject) => {
      const headers = { authorization: `Bearer ${adminToken}`, "content-type": "application/json" };
      const outgoing = request({ port, host: "127.0.0.1", path: issuePath, method: "POST", agent, headers }, (response) => {
        response.resume().once("end", () => resolve(response.statusCode ?? 0));
        response.once("error", reject);
      });
      outgoing.once("error", reject);
      outgoing.end(JSON.stringify({ actor_id: actorId }));
    });
  return loop(
    connections,
    "http1",
    async (actorId) => ((await issue(actorId)) === 201 ? "acknowledged" : "refused"),
    () => agent.destroy(),
  );
}

/** A gRPC client library, which opens a new connection when the server announces that it closes the old one. */
export function grpcLoad(server: ServerProcess, streams: number): Load {
  const client = grpcClient(server);
  const step = async (actorId: string) => {
    await client.issue(actorId);
    return "acknowledged" as const;
  };
  return loop(streams, "grpc", step, () => client.close());
}

/** Each of `width` callers sends one request after the other until one is not answered. */
export function loop(
  width: number,
  name: string,
  issue: (actorId: string) => Promise<keyof LoadOutcome | "stop">,
  close: () => void | Promise<void>,
): Load {
  const outcome: LoadOutcome = { acknowledged: [], refused: [], unanswered: [] };
  const caller = async (callerNumber: number) => {
    for (let count = 0; ; count += 1) {
      const actorId = `${name}-${callerNumber}-${count}`;
      const result = await issue(actorId).catch(() => "unanswered" as const);
      if (result === "stop") return;
      outcome[result].push(actorId);
      if (result === "unanswered") return;
    }
  };
  const callers = Array.from({ length: width }, (_, index) => caller(index));
  return { outcome, done: Promise.all(callers).then(close) };
}
