import type { CacheEntry } from "../../ports/record-cache.ts";
import type { SharedCache, SharedCacheListener } from "../../ports/shared-cache.ts";
import { mapInTurns } from "../../turns.ts";
import { announce, roundTrips } from "./announce.ts";
import type { Circuit, RedisOptions } from "./circuit.ts";
import { decodeEntry, encodeEntry } from "./encoding.ts";
import type { Link } from "./link.ts";
import { decodeMessage, encodeMessage } from "./messages.ts";
import { createNames } from "./names.ts";

export interface RedisSharedCacheOptions extends RedisOptions {
  /** How long Redis keeps an entry beyond its deadline, for outages of the store. */
  readonly graceMs?: number;
}

/** Changes that are encoded at once: less than a millisecond of work. */
const fewChanges = 8;
/** Maximum fills in progress. Further ones are dropped, because a flood of them would delay the reads. */
const maxFillsUnderWay = 1000;

/** The shared cache. Closing it also closes the circuit. */
export function createRedisSharedCache(circuit: Circuit, options: RedisSharedCacheOptions): SharedCache {
  const { graceMs = 60_000, clock = Date.now } = options;
  const { channel, entry: entryName } = createNames(options.namespace);
  let fillsUnderWay = 0;

  const lifeMs = ({ deadlineMs }: CacheEntry): number => {
    const nowMs = clock();
    return deadlineMs <= nowMs ? 0 : Math.ceil(deadlineMs + graceMs - nowMs);
  };

  return {
    get cacheId() {
      return circuit.link?.cacheId ?? null;
    },

    async read(generation, tenant, keyIds) {
      const names = keyIds.map((keyId) => entryName(generation, tenant, keyId));
      const answer = await circuit.attempt((link) => readEntries(link, channel, names));
      if (answer === null || answer.link !== circuit.link) return null;
      const entries = answer.result.map((bytes, index) => (bytes === null ? undefined : decodeEntry(bytes, keyIds[index] as string)));
      return { cacheId: answer.link.cacheId, entries };
    },

    fill(generation, tenant, keyId, entry) {
      const life = lifeMs(entry);
      if (circuit.link === null || life === 0 || fillsUnderWay >= maxFillsUnderWay) return;
      const name = entryName(generation, tenant, keyId);
      const bytes = encodeEntry(entry);
      fillsUnderWay += 1;
      void circuit
        .attempt((link) => link.nodeOf(name).kwPut(name, bytes, life))
        .finally(() => {
          fillsUnderWay -= 1;
        });
    },

    async announce(generation, tenant, changes) {
      const announcementOf = ([keyId, entry]: (typeof changes)[number]) => ({
        name: entryName(generation, tenant, keyId),
        entry: encodeEntry(entry),
        lifeMs: lifeMs(entry),
        message: encodeMessage({ kind: "change", tenant, keyId, revision: entry.revision }),
      });
      // A few do not wait for a turn behind long work.
      const announcements = changes.length > fewChanges ? await mapInTurns(changes, announcementOf) : changes.map(announcementOf);
      let takenBy: Link | null = null;
      for (const part of roundTrips(announcements)) {
        const answer = await circuit.attempt((link) => announce(link, channel, part));
        if (answer === null || (takenBy !== null && answer.link !== takenBy)) return null;
        takenBy = answer.link;
      }
      return takenBy?.cacheId ?? null;
    },

    beat(beatId) {
      const message = encodeMessage({ kind: "beat", beatId });
      void circuit.attempt((link): Promise<unknown> => {
        const node = link.nodeOf(channel);
        return link.isCluster ? node.spublish(channel, message) : node.publish(channel, message);
      });
    },

    subscribe: passMessages(circuit),

    async close() {
      circuit.close();
    },
  };
}

/** Passes messages to the subscriber. A link that opens or closes is a gap, and so is a message that cannot be read. */
function passMessages(circuit: Circuit): SharedCache["subscribe"] {
  let listener: SharedCacheListener | null = null;
  const onGap = () => listener?.onGap();
  circuit.attach({
    onUp: onGap,
    onDown: onGap,
    onMessage(text, { cacheId }) {
      const message = decodeMessage(text);
      if (message === undefined) listener?.onGap();
      else if (message.kind === "beat") listener?.onBeat(message.beatId, cacheId);
      else listener?.onChange(message.tenant, message.keyId, message.revision);
    },
  });
  return (toWhom) => {
    listener = toWhom;
  };
}

async function readEntries(link: Link, channel: string, names: readonly string[]): Promise<(Buffer | null)[]> {
  if (names.length > 1 && !link.isCluster) return link.nodeOf(channel).mgetBuffer([...names]);
  return Promise.all(names.map((name) => link.nodeOf(name).getBuffer(name)));
}
