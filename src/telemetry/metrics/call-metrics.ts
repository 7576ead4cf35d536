import type { Registry } from "./registry.ts";

/** Upper bounds in seconds, from a cached verification to a call slow enough for complaints. */
const callBuckets = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const batchBuckets = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

/** Metrics of connections, request bodies, and calls. */
export function callMetrics({ counter, gauge, histogram }: Registry) {
  return {
    connections: gauge({ name: "keywright_connections", help: "Open client connections." }),
    bodyBytes: gauge({
      name: "keywright_request_body_bytes",
      help: "Memory used by the request bodies of calls in progress.",
    }),
    bodiesRefused: counter({
      name: "keywright_request_bodies_refused_total",
      help: "Request bodies refused with TOO_MANY_BODIES because the memory for bodies was used up.",
    }),

    connectionsRefused: counter({
      name: "keywright_connections_refused_total",
      help: "Connections that were closed. Reason address: the client's address used up its share; process: no place was left; displaced: an anonymous one made room.",
      labels: ["reason"],
    }),

    rpcCalls: counter({
      name: "keywright_rpc_calls_total",
      help: "Finished calls by method, protocol and code.",
      labels: ["rpc", "protocol", "code"],
    }),
    rpcDuration: histogram({
      name: "keywright_rpc_duration_seconds",
      help: "Time from the headers of a call to its encoded answer.",
      labels: ["rpc", "protocol", "code"],
      buckets: callBuckets,
    }),
    rpcInFlight: gauge({ name: "keywright_rpc_in_flight", help: "Calls in progress.", labels: ["rpc", "protocol"] }),

    faults: counter({
      name: "keywright_faults_total",
      help: "Faults of the service outside of counted calls: in streams, in health, after a deadline, or while a response was written.",
    }),

    verifications: counter({
      name: "keywright_verifications_total",
      help: "Verified credentials. Outcome: valid, or the reason for refusal; credential: the kind that was presented, none if it cannot be a credential.",
      labels: ["credential", "outcome"],
    }),

    batchSize: histogram({
      name: "keywright_batch_verify_credentials",
      help: "Number of credentials in a batch verification.",
      buckets: batchBuckets,
    }),
  };
}
