import { describe, expect, test } from "vitest";
import type { AuditEvent } from "../../../src/core/audit.ts";
import type { AuditQuery } from "../../../src/ports/audit-trail.ts";
import { keyRecord } from "../../support/key-record.ts";
import { auditEvent } from "../../support/with-events.ts";
import type { KeyStoreContext } from "../key-store.ts";

const { keyId } = keyRecord();
type Six = [AuditEvent, AuditEvent, AuditEvent, AuditEvent, AuditEvent, AuditEvent];
/** Recent, so that the events count as not expired. */
const baseMs = Date.now() - 3_600_000;
const superseded = { reason: "superseded", description: "" } as const;

export function describeAudit(context: KeyStoreContext): void {
  const list = (tenant: string, query: Partial<AuditQuery> = {}) => context.store.audit.list(tenant, { limit: 1000, ...query });
  const idsOf = (events: readonly AuditEvent[]) => events.map(({ eventId }) => eventId);
  const newestFirst = (events: readonly AuditEvent[]) => idsOf(events).sort().reverse();

  describe("the audit trail", () => {
    test("gets the event of every change", async () => {
      const tenant = context.newTenant();
      const [insert, marked, replace, rotate, remove, append] = Array.from({ length: 6 }, () => auditEvent()) as Six;
      const request = { requestId: "r", payloadDigest: "d" };
      await context.store.insert(tenant, keyRecord(), null, insert);
      await context.store.insert(tenant, keyRecord({ keyId: "B", kind: "imported" }), request, marked);
      await context.store.replace(tenant, keyRecord({ revision: 2 }), replace);
      await context.store.rotate(tenant, keyRecord({ revision: 3, revocation: superseded }), keyRecord({ keyId: "C" }), rotate);
      await context.store.delete(tenant, "imported", "B", remove);
      await context.store.audit.append(tenant, [append]);
      expect(idsOf(await list(tenant))).toEqual(newestFirst([insert, marked, replace, rotate, remove, append]));
      expect(await list(context.newTenant())).toEqual([]);
    });

    test("gets nothing if nothing was changed", async () => {
      const tenant = context.newTenant();
      const request = { requestId: "r", payloadDigest: "d" };
      const first = auditEvent();
      await context.store.insert(tenant, keyRecord(), request, first);
      await context.store.insert(tenant, keyRecord({ keyId: "B" }), request);
      await context.store.insert(tenant, keyRecord(), null);
      await context.store.insert(tenant, keyRecord(), { requestId: "s", payloadDigest: "d" });
      await context.store.insertMany(tenant, [{ record: keyRecord(), request: null }]);
      await context.store.replace(tenant, keyRecord({ revision: 7 }));
      await context.store.rotate(tenant, keyRecord({ revision: 7 }), keyRecord({ keyId: "C" }));
      await context.store.rotate(tenant, keyRecord({ revision: 2 }), keyRecord());
      await context.store.delete(tenant, "imported", keyId);
      expect(idsOf(await list(tenant))).toEqual([first.eventId]);
    });

    test("names the keys that a batch added, each once, even if three batches add the same ones at once", async () => {
      const tenant = context.newTenant();
      await context.store.insert(tenant, keyRecord({ keyId: "K000" }), null);
      for (const isMarked of [false, true]) {
        const items = Array.from({ length: 300 }, (_, index) => ({
          record: keyRecord({ keyId: `K${isMarked ? "1" : "0"}${String(index).padStart(2, "0")}` }),
          request: isMarked ? { requestId: `r${index}`, payloadDigest: "d" } : null,
        }));
        const before = await list(tenant);
        const batches = [1, 2, 3].map(() => context.store.insertMany(tenant, items));
        const inserted = (await Promise.all(batches)).flat().flatMap((one) => (one.outcome === "inserted" ? one.record.keyId : []));
        const events = (await list(tenant)).slice(0, -before.length);
        expect(events.flatMap(({ keyIds }) => keyIds).sort()).toEqual(inserted.sort());
        expect(inserted).toHaveLength(isMarked ? 300 : 299);
      }
    });

    test("gets one event of 50 concurrent replacements: the winner's", async () => {
      const tenant = context.newTenant();
      await context.store.insert(tenant, keyRecord(), null, auditEvent({ timeMs: baseMs }));
      const events = Array.from({ length: 50 }, () => auditEvent());
      const won = await Promise.all(events.map((event) => context.store.replace(tenant, keyRecord({ revision: 2 }), event)));
      expect(idsOf(await list(tenant, { fromMs: baseMs + 1 }))).toEqual([events[won.indexOf(true)]?.eventId]);
    });

    test("keeps every field of an event, for each of 1000 keys", async () => {
      const tenant = context.newTenant();
      const full = auditEvent({
        timeMs: baseMs,
        caller: "Ключ 'a' \"b\" \\ 👩‍👩‍👧",
        clientAddress: "2001:db8::1",
        keyIds: Array.from({ length: 1000 }, (_, index) => String(index).padStart(64, "0")),
        changedFields: ["name", "scopes"],
        revocationReason: "key_compromise",
        errorReason: "PERMISSION_DENIED",
      });
      const bare = auditEvent({ timeMs: baseMs - 1, caller: "", clientAddress: "", requestId: "" });
      await context.store.audit.append(tenant, [full, bare]);
      expect(await list(tenant)).toEqual([full, bare]);
      for (const id of [full.keyIds[0], full.keyIds[999]]) expect(await list(tenant, { keyId: id })).toEqual([full]);
    });

    test("lists by key, caller, method and time, and any of these together, newest first and page by page", async () => {
      const tenant = context.newTenant();
      const events = Array.from({ length: 120 }, (_, index) =>
        auditEvent({
          timeMs: baseMs + Math.floor(index / 2),
          keyIds: index % 5 === 0 ? ["A", "B"] : ["B"],
          caller: ["", "ann", "bob"][index % 3] as string,
          method: ["Issue", "Revoke"][index % 2] as string,
        }),
      );
      await context.store.audit.append(tenant, events);
      const moment = baseMs + 20;
      for (const key of [undefined, "A", "B", "none"]) {
        for (const caller of [undefined, "", "ann"]) {
          for (const method of [undefined, "Revoke"]) {
            for (const [fromMs, untilMs] of [[], [moment], [undefined, moment], [moment, moment + 1]]) {
              const query = { keyId: key, caller, method, fromMs, untilMs };
              const wanted = events.filter(
                (event) =>
                  (key === undefined || event.keyIds.includes(key)) &&
                  (caller === undefined || event.caller === caller) &&
                  (method === undefined || event.method === method) &&
                  event.timeMs >= (fromMs ?? 0) &&
                  event.timeMs < (untilMs ?? Number.POSITIVE_INFINITY),
              );
              expect(idsOf(await list(tenant, query)), JSON.stringify(query)).toEqual(newestFirst(wanted));
            }
          }
        }
      }
      const pages: AuditEvent[] = [];
      for (let before: string | undefined; ; before = pages.at(-1)?.eventId) {
        const page = await list(tenant, { caller: "ann", beforeEventId: before, limit: 7 });
        if (page.length === 0) break;
        pages.push(...page);
      }
      expect(idsOf(pages)).toEqual(newestFirst(events.filter(({ caller }) => caller === "ann")));
    });
  });
}
