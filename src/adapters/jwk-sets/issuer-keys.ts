import { setTimeout as delay } from "node:timers/promises";
import { createOutageLog } from "../../outage-log.ts";
import type { IssuerKeySet, IssuerKeys } from "../../ports/issuer-keys.ts";
import { createKeySetReader, type KeySetReaderOptions, parseObject } from "./key-set-reader.ts";
import { readSource } from "./source.ts";

export interface IssuerKeysOptions extends Omit<KeySetReaderOptions, "read"> {
  readonly allowsPrivateAddresses: boolean;
}

const limits = { timeoutMs: 3000, maxBytes: 262_144 };
const maxKeys = 200;
/** Keys older than this are fetched again, while the known ones are used. */
const maxAgeMs = 300_000;
/**
 * Keys whose last fetch ended before this, because no token came, are fetched before they are used again. Longer than `maxAgeMs` and a
 * fetch. So a key that the issuer removed is trusted for at most this long while the issuer answers.
 */
const maxUncheckedMs = maxAgeMs + 10_000;
/** Minimum time between the starts of two fetches, so that tokens with invented key ids cost the issuer little. */
const minIntervalMs = 2000;
const maxWaiting = 1000;

export function createIssuerKeys(options: IssuerKeysOptions): IssuerKeys {
  const { name, monotonicMs, log } = options;
  const read = (uri: string) => readSource(uri, { ...limits, allowsPrivateAddresses: options.allowsPrivateAddresses });
  let known: IssuerKeySet | null = null;
  let text = "";
  let fetchTimeMs = Number.NEGATIVE_INFINITY;
  let fetchEndMs = Number.NEGATIVE_INFINITY;
  let running: Promise<IssuerKeySet> | undefined;
  let next: Promise<IssuerKeySet> | undefined;
  const outage = createOutageLog(log, monotonicMs);
  const keySet = createKeySetReader({ ...options, read });
  const wait = createWaits();

  const fetchSet = async (): Promise<IssuerKeySet> => {
    try {
      const newer = await keySet.read();
      if (known === null || newer !== text) known = keySetOf(newer);
      text = newer;
      outage.over({ issuer: name }, "keys of an issuer are fetched again");
      return known;
    } catch (error) {
      keySet.discoverAgain();
      outage.failed({ issuer: name, reason: (error as Error).message }, "keys of an issuer could not be fetched; the last ones are kept");
      throw error;
    }
  };

  const begin = (): Promise<IssuerKeySet> => {
    fetchTimeMs = monotonicMs();
    const fetching = fetchSet().finally(() => {
      running = undefined;
      fetchEndMs = monotonicMs();
    });
    running = fetching;
    return fetching;
  };

  const isUnchecked = () => monotonicMs() - fetchEndMs > maxUncheckedMs;
  const checked = () => (running ?? begin()).catch((error: unknown) => known ?? Promise.reject(error));

  /** All callers that ask before the next fetch starts share it. */
  const schedule = async (): Promise<IssuerKeySet> => {
    await running?.catch(() => {});
    const waitMs = fetchTimeMs + minIntervalMs - monotonicMs();
    if (waitMs > 0) await delay(waitMs, undefined, { ref: false });
    next = undefined;
    return running ?? begin();
  };

  return {
    current() {
      if (known !== null && running === undefined && monotonicMs() - fetchTimeMs > maxAgeMs) begin().catch(() => {});
      return isUnchecked() ? null : known;
    },
    refresh() {
      if (running === undefined && next === undefined && monotonicMs() - fetchTimeMs > minIntervalMs) begin().catch(() => {});
    },
    fetchNewer: () =>
      wait(() => {
        if (isUnchecked()) return checked();
        next ??= schedule();
        return next;
      }),
    async fetchUnlessRecent() {
      const isRecent = running === undefined && monotonicMs() - fetchTimeMs <= minIntervalMs;
      if (!isRecent) return wait(() => running ?? begin());
      if (outage.isOn || known === null) throw new Error("the keys of the issuer could not be fetched");
      return known;
    },
  };
}

/**
 * Returns a function that waits for a fetch. It rejects at once if `maxWaiting` callers are waiting, also if keys are known: a token that
 * waits names a key that is not among them, or they are so old that the issuer may have removed the token's key.
 */
function createWaits(): (fetching: () => Promise<IssuerKeySet>) => Promise<IssuerKeySet> {
  let waitingCount = 0;
  return async (fetching) => {
    if (waitingCount >= maxWaiting) throw new Error("too many callers wait for the keys of the issuer");
    waitingCount += 1;
    try {
      return await fetching();
    } finally {
      waitingCount -= 1;
    }
  };
}

function keySetOf(text: string): IssuerKeySet {
  const { keys } = parseObject(text);
  if (!Array.isArray(keys) || keys.length > maxKeys) throw new Error(`the key set must have a list of at most ${maxKeys} keys`);
  const isKey = (key: unknown): key is Record<string, unknown> =>
    typeof key === "object" && key !== null && "kty" in key && key.kty !== "oct";
  const usable = keys.filter(isKey);
  return { keys: usable, kids: new Set(usable.flatMap(({ kid }) => (typeof kid === "string" ? [kid] : []))) };
}
