import type { ChangeAnnouncer } from "../cache/announce.ts";
import type { Credentials } from "../core/credential.ts";
import type { PageTokens } from "../core/page-token.ts";
import type { Tokens } from "../core/token/tokens.ts";
import type { Clock, RandomBytes } from "../ports/clock.ts";
import type { KeyStore } from "../ports/key-store.ts";
import type { TenantSettings } from "./tenants/tenant-settings.ts";

/** The parts that operations on keys need. Each operation takes them as its first argument. */
export interface KeyService {
  readonly store: KeyStore;
  readonly announcer: ChangeAnnouncer;
  readonly credentials: Credentials;
  readonly tokens: Pick<Tokens, "read" | "isForeign" | "isDamagedToken">;
  readonly pageTokens: PageTokens;
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  /** Life of a key whose request has no `ttl`. Null: the key does not expire. */
  readonly defaultKeyTtlMs: number | null;
  readonly tenantSettings: TenantSettings;
}
