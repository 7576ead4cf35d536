import { hash, timingSafeEqual } from "node:crypto";
import type { Caller } from "../../call/call.ts";
import type { Clock } from "../../ports/clock.ts";

/** A bearer token of which only the SHA-256 is known. */
export interface KnownToken extends Caller {
  readonly sha256: Uint8Array;
  /** The token is refused from this time on. Null: never. */
  readonly expireTimeMs: number | null;
}

const bearer = /^bearer +([\w~+/.-]+=*) *$/i;

/** Returns the token of an Authorization header (RFC 6750), or undefined if there is none. */
export function bearerTokenOf(authorization: string | undefined): string | undefined {
  return bearer.exec(authorization ?? "")?.[1];
}

/**
 * The SHA-256 of a token, a character for each byte. Not "buffer": Node allocates that outside of its pool of small buffers, which costs
 * more than the hash (bench/micro.ts).
 */
export function digestOf(token: string): string {
  return hash("sha256", token, "binary");
}

/** Compares with every known token, so that the duration does not show which one was similar. `digest` is that of `digestOf`. */
export function callerOfToken(tokens: readonly KnownToken[], digest: string, clock: Clock): Caller | undefined {
  const sha256 = Buffer.from(digest, "latin1");
  let found: KnownToken | undefined;
  for (const known of tokens) {
    if (timingSafeEqual(sha256, known.sha256)) found = known;
  }
  return found === undefined || (found.expireTimeMs !== null && found.expireTimeMs <= clock()) ? undefined : found;
}
