import { MalformedJwkSetsError, readJwkSets } from "../../core/token/jwk-set.ts";
import { createOutageLog, type OutageLog } from "../../outage-log.ts";
import type { Log } from "../../ports/log.ts";
import type { TokenKeySource } from "../../ports/token-keys.ts";
import { privateAddress } from "./address.ts";
import { canChange, isRemote, placeBefore, readSource } from "./source.ts";

export interface TokenKeysOptions {
  /** At least one. Each is a `file://`, `https://` or `base64://` URI. */
  readonly uris: readonly string[];
  /** Interval at which sets that can change are read again. It varies by a tenth, so that many processes do not ask at once. */
  readonly refreshMs: number;
  readonly allowsPrivateAddresses: boolean;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly monotonicMs: () => number;
  readonly log: Pick<Log, "info" | "warn">;
}

/** Maximum deviation, as a share of `refreshMs`. */
const jitter = 0.1;
const limits = { timeoutMs: 5000, maxBytes: 262_144 };

/**
 * Reads the JWK Sets, and reads them again until it is closed. If a later read fails, or the sets are malformed, it logs this and keeps the
 * keys that it has. If the first read fails, it rejects with MalformedJwkSetsError, or with a plain Error if the only cause is a server
 * that did not answer.
 */
export async function openTokenKeys(options: TokenKeysOptions): Promise<TokenKeySource> {
  const { uris, refreshMs, random, monotonicMs, log } = options;
  const read = (uri: string) => readSource(uri, { ...limits, allowsPrivateAddresses: options.allowsPrivateAddresses });
  const place = (index: number) => (uris.length > 1 ? `item ${index + 1} ` : "");
  let texts = await firstTexts(uris, read, place);
  let keys = await readJwkSets(texts);

  let failedRefreshCount = 0;
  const sets = uris.map(() => createOutageLog(log, monotonicMs));
  const all = createOutageLog(log, monotonicMs);

  const refresh = async () => {
    const readAgain = await Promise.allSettled(uris.map((uri, index) => (canChange(uri) ? read(uri) : (texts[index] as string))));
    const newer = readAgain.map((outcome, index) => {
      const outage = sets[index] as OutageLog;
      if (outcome.status === "fulfilled") {
        outage.over({}, `signing keys: ${place(index)}can be read again`);
        return outcome.value;
      }
      failedRefreshCount += 1;
      const reason = reasonOf(uris[index] as string, outcome);
      outage.failed({ reason }, `signing keys: ${place(index)}could not be read again; its last keys are kept`);
      return texts[index] as string;
    });
    try {
      if (newer.some((text, index) => text !== texts[index])) {
        keys = await readJwkSets(newer);
        texts = newer;
        log.info({ signer: keys.signer.kid, keys: [...keys.byKid.keys()] }, "signing keys changed");
      }
      if (readAgain.every(({ status }) => status === "fulfilled")) all.over({}, "signing keys can be used again");
    } catch (error) {
      // Any other error may quote a key, and must not end the process either.
      const problems = error instanceof MalformedJwkSetsError ? error.problems : ["cannot be used"];
      failedRefreshCount += 1;
      all.failed({ problems }, "signing keys are malformed; keeping the previous keys");
    }
  };

  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;
  const schedule = () => {
    if (isClosed) return;
    timer = setTimeout(() => void refresh().finally(schedule), refreshMs * (1 + jitter * (2 * random() - 1)));
    timer.unref();
  };
  if (uris.some(canChange)) schedule();

  return {
    current: () => keys,
    get failedRefreshCount() {
      return failedRefreshCount;
    },
    close() {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}

async function firstTexts(
  uris: readonly string[],
  read: (uri: string) => Promise<string>,
  place: (index: number) => string,
): Promise<string[]> {
  const outcomes = await Promise.allSettled(uris.map(read));
  const problems: string[] = [];
  const texts = outcomes.map((outcome, index) => {
    if (outcome.status === "fulfilled") return outcome.value;
    problems.push(`${place(index)}cannot be read: ${reasonOf(uris[index] as string, outcome)}`);
    return "";
  });
  if (problems.length === 0) return texts;
  // A restart helps only if a server did not answer.
  const mayPass = outcomes.every(
    (outcome, index) => outcome.status === "fulfilled" || (isRemote(uris[index] as string) && outcome.reason.message !== privateAddress),
  );
  throw mayPass ? new Error(problems.join("; ")) : new MalformedJwkSetsError(problems);
}

function reasonOf(uri: string, { reason }: PromiseRejectedResult): string {
  return placeBefore(uri) + (reason as Error).message;
}
