import { expect, test } from "vitest";
import { firstSteps } from "../../src/config/first-steps.ts";

test.each([
  ["http://0.0.0.0:4430", "http://127.0.0.1:4430/v2alpha1/"],
  ["https://[::]:443", "https://[::1]:443/v2alpha1/"],
  ["http://192.0.2.1:80", "http://192.0.2.1:80/v2alpha1/"],
])("a listener at %s is called with %s", (url, called) => {
  const lines = firstSteps({ url, adminTokenFile: "/data/admin-token", docs: "on" }).split("\n");
  expect(lines).toHaveLength(3);
  expect(lines[0]).toBe(`Keywright listens on ${url} and shows its API on ${called.replace("/v2alpha1/", "/docs")}`);
  expect(lines[2]).toContain(`curl -sS ${called}`);
});

test("the path of the token is one word of the command", () => {
  const adminTokenFile = "/it's here/admin-token";
  expect(firstSteps({ url: "http://127.0.0.1:4430", adminTokenFile, docs: "off" })).toContain(`$(cat '/it'\\''s here/admin-token')`);
});
