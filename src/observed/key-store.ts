import type { AuditTrail } from "../ports/audit-trail.ts";
import type { CacheGeneration, CacheGenerationStore } from "../ports/cache-generation.ts";
import type { KeyStore } from "../ports/key-store.ts";
import type { Observe } from "./observe.ts";

function observedAudit(audit: AuditTrail, observe: Observe): AuditTrail {
  return {
    append: (...given) => observe("audit_append", () => audit.append(...given)),
    list: (...given) => observe("audit_list", () => audit.list(...given)),
  };
}

/** Observes each operation of the store under its own name. */
export function observedKeyStore(store: KeyStore, observe: Observe): KeyStore {
  return {
    tokenSalt: store.tokenSalt,
    audit: observedAudit(store.audit, observe),
    insert: (...given) => observe("insert", () => store.insert(...given)),
    insertMany: (...given) => observe("insert_many", () => store.insertMany(...given)),
    get: (...given) => observe("get", () => store.get(...given)),
    getMany: (...given) => observe("get_many", () => store.getMany(...given)),
    list: (...given) => observe("list", () => store.list(...given)),
    replace: (...given) => observe("replace", () => store.replace(...given)),
    rotate: (...given) => observe("rotate", () => store.rotate(...given)),
    findRequest: (...given) => observe("find_request", () => store.findRequest(...given)),
    delete: (...given) => observe("delete", () => store.delete(...given)),
    tombstoneRevision: (...given) => observe("tombstone_revision", () => store.tombstoneRevision(...given)),
    touch: (...given) => observe("touch", () => store.touch(...given)),
    acceptSecrets: (...given) => observe("accept_secrets", () => store.acceptSecrets(...given)),
    ping: () => observe("ping", () => store.ping()),
    close: () => store.close(),
  };
}

/** The same for the cache generations. Calls `see` with each answer. */
export function observedGenerations(
  generations: CacheGenerationStore,
  observe: Observe,
  see: (generation: CacheGeneration) => void,
): CacheGenerationStore {
  const shown = async (answer: Promise<CacheGeneration>): Promise<CacheGeneration> => {
    const generation = await answer;
    see(generation);
    return generation;
  };
  return {
    read: () => shown(observe("read_generation", () => generations.read())),
    advance: (...given) => shown(observe("advance_generation", () => generations.advance(...given))),
  };
}
