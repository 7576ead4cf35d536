import { MalformedJwkSetsError, readJwkSets } from "../../core/token/jwk-set.ts";
import type { TokenKeySource } from "../../ports/token-keys.ts";
import { privateAddress } from "./address.ts";
import { canChange, isRemote, readSource } from "./source.ts";

export interface TokenKeysOptions {
  /** At least one, each `file://`, `https://` or `base64://`. */
  readonly uris: readonly string[];
  /** How often sets that can change are read again; a tenth more or less each time, so that many processes do not ask at once. */
  readonly refreshMs: number;
  readonly allowsPrivateAddresses: boolean;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly log: Record<"info" | "warn", (fields: Readonly<Record<string, unknown>>, message: string) => void>;
}

const limits = { timeoutMs: 5000, maxBytes: 262_144 };

/**
 * Reads the JWK Sets, and reads them again for as long as it is not closed: a set that cannot be read, or sets that are malformed, leave the
 * keys as they are and are logged. Rejects at the start with MalformedJwkSetsError, with a plain Error if only a server did not answer.
 */
export async function openTokenKeys(options: TokenKeysOptions): Promise<TokenKeySource> {
  const { uris, refreshMs, random, log } = options;
  const read = (uri: string) => readSource(uri, { ...limits, allowsPrivateAddresses: options.allowsPrivateAddresses });
  const place = (index: number) => (uris.length > 1 ? `item ${index + 1} ` : "");
  let texts = await firstTexts(uris, read, place);
  let keys = await readJwkSets(texts);

  let failedRefreshCount = 0;

  const refresh = async () => {
    const readAgain = await Promise.allSettled(uris.map((uri, index) => (canChange(uri) ? read(uri) : (texts[index] as string))));
    const newer = readAgain.map((outcome, index) => {
      if (outcome.status === "fulfilled") return outcome.value;
      failedRefreshCount += 1;
      log.warn(
        { reason: (outcome.reason as Error).message },
        `signing keys: ${place(index)}could not be read again; its last keys are kept`,
      );
      return texts[index] as string;
    });
    if (newer.every((text, index) => text === texts[index])) return;
    try {
      const changed = await readJwkSets(newer);
      texts = newer;
      keys = changed;
      log.info({ signer: keys.signer.kid, keys: [...keys.byKid.keys()] }, "signing keys changed");
    } catch (error) {
      // An error of another kind may quote a key, and must not end the process either.
      failedRefreshCount += 1;
      const problems = error instanceof MalformedJwkSetsError ? error.problems : ["cannot be used"];
      log.warn({ problems }, "signing keys are malformed; keeping the previous keys");
    }
  };

  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;
  const schedule = () => {
    if (isClosed) return;
    timer = setTimeout(() => void refresh().finally(schedule), refreshMs * (0.9 + 0.2 * random()));
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
    problems.push(`${place(index)}cannot be read (${(outcome.reason as Error).message})`);
    return "";
  });
  if (problems.length === 0) return texts;
  // Starting again helps against a server that does not answer, and only against that.
  const mayPass = outcomes.every(
    (outcome, index) => outcome.status === "fulfilled" || (isRemote(uris[index] as string) && outcome.reason.message !== privateAddress),
  );
  throw mayPass ? new Error(problems.join("; ")) : new MalformedJwkSetsError(problems);
}
