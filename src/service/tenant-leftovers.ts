import type { Origin } from "../core/audit.ts";
import type { KeyKind, KeyRecord } from "../core/key.ts";
import { minuteMs } from "../core/time-units.ts";
import { Failure } from "../error/failure.ts";
import type { KeyStore } from "../ports/key-store.ts";
import { auditEvent } from "./audit.ts";
import type { KeyService } from "./key-service.ts";

const kinds: readonly KeyKind[] = ["issued", "imported", "actor_limit"];
/** Longer than any call takes, so that no call still adds such a record or takes it back. */
const settledMs = 10 * minuteMs;

/** All records of a tenant. */
export async function* recordsOf(store: Pick<KeyStore, "list">, tenant: string): AsyncGenerator<KeyRecord> {
  for (const kind of kinds) {
    for (let afterKeyId: string | null = ""; afterKeyId !== null; ) {
      const part = await store.list(tenant, { kind, nowMs: 0, afterKeyId, limit: 100 });
      yield* part.records;
      afterKeyId = part.lastKeyId;
    }
  }
}

/**
 * Call before a tenant is created. A process that crashed while it took back a key (`confirmNewKeys`) left it to a tenant that was deleted.
 * Removes such keys, because a new tenant of the same name must not have them. Rejects with TENANT_NOT_READY if a key is so new that its
 * call may still be running.
 */
export async function removeLeftovers(service: KeyService, origin: Origin, tenant: string): Promise<void> {
  const { store, announcer, clock } = service;
  for await (const { kind, keyId, createTimeMs } of recordsOf(store, tenant)) {
    if (clock() - createTimeMs < settledMs) {
      throw new Failure("TENANT_NOT_READY", { message: "a key of the deleted tenant is still being removed; try again in ten minutes" });
    }
    const announce = announcer.beginChange(tenant, keyId);
    const revision = await store.delete(tenant, kind, keyId, auditEvent(service, origin, [keyId]));
    if (revision !== null) await announce(null, revision);
  }
}
