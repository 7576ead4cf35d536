import { setTimeout as delay } from "node:timers/promises";
import type { IssuerKeySet, IssuerKeys } from "../../ports/issuer-keys.ts";
import type { Log } from "../../ports/log.ts";
import { readSource } from "./source.ts";

export interface IssuerKeysOptions {
  /** The issuer's name in the configuration, for the log. */
  readonly name: string;
  readonly issuer: string;
  /** If null, the issuer's discovery document names it. */
  readonly jwksUri: string | null;
  readonly allowsPrivateAddresses: boolean;
  readonly monotonicMs: () => number;
  readonly log: Pick<Log, "warn">;
}

const limits = { timeoutMs: 3000, maxBytes: 262_144 };
const maxKeys = 200;
/** Keys older than this are fetched again, while the known ones are used. */
const maxAgeMs = 300_000;
/**
 * Keys whose last fetch ended before this, because no token came, are fetched before they are used again. Longer than `maxAgeMs` and a fetch.
 * So a key that the issuer removed is trusted for at most this long while the issuer answers.
 */
const maxUncheckedMs = maxAgeMs + 10_000;
/** Minimum time between the starts of two fetches, so that tokens with invented key ids cost the issuer little. */
const minIntervalMs = 2000;
const maxWaiting = 1000;

export function createIssuerKeys(options: IssuerKeysOptions): IssuerKeys {
  const { monotonicMs } = options;
  const read = (uri: string) => readSource(uri, { ...limits, allowsPrivateAddresses: options.allowsPrivateAddresses });
  let known: IssuerKeySet | null = null;
  let text = "";
  let fetchTimeMs = Number.NEGATIVE_INFINITY;
  let fetchEndMs = Number.NEGATIVE_INFINITY;
  const place = createPlace(options, read);
  let running: Promise<IssuerKeySet> | undefined;
  let next: Promise<IssuerKeySet> | undefined;
  const outage = createOutage(options);
  const wait = createWaits();

  const fetchSet = async (): Promise<IssuerKeySet> => {
    try {
      const newer = await read(await place.find());
      if (known === null || newer !== text) known = keySetOf(newer);
      text = newer;
      outage.end();
      return known;
    } catch (error) {
      place.forget();
      outage.note(error as Error);
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
      if (outage.isOn() || known === null) throw new Error("the keys of the issuer could not be fetched");
      return known;
    },
  };
}

/**
 * Finds the URL of an issuer's keys. Reads the discovery document again from time to time, because an issuer that moves its keys may still
 * serve the old ones where they were.
 */
function createPlace({ issuer, jwksUri, monotonicMs }: IssuerKeysOptions, read: (uri: string) => Promise<string>) {
  let found = jwksUri;
  let findTimeMs = Number.NEGATIVE_INFINITY;
  const forget = () => {
    found = jwksUri;
  };
  return {
    async find(): Promise<string> {
      if (monotonicMs() - findTimeMs > maxAgeMs) forget();
      if (found !== null) return found;
      findTimeMs = monotonicMs();
      found = jwksUriOf(await read(discoveryUri(issuer)), issuer);
      return found;
    },
    forget,
  };
}

/** Logs why fetches fail: once in an outage, because callers may cause a fetch every two seconds. */
function createOutage({ name, log }: IssuerKeysOptions) {
  /** Why the last fetch failed; null if it did not. */
  let reason: string | null = null;
  return {
    isOn: () => reason !== null,
    end() {
      reason = null;
    },
    note({ message }: Error) {
      if (message !== reason) log.warn({ issuer: name, reason: message }, "keys of an issuer could not be fetched; the last ones are kept");
      reason = message;
    },
  };
}

/** Returns a function that waits for a fetch. It rejects at once if `maxWaiting` callers are waiting. */
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

/** OpenID Connect Discovery 1.0, section 4: appended to the issuer's path. */
function discoveryUri(issuer: string): string {
  return `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
}

function jwksUriOf(text: string, issuer: string): string {
  const document = objectOf(text);
  if (document.issuer !== issuer) throw new Error("the discovery document is of another issuer");
  const uri = document.jwks_uri;
  if (typeof uri !== "string" || !/^https?:\/\//.test(uri) || !URL.canParse(uri)) throw new Error("the discovery document has no jwks_uri");
  return uri;
}

function keySetOf(text: string): IssuerKeySet {
  const { keys } = objectOf(text);
  if (!Array.isArray(keys) || keys.length > maxKeys) throw new Error(`the key set must have a list of at most ${maxKeys} keys`);
  const isKey = (key: unknown): key is Record<string, unknown> =>
    typeof key === "object" && key !== null && "kty" in key && key.kty !== "oct";
  const usable = keys.filter(isKey);
  return { keys: usable, kids: new Set(usable.flatMap(({ kid }) => (typeof kid === "string" ? [kid] : []))) };
}

function objectOf(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error("the answer is not JSON");
  }
  if (typeof value !== "object" || value === null) throw new Error("the answer is not a JSON object");
  return value as Record<string, unknown>;
}
