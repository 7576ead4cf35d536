import type { Link } from "./link.ts";

/** A change on its way to the servers. */
export interface Announcement {
  readonly name: string;
  readonly entry: Buffer;
  /** 0 keeps nothing, and removes what is older. */
  readonly lifeMs: number;
  readonly message: string;
}

/** Redis does nothing else during a round trip, and each has to be over before the time-out of a command. */
const maxAnnouncements = 250;
const maxBytes = 256 * 1024;

/** Parts of which each is one round trip. */
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

/** Keeps the entries and publishes the messages. */
export async function announce(link: Link, channel: string, announcements: readonly Announcement[]): Promise<void> {
  if (link.isCluster) {
    // One after the other: a process that hears of a change before it is in place would read, and keep, the old entry.
    await Promise.all(announcements.map(({ name, entry, lifeMs }) => link.nodeOf(name).kwPut(name, entry, lifeMs)));
    await Promise.all(announcements.map(({ message }) => link.nodeOf(channel).spublish(channel, message)));
    return;
  }
  const names = announcements.map(({ name }) => name);
  const values = announcements.flatMap(({ entry, lifeMs, message }) => [entry, lifeMs, message]);
  await link.nodeOf(channel).kwAnnounce(names.length, ...names, channel, ...values);
}
