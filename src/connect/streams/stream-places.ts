import type { Writable } from "node:stream";
import { Failure } from "../../error/failure.ts";
import { networkOfClient } from "../../http/client-address.ts";
import type { HttpRequest } from "../../http/message.ts";

/** Takes a place for a stream until `sink` closes. Returns TOO_MANY_STREAMS if the client has none left. */
export type TakePlace = (request: HttpRequest, sink: Writable) => Failure | undefined;

/** Bounds the open streams of one network, so that nobody takes the places of all clients: each stream costs about 40 KB. */
export function createStreamPlaces(maxPerNetwork: number, trustedProxies: readonly string[]): TakePlace {
  const counts = new Map<string, number>();
  const add = (network: string, change: 1 | -1): void => {
    const count = (counts.get(network) ?? 0) + change;
    if (count === 0) counts.delete(network);
    else counts.set(network, count);
  };

  return (request, sink) => {
    const network = networkOfClient(request, trustedProxies);
    if ((counts.get(network) ?? 0) >= maxPerNetwork) return new Failure("TOO_MANY_STREAMS");
    add(network, 1);
    sink.once("close", () => add(network, -1));
    return undefined;
  };
}
