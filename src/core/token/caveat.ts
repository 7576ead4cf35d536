import { areRanges } from "../range-list.ts";
import { parseRfc3339 } from "../rfc3339.ts";
import { type TokenFacts, type TokenNarrowing, unnarrowed } from "./facts.ts";

/** In all caveats together, as many as a key may be bound to: every verification goes through them. */
const maxCidrs = 100;

/**
 * Reads caveats, each one a line of this grammar, with single spaces:
 *
 *     time < 2026-01-31T12:00:00Z        before this moment (RFC 3339, years 1 to 9999)
 *     time > 2026-01-31T06:00:00Z        after this moment
 *     scope = read write                 at most these scopes
 *     ip in 10.0.0.0/8 192.0.2.7/32      from an address in one of these ranges
 *     audience = https://files.example   in a verification for this audience
 *     key_id = 01KAS4D9N4XJ8M2V6T0QZ3R7YB, actor_id = user_123
 *                                        where the issuer says the same
 *
 * Null where one of them is not of the grammar, or pins what is not so: what cannot be understood cannot be honoured. All of them hold, whatever
 * their order, and each only takes away, so that there is nothing a holder could write here to get more than the issuer gave.
 */
export function readCaveats(caveats: readonly Uint8Array[], facts: TokenFacts): TokenNarrowing | null {
  let narrowing: TokenNarrowing | null = unnarrowed;
  for (const caveat of caveats) {
    const [, predicate = "", value = ""] = /^(\w+ \S+) (\P{Cc}+)$/u.exec(textOf(caveat)) ?? [];
    narrowing = predicates.get(predicate)?.(narrowing, value, facts) ?? null;
    if (narrowing === null) return null;
  }
  return narrowing;
}

/** What binds a token to clients and audiences, said again for one that is derived from it; scopes and times become facts of that one. */
export function bindingCaveats({ clientCidrs, audiences }: TokenNarrowing): string[] {
  return [...clientCidrs.map((cidrs) => `ip in ${cidrs.join(" ")}`), ...audiences.map((audience) => `audience = ${audience}`)];
}

/** Null where the value is not what the predicate takes. */
type Narrow = (narrowing: TokenNarrowing, value: string, facts: TokenFacts) => TokenNarrowing | null;

const predicates: ReadonlyMap<string, Narrow> = new Map<string, Narrow>([
  [
    "time <",
    (narrowing, value) => {
      const timeMs = parseRfc3339(value);
      return timeMs === null ? null : { ...narrowing, expireTimeMs: Math.min(timeMs, narrowing.expireTimeMs ?? timeMs) };
    },
  ],
  [
    "time >",
    (narrowing, value) => {
      const timeMs = parseRfc3339(value);
      // A millisecond more, as `notBeforeMs` is a moment at which the token is good.
      return timeMs === null ? null : { ...narrowing, notBeforeMs: Math.max(timeMs + 1, narrowing.notBeforeMs ?? 0) };
    },
  ],
  [
    "scope =",
    (narrowing, value, facts) => {
      const named = new Set(value.split(" "));
      // Only those of the issuer are kept: a holder's list may be much longer, and is gone through at every verification.
      return named.has("") ? null : { ...narrowing, scopes: (narrowing.scopes ?? facts.scopes).filter((scope) => named.has(scope)) };
    },
  ],
  [
    "ip in",
    (narrowing, value) => {
      const cidrs = value.split(" ", maxCidrs + 1);
      const count = narrowing.clientCidrs.reduce((sum, { length }) => sum + length, cidrs.length);
      return count <= maxCidrs && areRanges(cidrs) ? { ...narrowing, clientCidrs: [...narrowing.clientCidrs, cidrs] } : null;
    },
  ],
  ["audience =", (narrowing, value) => ({ ...narrowing, audiences: [...narrowing.audiences, value] })],
  ["key_id =", (narrowing, value, facts) => (value === facts.rootKeyId ? narrowing : null)],
  ["actor_id =", (narrowing, value, facts) => (value === facts.actorId ? narrowing : null)],
]);

/** Empty, which is no caveat, if the bytes are not UTF-8. */
function textOf(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString();
  return Buffer.from(text).equals(bytes) ? text : "";
}
