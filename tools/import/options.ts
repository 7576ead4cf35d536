import { readFileSync } from "node:fs";
import { extname } from "node:path";
import { parseArgs } from "node:util";
import { isTenantId } from "../../src/core/tenant.ts";
import { systemReason } from "../../src/error/system-reason.ts";
import { UsageError } from "./problems.ts";

export interface ImportOptions {
  /** Null: standard input. */
  readonly path: string | null;
  readonly format: "csv" | "ndjson";
  readonly url: string;
  /** Null in a dry run, which needs no token. */
  readonly token: string | null;
  /** Null: the tenant that the service chooses for the token and the host. */
  readonly tenant: string | null;
  /** Null: the import cannot be resumed. */
  readonly statePath: string | null;
  readonly failuresPath: string;
  readonly skipLines: number;
  readonly inFlight: number;
  readonly dryRun: boolean;
}

const defaultUrl = "http://127.0.0.1:4430";
const defaultInFlight = 4;
const maxInFlight = 32;
const formats: Readonly<Record<string, ImportOptions["format"]>> = { ".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson" };

export const help = `npm run import -- FILE [options]

Imports API keys from a CSV or NDJSON file; "-" reads standard input. docs/import.md describes the columns.

  --url URL           URL of the service (default ${defaultUrl})
  --token-file PATH   file with the admin token (default: the value of KEYWRIGHT_ADMIN_TOKEN)
  --tenant ID         tenant that receives the keys (default: that of the token or the host)
  --format FORMAT     csv or ndjson, if the file name does not tell
  --dry-run           checks every line and sends nothing
  --failures PATH     receives the lines that failed (default FILE.failures.ndjson, or FILE.TENANT.failures.ndjson)
  --state PATH        records the progress (default FILE.import-state.json, or FILE.TENANT.import-state.json); the same command
                      resumes from there
  --skip-lines N      skips the first N lines
  --in-flight N       batches sent at the same time (default ${defaultInFlight})

Exit code: 0 all keys imported, 1 some lines failed, 2 nothing was tried, 3 stopped early, 130 interrupted.`;

/**
 * Returns null if help was asked for. Throws UsageError. The token is not an argument, because every user of a machine can see arguments.
 */
export function parseOptions(args: readonly string[], env: Readonly<Record<string, string | undefined>>): ImportOptions | null {
  const { values, positionals } = commandLine(args);
  if (values.help === true) return null;
  const [file, ...others] = positionals;
  if (file === undefined || others.length > 0) throw new UsageError("exactly one file is required, or - for standard input");
  const path = file === "-" ? null : file;
  const dryRun = values["dry-run"] === true;
  const tenant = tenantOf(values.tenant);
  // One file may be imported into several tenants.
  const base = tenant === null ? path : `${path ?? "stdin"}.${tenant}`;
  return {
    path,
    format: formatOf(path, values.format),
    url: urlOf(values.url ?? defaultUrl),
    tenant,
    token: dryRun ? null : tokenOf(values["token-file"], env.KEYWRIGHT_ADMIN_TOKEN),
    statePath: dryRun ? null : (values.state ?? (path === null ? null : `${base}.import-state.json`)),
    failuresPath: values.failures ?? `${base ?? "stdin"}.${dryRun ? "dry-run-" : ""}failures.ndjson`,
    skipLines: wholeNumber("--skip-lines", values["skip-lines"] ?? "0", 0, Number.MAX_SAFE_INTEGER),
    inFlight: wholeNumber("--in-flight", values["in-flight"] ?? String(defaultInFlight), 1, maxInFlight),
    dryRun,
  };
}

function commandLine(args: readonly string[]) {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        url: text,
        "token-file": text,
        tenant: text,
        format: text,
        failures: text,
        state: text,
        "skip-lines": text,
        "in-flight": text,
        "dry-run": flag,
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function formatOf(path: string | null, given: string | undefined): ImportOptions["format"] {
  if (given === "csv" || given === "ndjson") return given;
  if (given !== undefined) throw new UsageError("--format must be csv or ndjson");
  const format = path === null ? undefined : formats[extname(path).toLowerCase()];
  if (format === undefined) throw new UsageError("--format csv or --format ndjson is required, because the file name does not show it");
  return format;
}

/** The service's root URL, without a slash at the end. */
function urlOf(text: string): string {
  const url = URL.parse(text);
  if (url === null || !["http:", "https:"].includes(url.protocol)) throw new UsageError("--url must be an http or https URL");
  if (url.username !== "" || url.password !== "") throw new UsageError("--url must not contain credentials");
  if (url.search !== "" || url.hash !== "") throw new UsageError("--url must not contain a query or a fragment");
  return url.href.replace(/\/+$/, "");
}

/** Returns true if keys and token would cross a network unencrypted. */
export function isExposed(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === "http:" && hostname !== "localhost" && hostname !== "[::1]" && !hostname.startsWith("127.");
}

function tenantOf(id: string | undefined): string | null {
  if (id === undefined) return null;
  if (!isTenantId(id)) throw new UsageError("--tenant must be 1 to 63 lower-case letters, digits or hyphens");
  return id;
}

function tokenOf(path: string | undefined, fromEnv: string | undefined): string {
  let token = fromEnv ?? "";
  if (path !== undefined) {
    try {
      token = readFileSync(path, "utf8");
    } catch (error) {
      throw new UsageError(`${path}: cannot be read: ${systemReason(error)}`);
    }
  }
  token = token.trim();
  if (token === "") throw new UsageError("no admin token found; set KEYWRIGHT_ADMIN_TOKEN or --token-file");
  if (!/^[\x21-\x7e]+$/.test(token)) throw new UsageError("the admin token contains invalid characters");
  return token;
}

function wholeNumber(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < min || value > max) throw new UsageError(`${name} must be a whole number from ${min} to ${max}`);
  return value;
}
