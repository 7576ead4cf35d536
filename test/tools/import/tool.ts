import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join, resolve } from "node:path";
import type { JsonObject } from "@bufbuild/protobuf";
import type { ServerProcess } from "../../support/server-process.ts";

export interface Tool {
  readonly child: ChildProcess;
  /** Everything it has written, standard output and error. */
  output(): string;
  /** Its exit code; -1 after a signal. */
  readonly ended: Promise<number>;
}

const script = join(resolve(import.meta.dirname, "../../.."), "scripts/import.ts");

/** Runs the migration tool as users do, in a separate process. `input` goes to its standard input. */
export function startTool(args: readonly string[], env: Readonly<Record<string, string>> = {}, input = ""): Tool {
  const { PATH, NODE_COMPILE_CACHE } = process.env;
  const child = spawn(process.execPath, [script, ...args], { env: { PATH, NODE_COMPILE_CACHE, ...env }, stdio: "pipe" });
  const chunks: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => chunks.push(text));
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  const ended = once(child, "close").then(([code]) => (code as number | null) ?? -1);
  return { child, output: () => chunks.join(""), ended };
}

/** All imported keys of a server, in the order of their ids, without their times of import. */
export async function estateOf(server: ServerProcess, limit = Number.POSITIVE_INFINITY): Promise<JsonObject[]> {
  const keys: JsonObject[] = [];
  for (let pageToken = ""; keys.length < limit; ) {
    const page = await get(server, `importedApiKeys?page_size=1000&page_token=${encodeURIComponent(pageToken)}`);
    for (const { create_time, update_time, ...key } of (page.imported_api_keys ?? []) as JsonObject[]) keys.push(key);
    pageToken = String(page.next_page_token ?? "");
    if (pageToken === "") break;
  }
  return keys;
}

async function get({ url, adminToken }: ServerProcess, path: string): Promise<JsonObject> {
  const response = await fetch(`${url}/v2alpha1/admin/${path}`, { headers: { authorization: `Bearer ${adminToken}` } });
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return (await response.json()) as JsonObject;
}
