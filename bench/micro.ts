import { parseJson } from "../src/protojson/parse-json.ts";

/** What small steps of the verify path cost, each with and without. One process, warm, median of nine runs. */
const verifyBody = Buffer.from(
  JSON.stringify({
    credential: "kw_v1_01JD3V9Q4N8R5X2T7B6C1A0ZYK_0123456789abcdefghijklmnopqrstuv0123456789aXYZabc",
    client_ip: "198.51.100.7",
    required_scopes: ["orders:read", "orders:write"],
    cost: 1,
  }),
);
const emptyArrays = Buffer.from(`[${"[],".repeat(999_999)}[]]`);
const maxValues = 16_384;

let kept: unknown;

function report(name: string, rounds: number, step: () => unknown): void {
  const run = (): number => {
    const startMs = performance.now();
    for (let i = 0; i < rounds; i++) kept = step();
    return ((performance.now() - startMs) / rounds) * 1000;
  };
  run();
  const microseconds = Array.from({ length: 9 }, run).sort((a, b) => a - b)[4] as number;
  console.log(`${name.padEnd(60)} ${microseconds.toFixed(2).padStart(9)} us`);
}

function refusal(bytes: Uint8Array): unknown {
  try {
    return parseJson(bytes, maxValues);
  } catch (error) {
    return error;
  }
}

console.log(`verify body of ${verifyBody.length} bytes`);
report("JSON.parse alone", 100_000, () => JSON.parse(verifyBody.toString("utf8")));
report("parseJson", 100_000, () => parseJson(verifyBody, maxValues));
report("JSON.parse of a million empty arrays", 3, () => JSON.parse(emptyArrays.toString("utf8")));
report("parseJson refuses a million empty arrays", 30, () => refusal(emptyArrays));
if (kept === undefined) throw new Error("nothing was measured");
