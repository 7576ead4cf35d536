import type { WireClient, WireRequest } from "./clients.ts";
import type { Random } from "./random.ts";
import type { Excuse, Report } from "./report.ts";

/** What an attack may use. Every worker has its own, except for the report. */
export interface Arena {
  readonly port: number;
  readonly url: string;
  readonly adminToken: string;
  /** A key that stays valid: attacks must not revoke it. */
  readonly key: { readonly keyId: string; readonly secret: string };
  readonly random: Random;
  readonly report: Report;
  readonly http1: WireClient;
  readonly http2: WireClient;
}

export interface Attack {
  readonly name: string;
  /** How often it runs, relative to the others. */
  readonly weight: number;
  /** Runs the attack once, judges the response, and counts its requests. Rejects only because of its own fault. */
  run(arena: Arena): Promise<void>;
}

/** Sends a request with one of the clients, counts it and judges the response. */
export async function sendAndJudge(
  arena: Arena,
  attack: string,
  request: WireRequest,
  excuse: Excuse,
  over?: "http1" | "http2",
): Promise<void> {
  const { report } = arena;
  report.count(attack, 1);
  const outcome = await ((over ?? (arena.random.chance(0.7) ? "http1" : "http2") === "http1")
    ? arena.http1.send(request)
    : sendHttp2(arena, request));
  if (typeof outcome === "object") report.judge(attack, outcome, excuse, textOf(request));
  else if (outcome !== "closed") report.fault(attack, outcome, textOf(request));
}

/** Requests that HTTP/2 cannot carry use HTTP/1.1. */
function sendHttp2(arena: Arena, request: WireRequest) {
  try {
    return arena.http2.send(request);
  } catch {
    return arena.http1.send(request);
  }
}

/** Usually a valid bearer token, sometimes none or one of the wrong shape. */
export function authorization({ random, adminToken, key }: Arena): [string, string][] {
  if (random.chance(0.65)) return [["authorization", `Bearer ${adminToken}`]];
  if (random.chance(0.3)) return [];
  const value = random.pick([
    "",
    "Bearer",
    "Bearer ",
    `Bearer ${adminToken}x`,
    `Bearer ${adminToken.slice(0, -1)}`,
    `Bearer ${adminToken.toLowerCase()}!`,
    `Bearer ${adminToken} ${adminToken}`,
    `Bearer, ${adminToken}`,
    `Basic ${Buffer.from(`admin:${adminToken}`).toString("base64")}`,
    `Bearer ${key.secret}`,
    `Bearer ${"a".repeat(8000)}`,
    'Digest username="admin"',
    `Bearer eyJhbGciOiJub25lIn0.${Buffer.from('{"sub":"admin","roles":["admin"]}').toString("base64url")}.`,
    `Bearer\t${random.word(20)}`,
    `Bearer ${random.bytes(12).toString("base64")}\xff`,
    random.word(40),
  ]);
  return [["authorization", value]];
}

function textOf({ method, path, headers, body }: WireRequest): string {
  const shown = headers.filter(([name]) => name !== "authorization").map(([name, value]) => `${name}: ${value}`.slice(0, 80));
  return `<- ${method} ${path.slice(0, 200)} ${shown.join("; ")} ${body?.length ?? 0} bytes: ${body?.toString("latin1", 0, 300) ?? ""}`;
}
