import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { KeyVisibility } from "../../../gen/keywright/v2alpha1/key_policy_pb.ts";
import { columnNames } from "../../../tools/import/columns.ts";
import { readCsv } from "../../../tools/import/csv.ts";
import { gist, pieces, rowsOf } from "./support.ts";

const header = "name,actor_id,raw_key\n";

describe("CSV", () => {
  test.each(columnNames)("docs/import.md explains the column %s", (name) => {
    const rows = readFileSync("docs/import.md", "utf8")
      .split("\n")
      .filter((line) => line.startsWith("| `"));
    expect(rows.some((row) => row.split("|")[1]?.includes(`\`${name}\``))).toBe(true);
  });

  test("all columns become fields of the request; empty cells are absent", async () => {
    const columns =
      "visibility,allowed_cidrs,rate_limit_unit,rate_limit_window,rate_limit_quota,metadata,ttl,scopes,raw_key,raw_key_sha256,actor_id,name";
    const full =
      'public,"10.0.0.0/8, 2001:db8::/32",requests,1m,9007199254740993,"{""a"": [1, ""x""]}",90d,read  write,live_1,,u1,"CI, old"';
    const digest = `,,,,,,,,,${"ab".repeat(32)},u2,b`;
    const [first, second] = (await rowsOf(readCsv, `${columns}\n${full}\n${digest}\n`)).map(({ content }) => content);
    expect(first).toMatchObject({
      request: {
        name: "CI, old",
        actorId: "u1",
        rawKey: "live_1",
        rawKeySha256: "",
        scopes: ["read", "write"],
        ttl: { seconds: 7_776_000n },
        metadata: { a: [1, "x"] },
        rateLimitPolicy: { quota: 9007199254740993n, window: { seconds: 60n }, unit: "requests" },
        ipRestriction: { allowedCidrs: ["10.0.0.0/8", "2001:db8::/32"] },
        visibility: KeyVisibility.PUBLIC,
      },
    });
    expect(second).toMatchObject({ request: { name: "b", rawKey: "", rawKeySha256: "ab".repeat(32), scopes: [] } });
    expect(second).not.toHaveProperty("request.ttl");
    expect(second).not.toHaveProperty("request.metadata");
  });

  test("line numbers and byte offsets are correct after quoted line ends, empty lines, CRLF and a byte order mark, however the input is split", async () => {
    const text = '\ufeffname,actor_id,raw_key\r\n"two\r\nlines",u,k1\r\n\r\n"three\n\n""lines""",ü,k2\r\nlast,u,k3';
    for (const size of [1, 2, 3, 5, 8, 1000]) {
      const rows = await rowsOf(readCsv, text, size);
      expect(gist(rows), `in pieces of ${size}`).toEqual([
        [2, "k1"],
        [5, "k2"],
        [8, "k3"],
      ]);
      const ends = [text.indexOf("\r\n\r\n") + 2, text.indexOf("last"), text.length].map((end) => Buffer.byteLength(text.slice(0, end)));
      expect(rows.map(({ end }) => end)).toEqual([
        { rows: 1, lines: 3, bytes: ends[0] },
        { rows: 2, lines: 7, bytes: ends[1] },
        { rows: 3, lines: 8, bytes: ends[2] },
      ]);
    }
  });

  test("unreadable rows are reported with the reason, and later rows are read", async () => {
    const rows = await rowsOf(
      readCsv,
      Buffer.concat([
        Buffer.from("name,actor_id,raw_key,ttl,metadata,visibility\na,u,sesame1,,\na,u,sesame2,soon,,\na,u,sesame3,,{sesame,\n"),
        Buffer.from("a,u,sesame4,,,hidden\n"),
        Buffer.from([0x61, 0x2c, 0x75, 0x2c, 0xe4, 0x2c, 0x2c, 0x2c, 0x0a]),
        Buffer.from("a,u,k6,,,secret\n"),
      ]),
    );
    expect(gist(rows)).toEqual([
      [2, "has 5 columns, but line 1 has 6"],
      [3, "ttl: must be a duration such as 3600s, 1h30m or 30d"],
      [4, "metadata: is not valid JSON"],
      [5, "visibility: must be secret or public"],
      [6, "raw_key: is not valid UTF-8"],
      [7, "k6"],
    ]);
  });

  test.each([
    ["", "the input is empty"],
    ["name,actor_id,raw_key,colour,name\n", "column 4 is unknown; column 5 (name) is a duplicate"],
    ["name,scopes\na,b\n", "column actor_id is missing; column raw_key or raw_key_sha256 is missing"],
    // A file without a header: no key may be shown.
    ["ci,u,sesame1\nci,u,sesame2\n", "column 1 is unknown; column 2 is unknown; column 3 is unknown"],
  ])("an invalid header is refused before any row: %j", async (text, problem) => {
    const error = await rowsOf(readCsv, text).then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    expect(error?.name).toBe("UsageError");
    expect(error?.message).toContain(problem);
    expect(error?.message).not.toContain("sesame");
  });

  test.each([
    [`a,u,"sesame"x\n`, 3, "something follows a closing quote"],
    [`a,u,se"same"\n`, 3, "a quote stands inside an unquoted field"],
    [`a,u,"sesame\nb,u,sesame\n`, 3, "a quote is left open"],
    [`"a\r\nb",u,k\r\na,u,"sesame"x\r\n`, 5, "something follows a closing quote"],
    [`a,u,"${"sesame\n".repeat(60_000)}`, 3, "is longer than 262144 bytes"],
  ])("mismatched quotes end the reading, after the previous rows: %#", async (text, line, problem) => {
    const seen: string[] = [];
    const reading = (async () => {
      for await (const rows of readCsv(pieces(`${header}first,u,k1\n${text}`, 100_000))) seen.push(...gist(rows).map(([, key]) => key));
    })();
    const error = (await reading.catch((thrown: Error) => thrown)) as Error;
    expect(error.name).toBe("StoppedError");
    expect(error.message).toContain(`line ${line}: ${problem}`);
    expect(error.message).not.toContain("sesame");
    expect(seen[0]).toBe("k1");
  });
});
