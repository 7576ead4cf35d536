import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import { createGroupRead } from "../../../src/adapters/mongo/group-read.ts";

function recordingRead(maxKeys?: number) {
  const groups: (readonly string[])[] = [];
  const read = createGroupRead(async (ids) => {
    groups.push(ids);
    if (ids.includes("fail")) throw new Error("no");
    return new Map(ids.filter((id) => id !== "absent").map((id) => [id, `${id}!`]));
  }, maxKeys);
  return { groups, read };
}

test("reads of one turn share a round trip, and each gets its own result", async () => {
  const { groups, read } = recordingRead();
  expect(await Promise.all([read("a"), read("absent"), read("b"), read("a")])).toEqual(["a!", undefined, "b!", "a!"]);
  expect(groups).toEqual([["a", "absent", "b", "a"]]);
});

test("a read is not answered by another that began earlier", async () => {
  const { groups, read } = recordingRead();
  const first = read("a");
  await nextTurn();
  await nextTurn();
  await Promise.all([first, read("a")]);
  expect(groups).toEqual([["a"], ["a"]]);
});

test("groups have a maximum size", async () => {
  const { groups, read } = recordingRead(2);
  await Promise.all(["a", "b", "c", "d", "e"].map(read));
  expect(groups).toEqual([["a", "b"], ["c", "d"], ["e"]]);
});

test("a failed read fails its group but not the next", async () => {
  const { read } = recordingRead(2);
  const settled = await Promise.allSettled(["a", "fail", "b"].map(read));
  expect(settled.map(({ status }) => status)).toEqual(["rejected", "rejected", "fulfilled"]);
  expect(await read("a")).toBe("a!");
});
