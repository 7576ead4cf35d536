import type { Link } from "./link.ts";

/** A change on its way to the servers. */
export interface Announcement {
  readonly name: string;
  readonly entry: Buffer;
  /** 0 stores nothing, and removes anything older. */
  readonly lifeMs: number;
  readonly message: string;
}

/** Redis does nothing else while it runs a script, and each round trip must end before the time-out of a command. */
const maxAnnouncements = 250;
const maxBytes = 256 * 1024;

/** Splits announcements into parts of one round trip each. */
export function roundTrips(announcements: readonly Announcement[]): Announcement[][] {
  const parts: Announcement[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const announcement of announcements) {
    const last = parts.at(-1);
    bytes += announcement.entry.length;
    if (last !== undefined && last.length < maxAnnouncements && bytes <= maxBytes) {
      last.push(announcement);
    } else {
      parts.push([announcement]);
      bytes = announcement.entry.length;
    }
  }
  return parts;
}

/** Stores the entries and publishes the messages. */
export async function announce(link: Link, channel: string, announcements: readonly Announcement[]): Promise<void> {
  if (link.isCluster) {
    // In this order: a process that receives a change before the entry is stored would read, and keep, the old entry.
    await Promise.all(announcements.map(({ name, entry, lifeMs }) => link.nodeOf(name).kwPut(name, entry, lifeMs)));
    await Promise.all(announcements.map(({ message }) => link.nodeOf(channel).spublish(channel, message)));
    return;
  }
  const names = announcements.map(({ name }) => name);
  const values = announcements.flatMap(({ entry, lifeMs, message }) => [entry, lifeMs, message]);
  await link.nodeOf(channel).kwAnnounce(names.length, ...names, channel, ...values);
}
