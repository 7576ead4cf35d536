import type { Link } from "./link.ts";

/** A change on its way to the servers. */
export interface Telling {
  readonly name: string;
  readonly entry: Buffer;
  /** 0 keeps nothing, and removes what is older. */
  readonly lifeMs: number;
  readonly message: string;
}

/** Redis does nothing else during a round trip, and each has to be over before the time-out of a command. */
const maxTellings = 250;
const maxBytes = 256 * 1024;

/** Parts of which each is one round trip. */
export function roundTrips(tellings: readonly Telling[]): Telling[][] {
  const parts: Telling[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const telling of tellings) {
    const last = parts.at(-1);
    bytes += telling.entry.length;
    if (last !== undefined && last.length < maxTellings && bytes <= maxBytes) {
      last.push(telling);
    } else {
      parts.push([telling]);
      bytes = telling.entry.length;
    }
  }
  return parts;
}

/** Keeps the entries and publishes the messages. */
export async function tell(link: Link, channel: string, tellings: readonly Telling[]): Promise<void> {
  if (link.isCluster) {
    // One after the other: whoever hears of a change before it is in place would read, and keep, the old entry.
    await Promise.all(tellings.map(({ name, entry, lifeMs }) => link.nodeOf(name).kwPut(name, entry, lifeMs)));
    await Promise.all(tellings.map(({ message }) => link.nodeOf(channel).spublish(channel, message)));
    return;
  }
  const names = tellings.map(({ name }) => name);
  const values = tellings.flatMap(({ entry, lifeMs, message }) => [entry, lifeMs, message]);
  await link.nodeOf(channel).kwTell(names.length, ...names, channel, ...values);
}
