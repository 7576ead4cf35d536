import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { createMemoryRecordCache } from "../../src/adapters/memory/record-cache.ts";
import { type Protocol, realProtocol } from "./protocol.ts";

/** One change of the source, in which `text` occurs exactly once. */
export interface Mutation {
  readonly file: `src/cache/${string}` | `src/service/${string}`;
  readonly text: string;
  readonly becomes: string;
}

const root = resolve(import.meta.dirname, "../..");
const copied = ["cache", "service"];

/** Runs `use` with a copy of the protocol code with a changed source; the rest of src is shared. */
export async function withMutant<T>(mutations: readonly Mutation[], use: (protocol: Protocol) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "keywright-mutant-"));
  try {
    const src = join(folder, "src");
    for (const name of copied) cpSync(join(root, "src", name), join(src, name), { recursive: true });
    for (const name of readdirSync(join(root, "src"))) {
      if (!copied.includes(name)) symlinkSync(join(root, "src", name), join(src, name));
    }
    for (const { file, text, becomes } of mutations) {
      const parts = readFileSync(join(folder, file), "utf8").split(text);
      if (parts.length !== 2) throw new Error(`${file} holds ${parts.length - 1} times: ${text}`);
      writeFileSync(join(folder, file), parts.join(becomes));
    }
    const load = (path: string) => import(/* @vite-ignore */ pathToFileURL(join(src, path)).href);
    const modules = await Promise.all(
      [
        "cache/current-store",
        "cache/trust",
        "cache/verifier-cache",
        "service/delete",
        "service/disable",
        "service/import",
        "service/issue",
        "service/revoke",
        "service/rotate",
        "service/tenants/change-tenant",
        "service/tenants/suspension",
        "service/tenants/tenant-directory",
        "service/tenants/tenant-settings",
        "service/update",
        "service/verify",
      ].map((name) => load(`${name}.ts`)),
    );
    const mutant: Readonly<Record<string, unknown>> = { createMemoryRecordCache, ...Object.assign({}, ...modules) };
    // Otherwise every history would fail, and every bug would count as found.
    const missing = Object.keys(realProtocol).filter((name) => typeof mutant[name] !== "function");
    if (missing.length > 0) throw new Error(`the mutant lacks ${missing.join(", ")}`);
    return await use(mutant as Protocol);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
