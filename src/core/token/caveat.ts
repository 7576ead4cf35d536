import { areRanges } from "../range-list.ts";
import { parseRfc3339 } from "../rfc3339.ts";
import { type TokenFacts, type TokenNarrowing, unnarrowed } from "./facts.ts";

/** Maximum number of ranges in all caveats together, the same as for a key: every verification checks them all. */
const maxCidrs = 100;

/**
 * Reads caveats. Each one has this grammar, with single spaces:
 *
 *     time < 2026-01-31T12:00:00Z        before this moment (RFC 3339, years 1 to 9999)
 *     time > 2026-01-31T06:00:00Z        after this moment
 *     scope = read write                 at most these scopes
 *     ip in 10.0.0.0/8 192.0.2.7/32      from an address in one of these ranges
 *     audience = https://files.example   in a verification for this audience
 *     key_id = 01KAS4D9N4XJ8M2V6T0QZ3R7YB, actor_id = user_123
 *                                        if the issuer says the same
 *
 * Returns null if a caveat does not match the grammar, or requires a key id or an actor id that the token does not have: a caveat that
 * cannot be understood cannot be enforced. All caveats apply, in any order. A caveat only takes permissions away, so no holder can get more
 * than the issuer gave.
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

/**
 * The caveats that bind a token to clients and audiences, for a token derived from it. Its scopes and times become facts of the derived
 * token.
 */
export function bindingCaveats({ clientCidrs, audiences }: TokenNarrowing): string[] {
  return [...clientCidrs.map((cidrs) => `ip in ${cidrs.join(" ")}`), ...audiences.map((audience) => `audience = ${audience}`)];
}

/** Adds one caveat to the narrowing. Returns null if the predicate does not accept the value. */
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
      // One millisecond later, since the token is valid at `notBeforeMs` itself.
      return timeMs === null ? null : { ...narrowing, notBeforeMs: Math.max(timeMs + 1, narrowing.notBeforeMs ?? 0) };
    },
  ],
  [
    "scope =",
    (narrowing, value, facts) => {
      const named = new Set(value.split(" "));
      // Keeps only the scopes of the issuer: a holder's list may be much longer, and every verification would go through it.
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

/** The text of the bytes. If they are not UTF-8, it is empty, which is not a caveat. */
function textOf(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString();
  return Buffer.from(text).equals(bytes) ? text : "";
}
