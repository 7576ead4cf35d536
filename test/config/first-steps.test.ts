import { expect, test } from "vitest";
import { firstSteps } from "../../src/config/first-steps.ts";

test.each([
  ["http://0.0.0.0:4430", "http://127.0.0.1:4430/v2alpha1/"],
  ["https://[::]:443", "https://[::1]:443/v2alpha1/"],
  ["http://192.0.2.1:80", "http://192.0.2.1:80/v2alpha1/"],
])("a listener at %s is called with %s", (url, called) => {
  const lines = firstSteps(url, "/data/admin-token").split("\n");
  expect(lines).toHaveLength(3);
  expect(lines[0]).toContain(url);
  expect(lines[2]).toContain(`curl -sS ${called}`);
});

test("the path of the token is one word of the command", () => {
  expect(firstSteps("http://127.0.0.1:4430", "/it's here/admin-token")).toContain(`$(cat '/it'\\''s here/admin-token')`);
});
