import type { ChangeAnnouncer } from "../cache/announce.ts";
import type { ClaimSources } from "../core/claim.ts";
import type { Credentials } from "../core/credential.ts";
import type { PageTokens } from "../core/page-token.ts";
import type { Clock, RandomBytes } from "../ports/clock.ts";
import type { KeyStore } from "../ports/key-store.ts";

/** What the life of a key is made of. Each operation takes it as its first argument. */
export interface KeyService {
  readonly store: KeyStore;
  readonly announcer: ChangeAnnouncer;
  readonly credentials: Credentials;
  readonly tokens: ClaimSources["tokens"];
  readonly pageTokens: PageTokens;
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  /** Life of a key whose request gives none; null: it does not expire. */
  readonly defaultKeyTtlMs: number | null;
}
