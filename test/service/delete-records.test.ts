import { expect, test } from "vitest";
import { deleteRecords, inParts } from "../../src/service/delete-records.ts";
import type { KeyService } from "../../src/service/key-service.ts";
import { keyRecord } from "../support/key-record.ts";

const origin = { method: "AdminDeleteTenant", caller: "ann", clientAddress: "", requestId: "r" };

/** What is announced in each change while records with these ids are deleted, and the error. */
async function announcedBy(keyIds: readonly string[]): Promise<{ announced: string[][]; error: unknown }> {
  const announced: string[][] = [];
  const service = {
    clock: () => 1,
    randomBytes: (length: number) => Buffer.alloc(length),
    announcer: {
      beginChanges: () => async (deleted: readonly { keyId: string }[]) => void announced.push(deleted.map(({ keyId }) => keyId)),
    },
    store: {
      async delete(_tenant: string, _kind: string, keyId: string) {
        if (keyId === "fails") throw new Error("fails");
        return keyId === "changed" ? null : 2;
      },
    },
  } as unknown as KeyService;
  const records = keyIds.map((keyId) => keyRecord({ keyId }));
  const error = await deleteRecords(service, "t", origin, inParts(records)).catch((reason: unknown) => reason);
  return { announced, error };
}

test("many deletions are announced in one change", async () => {
  const ids = Array.from({ length: 1203 }, (_, index) => `K${index}`);
  const { announced } = await announcedBy(ids);
  expect(announced.map(({ length }) => length)).toEqual([500, 500, 203]);
  expect(announced.flat()).toEqual(ids);
});

test("if a deletion fails, those before it and beside it are announced", async () => {
  const { announced, error } = await announcedBy(["A", "B", "changed", "C", "D", "fails", "E", "F", "G", "H", "I"]);
  expect(error).toEqual(new Error("fails"));
  expect(announced).toEqual([["A", "B", "C", "D", "E", "F", "G", "H"]]);
});
