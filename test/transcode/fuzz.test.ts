import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { libraryTranscoder, listen, send, send2, type TestServer } from "./library.ts";

let server: TestServer;
let server2: TestServer;
const crashes: unknown[] = [];
const onCrash = (error: unknown) => crashes.push(error);

beforeAll(async () => {
  process.on("uncaughtException", onCrash);
  process.on("unhandledRejection", onCrash);
  server = await listen(libraryTranscoder());
  server2 = await listen(libraryTranscoder(), 2);
});
afterAll(async () => {
  process.off("uncaughtException", onCrash);
  process.off("unhandledRejection", onCrash);
  await Promise.all([server.close(), server2.close()]);
});

const names = ["text", "smallInt", "big_int", "child", "child.text", "tags", "lasts", "mask", "at", "shelf", "theme", "__proto__", "x"];
const word = fc.oneof(
  fc.constantFrom(...["v1", "texts", "query", "shelves", "books", "files", "tree", "a", "b", "things", "masked", "typed", "special"]),
  fc.constantFrom(
    ...["..", ".", "%2e%2e", "%2F", "%ff", "%", "%00", "", "*", "**", "{text}", "a:rotate", "texts:verify", ":", "1:rotate", ":stat"],
  ),
  fc.string({ unit: fc.constantFrom(..."abc%2F:/.?#&=+~!$'()*,;@_-019".split("")), maxLength: 6 }),
);
const known = fc.constantFrom(
  ...[
    "/v1/query",
    "/v1/texts/a",
    "/v1/texts/a:rotate",
    "/v1/shelves/a",
    "/v1/masked/1:rotate",
    "/v1/lists",
    "/v1/plains",
    "/v1/things",
    "/v1/files/a/b",
  ],
);
const path = fc.oneof(
  known,
  fc.array(word, { maxLength: 6 }).map((words) => `/${words.join("/")}`),
);
const query = fc
  .array(fc.tuple(fc.constantFrom(...names), word), { maxLength: 4 })
  .map((pairs) => (pairs.length === 0 ? "" : `?${pairs.map(([name, value]) => `${name}=${value}`).join("&")}`));
const json = fc
  .oneof(fc.dictionary(fc.constantFrom(...names), fc.jsonValue(), { maxKeys: 4 }), fc.jsonValue())
  .map((value) => JSON.stringify(value));
const body = fc.oneof(
  fc.constant(undefined),
  json,
  fc.tuple(json, fc.nat()).map(([text, at]) => text.slice(0, at % (text.length + 1))),
  fc.uint8Array({ maxLength: 50 }),
  fc.constantFrom(
    `${'{"child":'.repeat(300)}{}${"}".repeat(300)}`,
    '{"tags":{"a":1e999}}',
    '{"text":"\\ud800"}',
    `{"tags":{"a":${"[".repeat(200)}${"]".repeat(200)}}}`,
  ),
);
const method = fc.constantFrom("GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS", "PURGE", "TRACE");
const headers = fc.record(
  {
    "content-type": fc.constantFrom("application/json", "application/json; charset=utf-16", "text/plain", "application/grpc", "", ";", "/"),
    "content-encoding": fc.constantFrom("gzip", "identity", ""),
    "x-request-id": fc.constantFrom("a", "", "a b", "é"),
    "x-forwarded-for": fc.constantFrom("1.2.3.4", "nonsense, ,"),
  },
  { requiredKeys: [] },
);

test.each([
  ["HTTP/1.1", 1500, () => (m: string, p: string, b: unknown, h: object) => send(server.port, m, p, b, { ...h })],
  [
    "HTTP/2",
    300,
    () => (m: string, p: string, b: unknown, h: object) => send2(server2.port, m, p, b, { "content-type": "application/json", ...h }),
  ],
] as const)("%s: never a crash, never a 5xx, always JSON", async (_version, numRuns, sender) => {
  await fc.assert(
    fc.asyncProperty(method, path, query, body, headers, async (m, p, q, b, h) => {
      const answer = await sender()(m, p + q, b, h);
      expect(answer.status).toBeGreaterThanOrEqual(200);
      expect(answer.status).toBeLessThan(500);
      expect(crashes).toEqual([]);
      if (answer.status >= 400 && m !== "HEAD") {
        expect(answer.json).toMatchObject({ code: expect.any(Number), message: expect.any(String), error: { code: answer.status } });
        expect(answer.json.details[0]["@type"]).toBe("type.googleapis.com/google.rpc.ErrorInfo");
      }
    }),
    { numRuns },
  );
});
