import type { Origin } from "../../core/audit.ts";
import type { KeyKind, KeyRecord } from "../../core/key.ts";
import { defaultTenant, tenantRecordId } from "../../core/tenant.ts";
import { minuteMs } from "../../core/time-units.ts";
import { Failure } from "../../error/failure.ts";
import type { KeyStore } from "../../ports/key-store.ts";
import { deletedAtOnce, deleteRecords } from "../delete-records.ts";
import type { KeyService } from "../key-service.ts";
import { partsOf } from "../list-records.ts";

const kinds: readonly KeyKind[] = ["issued", "imported", "actor_limit"];
/** Longer than any call takes, so that no call still adds such a record or takes it back. */
const settledMs = 10 * minuteMs;

/** All records of a tenant. */
export async function* recordsOf(store: Pick<KeyStore, "list">, tenant: string): AsyncGenerator<KeyRecord> {
  for await (const records of partsOfAll(store, tenant, 100)) yield* records;
}

async function* partsOfAll(store: Pick<KeyStore, "list">, tenant: string, limit: number): AsyncGenerator<readonly KeyRecord[]> {
  for (const kind of kinds) yield* partsOf(store, tenant, kind, limit);
}

/**
 * Removes the keys of a suspended tenant whose record has this revision, and the limits of its actors. Stops without an error if that
 * record has changed, because a tenant that was resumed keeps what it still has, and if the signal aborts.
 */
export async function removeRecords(
  service: KeyService,
  origin: Origin,
  tenant: string,
  revision: number,
  signal: AbortSignal,
): Promise<void> {
  const { store } = service;
  async function* parts() {
    for await (const records of partsOfAll(store, tenant, deletedAtOnce)) {
      if (signal.aborted || (await store.get(defaultTenant, tenantRecordId(tenant)))?.revision !== revision) return;
      yield records;
    }
  }
  await deleteRecords(service, tenant, origin, parts());
}

/**
 * Call before a tenant is created. A process that crashed while it took back a key (`beginNewKeys`) left it to a tenant that was deleted.
 * Removes such keys, because a new tenant of the same name must not have them: not those that another call has removed meanwhile, whose ids
 * may already be in use by keys of the new tenant. Rejects with TENANT_NOT_READY if a key is so new that its call may still be running.
 */
export async function removeLeftovers(service: KeyService, origin: Origin, tenant: string): Promise<void> {
  async function* parts() {
    for await (const records of partsOfAll(service.store, tenant, deletedAtOnce)) {
      if (records.some(({ createTimeMs }) => service.clock() - createTimeMs < settledMs)) {
        throw new Failure("TENANT_NOT_READY", { message: "a key of the deleted tenant is still being removed; try again in ten minutes" });
      }
      yield records;
    }
  }
  await deleteRecords(service, tenant, origin, parts());
}
