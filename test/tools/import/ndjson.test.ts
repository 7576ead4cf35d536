import { describe, expect, test } from "vitest";
import { readNdjson } from "../../../tools/import/ndjson.ts";
import { gist, rowsOf } from "./support.ts";

describe("NDJSON", () => {
  test("lines in both casings, with a byte order mark, empty lines and CRLF, are read however they are split", async () => {
    const lines = [
      '\ufeff{"name":"ä","actor_id":"u","raw_key":"k1","ttl":"1h30m"}\r',
      "",
      '{"rawKey":"k2","metadata":{"a":[null]}}',
      '{"raw_key":"k3"}',
    ];
    for (const size of [1, 4, 1000]) {
      const rows = await rowsOf(readNdjson, lines.join("\n"), size);
      expect(gist(rows)).toEqual([
        [1, "k1"],
        [3, "k2"],
        [4, "k3"],
      ]);
      expect(rows.at(-1)?.end).toEqual({ rows: 3, lines: 4, bytes: Buffer.byteLength(lines.join("\n")) });
      expect(rows[0]?.content).toMatchObject({ request: { name: "ä", actorId: "u", ttl: { seconds: 5400n } } });
    }
  });

  test("unreadable lines are reported with the reason, without quoting them", async () => {
    const lines = ['{"raw_key":"sesame"', '["sesame"]', '{"raw_key":["sesame"]}', '{"raw_key":"k","scope":["a"]}', '{"raw_key":"k5"}'];
    const rows = await rowsOf(readNdjson, Buffer.concat([Buffer.from(lines.join("\n")), Buffer.from('\n{"raw_key":"\xe4"}', "latin1")]));
    expect(gist(rows)).toEqual([
      [1, "is not valid JSON"],
      [2, "the request must be a JSON object"],
      [3, "raw_key: must be a string"],
      [4, "scope: is not a field of ImportApiKeyRequest"],
      [5, "k5"],
      [6, "is not valid UTF-8"],
    ]);
  });

  test("a line without end is not read to its end", async () => {
    const error = (await rowsOf(readNdjson, `{}\n{"name":"${"x".repeat(600_000)}`, 100_000).catch((thrown: Error) => thrown)) as Error;
    expect(error.message).toBe("line 2 is longer than 262144 bytes");
  });
});
