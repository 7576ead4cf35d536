import type { Arena, Attack } from "./attack.ts";
import { exchange } from "./http1-wire.ts";

const head =
  "POST /v2alpha1/admin/apiKeys:verify HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 4000\r\n";

/** Slow clients. Only a few at once, in separate workers: each holds its connection for a second or two. */
export const slowAttacks: readonly Attack[] = [
  { name: "slow: headers", weight: 3, run: (arena) => drip(arena, "slow: headers", "GET /health/alive HTTP/1.1\r\nX-Slow: ", "a") },
  { name: "slow: body", weight: 3, run: (arena) => drip(arena, "slow: body", `${head}\r\n`, " ") },
  {
    name: "slow: body in chunks",
    weight: 2,
    run: (arena) =>
      drip(arena, "slow: body in chunks", `${head.replace("Content-Length: 4000", "Transfer-Encoding: chunked")}\r\n`, "1\r\n \r\n"),
  },
  { name: "slow: HTTP/2 preface", weight: 1, run: (arena) => drip(arena, "slow: HTTP/2 preface", "", ..."PRI * HTTP/2.0\r\n\r\nSM\r\n\r") },
  {
    name: "slow: reading",
    weight: 2,
    async run({ port, report }) {
      report.count("slow: reading", 10);
      await exchange(port, ["GET /v2alpha1/nothing HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(10), 500], {
        answers: 1000,
        timeoutMs: 1000,
      });
    },
  },
];

async function drip({ port, random, report }: Arena, attack: string, start: string, ...pieces: string[]): Promise<void> {
  report.count(attack, 1);
  const chunks = [start, ...Array.from({ length: 15 }, (_, index) => [random.below(120), pieces[index % pieces.length] ?? ""]).flat()];
  const { responses } = await exchange(port, chunks, { answers: 1, timeoutMs: 1500 });
  for (const response of responses) report.judge(attack, response);
}
