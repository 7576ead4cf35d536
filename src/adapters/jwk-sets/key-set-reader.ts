import { createOutageLog } from "../../outage-log.ts";
import type { Log } from "../../ports/log.ts";

/** Time after which the discovery document is read again. */
const maxAgeMs = 300_000;

export interface KeySetReaderOptions {
  /** The issuer's name in the configuration, for the log. */
  readonly name: string;
  readonly issuer: string;
  /** If null, the issuer's discovery document names it. */
  readonly jwksUri: string | null;
  readonly read: (uri: string) => Promise<string>;
  readonly monotonicMs: () => number;
  readonly log: Pick<Log, "info" | "warn">;
}

export interface KeySetReader {
  read(): Promise<string>;
  /** Call it if `read` rejects, or if its text is not a JWK Set: perhaps the keys have moved. The next `read` discovers again. */
  discoverAgain(): void;
}

/**
 * Reads the JWK Set of an issuer. Reads the discovery document again from time to time, because an issuer that moves its keys may still
 * serve the old ones where they were. If only that read fails, it uses the last known URL.
 */
export function createKeySetReader({ name, issuer, jwksUri, read, monotonicMs, log }: KeySetReaderOptions): KeySetReader {
  let location = jwksUri;
  let discoveryTimeMs = Number.NEGATIVE_INFINITY;
  const outage = createOutageLog(log, monotonicMs);

  const discover = async (): Promise<string> => {
    const startMs = monotonicMs();
    const found = jwksUriOf(await read(discoveryUri(issuer)), issuer);
    discoveryTimeMs = startMs;
    location = found;
    return found;
  };

  return {
    async read() {
      const last = location;
      if (last === null) return read(await discover());
      if (jwksUri !== null || monotonicMs() - discoveryTimeMs <= maxAgeMs) return read(last);
      // Both at once, so that callers wait for one timeout if the issuer hangs.
      const [found, text] = await Promise.allSettled([discover(), read(last)]);
      if (found.status === "fulfilled") {
        outage.over({ issuer: name }, "the discovery document of an issuer is read again");
        if (found.value !== last) return read(found.value);
      } else {
        const { message } = found.reason as Error;
        outage.failed(
          { issuer: name, reason: message },
          "the discovery document of an issuer could not be read; its last jwks_uri is used",
        );
      }
      if (text.status === "rejected") throw text.reason;
      return text.value;
    },
    discoverAgain() {
      discoveryTimeMs = Number.NEGATIVE_INFINITY;
    },
  };
}

/** OpenID Connect Discovery 1.0, section 4: appended to the issuer's path. */
function discoveryUri(issuer: string): string {
  return `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
}

function jwksUriOf(text: string, issuer: string): string {
  const document = parseObject(text);
  if (document.issuer !== issuer) throw new Error("the discovery document is of another issuer");
  const uri = document.jwks_uri;
  if (typeof uri !== "string" || !/^https?:\/\//.test(uri) || !URL.canParse(uri)) throw new Error("the discovery document has no jwks_uri");
  return uri;
}

/** Parses a JSON object. Throws an Error that quotes nothing. */
export function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error("the answer is not JSON");
  }
  if (typeof value !== "object" || value === null) throw new Error("the answer is not a JSON object");
  return value as Record<string, unknown>;
}
