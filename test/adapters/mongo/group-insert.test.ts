import { expect, test } from "vitest";
import { createGroupInsert } from "../../../src/adapters/mongo/group-insert.ts";
import type { Insertion } from "../../../src/adapters/mongo/insertion.ts";
import { Failure } from "../../../src/error/failure.ts";
import type { InsertOutcome } from "../../../src/ports/key-store.ts";
import { keyRecord } from "../../support/key-record.ts";
import { auditEvent } from "../../support/with-events.ts";

const insertion = (keyId: string): Insertion => ({ record: keyRecord({ keyId }), request: null, eventOf: () => auditEvent() });

/** Groups are named by the ids of their keys; each waits for `release`. */
function setup(maxGroups: number, fail: (keyIds: readonly string[]) => Error | null = () => null) {
  const groups: string[] = [];
  const releases: (() => void)[] = [];
  const group = createGroupInsert(async (tenant, insertions) => {
    const keyIds = insertions.map(({ record }) => record.keyId);
    groups.push(`${tenant}: ${keyIds.join(" ")}`);
    await new Promise<void>((resolve) => releases.push(resolve));
    const error = fail(keyIds);
    if (error !== null) throw error;
    return insertions.map(({ record }): InsertOutcome => ({ outcome: "inserted", record }));
  }, maxGroups);
  const insert = (keyId: string, tenant = "t") =>
    group.insert(tenant, insertion(keyId)).then(
      (outcome) => (outcome.outcome === "inserted" ? outcome.record.keyId : outcome.outcome),
      (error: Error) => error.message,
    );
  const release = async () => {
    await expect.poll(() => releases.length).toBeGreaterThan(0);
    for (const one of releases.splice(0)) one();
  };
  return { group, groups, insert, release };
}

test("inserts of one turn share a transaction, later ones share the next, and each tenant has its own", async () => {
  const { groups, insert, release } = setup(1);
  const first = Promise.all([insert("A"), insert("B")]);
  await expect.poll(() => groups).toEqual(["t: A B"]);
  const next = Promise.all([insert("C"), insert("D", "u"), insert("E")]);
  await release();
  expect(await first).toEqual(["A", "B"]);
  await release();
  await release();
  expect(await next).toEqual(["C", "D", "E"]);
  expect(groups).toEqual(["t: A B", "t: C E", "u: D"]);
});

test("an insert that the server refuses fails alone", async () => {
  const { insert, release } = setup(1, (keyIds) => (keyIds.includes("HUGE") ? new Error("refused") : null));
  const outcomes = Promise.all(["A", "HUGE", "B"].map((keyId) => insert(keyId)));
  for (let step = 0; step < 4; step += 1) await release();
  expect(await outcomes).toEqual(["A", "refused", "B"]);
});

test("an outage also fails inserts that wait, but no later ones", async () => {
  let isDown = true;
  const { groups, insert, release } = setup(1, () => (isDown ? new Failure("STORE_UNAVAILABLE", { message: "down" }) : null));
  const first = insert("A");
  await expect.poll(() => groups).toHaveLength(1);
  const waiting = insert("B");
  await release();
  expect([await first, await waiting]).toEqual(["down", "down"]);
  isDown = false;
  const later = insert("C");
  await release();
  expect(await later).toBe("C");
  expect(groups).toEqual(["t: A", "t: C"]);
});

test("is settled when nothing waits or is in progress", async () => {
  const { group, groups, insert, release } = setup(1);
  const all = Promise.all([insert("A"), insert("B", "u")]);
  let isSettled = false;
  const settled = group.settled().then(() => {
    isSettled = true;
  });
  await release();
  await expect.poll(() => groups).toHaveLength(2);
  expect(isSettled).toBe(false);
  await release();
  await settled;
  expect(await all).toEqual(["A", "B"]);
});
