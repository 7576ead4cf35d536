import { once } from "node:events";
import { Readable } from "node:stream";
import { expect, it } from "vitest";
import { createBodyBudget } from "../../src/http/body-budget.ts";
import { readBody } from "../../src/http/read-body.ts";

const bodies = createBodyBudget({ maxBytes: 1000, maxAnonymousBytes: 1000, maxInflations: 1 });

function read(source: Readable): Promise<Buffer> {
  return readBody({ headers: {} }, source, 100, bodies.open(true));
}

it("returns no bytes for a body that ended before it was read", async () => {
  const source = Readable.from([], { autoDestroy: false });
  const end = once(source, "end");
  source.read();
  await end;
  expect(await read(source)).toEqual(Buffer.alloc(0));
});

it("fails with CANCELLED if the client disconnected before the body was read", async () => {
  const source = new Readable({ read() {} }).on("error", () => {});
  const close = once(source, "close");
  source.destroy();
  await close;
  await expect(read(source)).rejects.toMatchObject({ reason: "CANCELLED" });
});
