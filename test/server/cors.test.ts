import { cors } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { connectCors } from "../../src/server/cors.ts";

test("the methods and headers of Connect equal Connect's own list", () => {
  expect(connectCors).toEqual(cors);
});
