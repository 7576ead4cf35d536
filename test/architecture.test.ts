import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { expect, test } from "vitest";

/**
 * What the files of a folder may import apart from their own folder: folders or files of src, and folders of gen. Tools are clients of src.
 */
const allowed: Readonly<Record<string, readonly string[]>> = {
  "src/error": [],
  "src/turns.ts": [],
  "src/memoized.ts": [],
  "src/outage-log.ts": ["src/ports"],
  "src/core": ["src/memoized.ts", "src/error"],
  "src/ports": ["src/core", "src/error"],
  "src/cache": ["src/core", "src/ports", "src/error"],
  "src/limit": ["src/core", "src/ports"],
  "src/service": ["src/turns.ts", "src/memoized.ts", "src/outage-log.ts", "src/limit", "src/cache", "src/core", "src/ports", "src/error"],
  "src/call": ["src/error", "gen"],
  "src/http": [
    "src/turns.ts",
    "src/call",
    "src/core/address.ts",
    "src/core/client-network.ts",
    "src/core/range-list.ts",
    "src/error",
    "gen/google/rpc",
  ],
  "src/protobinary": [],
  "src/protojson": ["src/turns.ts", "src/memoized.ts", "src/error", "gen/google"],
  "src/validation": ["src/memoized.ts", "src/error"],
  "src/transcode": ["src/turns.ts", "src/protojson", "src/http", "src/call", "src/error", "gen/google"],
  "src/connect": ["src/turns.ts", "src/protobinary", "src/protojson", "src/http", "src/call", "src/error", "gen/google"],
  "src/server": [
    "src/memoized.ts",
    "src/http",
    "src/call",
    "src/core/client-network.ts",
    "src/core/range-list.ts",
    "src/error",
    "gen/grpc",
  ],
  "src/config": ["src/core", "src/protojson/duration.ts", "src/error"],
  "src/observed": ["src/service", "src/cache", "src/ports", "src/core"],
  "src/telemetry": [
    "src/memoized.ts",
    "src/outage-log.ts",
    "src/observed",
    "src/service",
    "src/cache",
    "src/ports",
    "src/core",
    "src/call",
    "src/error",
  ],
  "src/rpc": [
    "src/turns.ts",
    "src/memoized.ts",
    "src/service",
    "src/limit",
    "src/cache",
    "src/core",
    "src/ports",
    "src/call",
    "src/validation",
    "src/error",
    "gen",
  ],
  "src/adapters/open.ts": ["src/adapters", "src/config", "src/ports", "src/core", "src/error"],
  "src/site": ["src/http", "src/error"],
  "src/introspection": ["src/http", "src/call", "src/error", "gen/keywright"],
  "src/gateways": ["src/connect/lane.ts", "src/connect/error-encoding.ts", "src/http", "src/call", "src/core", "src/error", "gen"],
  "src/workers": ["src/composition/app.ts", "src/server/metrics-server.ts", "src/config", "src/telemetry", "src/ports/log.ts"],
  "src/composition": ["src", "gen"],
  "src/main.ts": [
    "src/composition/app.ts",
    "src/composition/reload.ts",
    "src/workers",
    "src/config",
    "src/telemetry",
    "src/ports/log.ts",
    "src/error",
  ],
  "tools/openapi": [
    "src/core/credential-shape.ts",
    "src/rpc/method-table.ts",
    "src/rpc/methods.ts",
    "src/transcode",
    "src/http/json-answer.ts",
    "src/error",
    "gen/google",
  ],
  "tools/import": [
    "src/protojson/read.ts",
    "src/core/credential.ts",
    "src/core/tenant.ts",
    "src/rpc/api-keys/create-request.ts",
    "src/error",
    "gen/keywright",
  ],
};

/** Adapters import the ports, not each other. */
const allowedToAdapters = ["src/turns.ts", "src/memoized.ts", "src/outage-log.ts", "src/ports", "src/core", "src/error"];

/** Folders that may import only these packages and built-in modules. */
const allowedPackages: Readonly<Record<string, readonly string[]>> = {
  "src/error": [],
  "src/core": ["node:crypto", "node:zlib", "jose"],
  "src/ports": [],
};

/** Folders from which others may import only types, except for one file. */
const typesOnly: readonly (readonly [importer: string, imported: string, except?: string])[] = [
  ["src/rpc", "src/ports"],
  ["src/rpc", "src/cache"],
  ["src/rpc", "src/limit"],
  ["src/observed", "src/service"],
  ["src/observed", "src/cache"],
  ["src/observed", "src/ports"],
  ["src/observed", "src/core"],
  ["src/telemetry", "src/service"],
  ["src/telemetry", "src/cache"],
  ["src/telemetry", "src/ports"],
  ["src/telemetry", "src/core", "src/core/credential-shape.ts"],
];

const maxLines = 300;

interface Import {
  readonly file: string;
  /** Path from the root of the checkout, or the name of a package. */
  readonly target: string;
  readonly isPackage: boolean;
  readonly isTypeOnly: boolean;
  readonly isDynamic: boolean;
}

const root = resolve(import.meta.dirname, "..");
const files = ["src", "tools"].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => `${folder}/${name.replaceAll("\\", "/")}`),
);
const texts = new Map(files.map((file) => [file, readFileSync(join(root, file), "utf8")]));
const imports = files.flatMap(importsOf);

/** Returns static and dynamic imports and re-exports, even if they span several lines. */
function importsOf(file: string): Import[] {
  const code = texts.get(file) as string;
  const statements = [...code.matchAll(/^(?:import|export)\s+(type\s)?(?:[^;"']*?\sfrom\s+)?["']([^"']+)["']/gm)];
  const dynamic = [...code.matchAll(/\bimport\(\s*()["']([^"']+)["']/g)];
  return [...statements, ...dynamic].map((found) => {
    const [, type, specifier = ""] = found;
    const isPackage = !specifier.startsWith(".");
    const target = isPackage ? specifier : relative(root, resolve(root, dirname(file), specifier)).replaceAll("\\", "/");
    return { file, target, isPackage, isTypeOnly: type !== undefined && type !== "", isDynamic: dynamic.includes(found) };
  });
}

/** The folder whose rules apply to a file: `src/adapters/sqlite`, `src/core`. A file directly in src has its own rules. */
function unitOf(file: string): string {
  const parts = file.split("/");
  return parts.slice(0, parts[1] === "adapters" ? 3 : 2).join("/");
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

test("the import lines are found", () => {
  // Otherwise the other tests would pass if nothing was read.
  expect(files.length).toBeGreaterThan(40);
  expect(imports.length).toBeGreaterThan(files.length);
  const own = { isPackage: false, isTypeOnly: false, isDynamic: false };
  expect(imports).toContainEqual({ ...own, file: "src/config/load.ts", target: "src/config/problems.ts" });
  expect(imports).toContainEqual({ ...own, file: "src/config/config.ts", target: "src/core/credential.ts", isTypeOnly: true });
  expect(imports).toContainEqual({ ...own, file: "src/adapters/open.ts", target: "src/adapters/redis/open.ts", isDynamic: true });
});

test("imports go only in allowed directions", () => {
  const offences = imports
    .filter(({ isPackage }) => !isPackage)
    .flatMap(({ file, target }) => {
      const unit = unitOf(file);
      const may = allowed[unit] ?? (unit.startsWith("src/adapters/") ? allowedToAdapters : undefined);
      if (may === undefined) return [`${file}: ${unit} has no rule in test/architecture.test.ts`];
      if (isWithin(target, unit) || may.some((folder) => isWithin(target, folder))) return [];
      return [`${file} imports ${target}, but ${unit} may import only: ${may.join(", ") || "nothing"}`];
    });
  expect([...new Set(offences)]).toEqual([]);
});

test("ARCHITECTURE.md and test/README.md have a row for each folder", () => {
  const rowsOf = (page: string) =>
    [...readFileSync(join(root, page), "utf8").matchAll(/^\| (`[^|]+) \|/gm)].map(([, names]) => names).join();
  const units = new Set(files.map(unitOf).filter((unit) => unit !== "tools" && unit !== "src/main.ts"));
  const rows = rowsOf("ARCHITECTURE.md");
  expect([...units].filter((unit) => !rows.includes(`\`${unit}\``))).toEqual([]);
  const testRows = rowsOf("test/README.md");
  const folders = readdirSync(join(root, "test"), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(folders.filter(({ name }) => !testRows.includes(`\`${name}/`)).map(({ name }) => name)).toEqual([]);
});

test("each member of Config is used outside src/config", () => {
  const [, members = ""] = /^export interface Config \{\n([\s\S]*?)^\}/m.exec(texts.get("src/config/config.ts") as string) ?? [];
  const names = [...members.matchAll(/^ {2}readonly (\w+):/gm)].map(([, name]) => name);
  expect(names.length).toBeGreaterThan(30);
  const others = [...texts].flatMap(([file, text]) => (isWithin(file, "src/config") ? [] : [text])).join();
  // Generated secrets and the default of `store` are in this folder.
  expect(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(others))).toEqual(["dataDir"]);
});

test("only src/adapters/open.ts names concrete adapters", () => {
  const opener = "src/adapters/open.ts";
  const named = imports.filter(
    ({ file, target }) => target.startsWith("src/adapters/") && unitOf(file) !== unitOf(target) && target !== opener,
  );
  expect([...new Set(named.map(({ file }) => file))]).toEqual([opener]);
  // All adapters, so that none is opened elsewhere.
  const folders = readdirSync(join(root, "src/adapters"), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(folders.filter(({ name }) => !named.some(({ target }) => isWithin(target, `src/adapters/${name}`)))).toEqual([]);
});

test("only the composition root imports src/adapters/open.ts", () => {
  const openers = imports.filter(({ target }) => target === "src/adapters/open.ts").map(({ file }) => file);
  expect([...new Set(openers.map(unitOf))]).toEqual(["src/composition"]);
});

test("the inner folders use only the listed packages", () => {
  const offences = imports
    .filter(({ isPackage }) => isPackage)
    .flatMap(({ file, target }) => {
      const may = allowedPackages[unitOf(file)];
      return may === undefined || may.includes(target)
        ? []
        : [`${file} imports ${target}, but ${unitOf(file)} may use only: ${may.join(", ")}`];
    });
  expect(offences).toEqual([]);
});

test("only the traces import OpenTelemetry, and it is loaded only if traces are on", () => {
  const loaders = ["src/telemetry/traces/otlp.ts", "src/telemetry/traces/export.ts"];
  const offences = imports.filter(
    ({ file, target, isTypeOnly }) => target.startsWith("@opentelemetry/") && !isTypeOnly && !loaders.includes(file),
  );
  expect(offences).toEqual([]);
  const loading = imports.filter(({ target }) => loaders.includes(target)).map(({ file }) => file);
  expect(loading).toEqual(["src/telemetry/traces/open.ts", "src/telemetry/traces/otlp.ts"]);
  expect(texts.get("src/telemetry/traces/open.ts")).toContain('await import("./otlp.ts")');
});

/** Packages that only some settings or calls need, and that would be half of a start (bench/start.ts). */
const loadedLater = [
  "mongodb",
  "ioredis",
  "yaml",
  "@bufbuild/protovalidate",
  "@connectrpc/connect",
  "@connectrpc/connect-node",
  "node:http",
];

test("drivers, the validator and Connect are loaded on demand, not at the start", () => {
  const reached = new Set<string>();
  const visit = (file: string): void => {
    if (reached.has(file)) return;
    reached.add(file);
    for (const item of imports) if (item.file === file && !item.isTypeOnly && !item.isDynamic) visit(item.target);
  };
  visit("src/main.ts");
  expect(reached).toContain("src/adapters/sqlite/key-store.ts");
  expect([...reached].filter((target) => loadedLater.includes(target) || target.startsWith("@opentelemetry/"))).toEqual([]);
});

test("folders that may import only types do so", () => {
  const offences = imports
    .filter(({ isTypeOnly }) => !isTypeOnly)
    .filter(({ file, target }) => typesOnly.some(([from, to, except]) => isWithin(file, from) && isWithin(target, to) && target !== except))
    .map(({ file, target }) => `${file} imports values of ${target}, but may import only types of it`);
  expect(offences).toEqual([]);
});

test("there are no circular imports", () => {
  const edges = new Map(
    files.map((file) => [file, imports.filter((item) => item.file === file && !item.isPackage).map(({ target }) => target)]),
  );
  const cycles: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]) => {
    const start = path.indexOf(file);
    if (start !== -1) cycles.push([...path.slice(start), file].join(" -> "));
    if (start !== -1 || done.has(file)) return;
    for (const target of edges.get(file) ?? []) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
  expect(cycles).toEqual([]);
});

test("every imported file exists and is named with its extension", () => {
  const offences = imports
    .filter(({ target, isPackage }) => !isPackage && !texts.has(target) && !isWithin(target, "gen"))
    .map(({ file, target }) => `${file} imports ${target}, which is not a file of src, tools or gen`);
  expect(offences).toEqual([]);
});

test(`no file has more than ${maxLines} lines`, () => {
  const offences = files
    .map((file) => ({ file, lines: (texts.get(file) as string).trimEnd().split("\n").length }))
    .filter(({ lines }) => lines > maxLines)
    .map(({ file, lines }) => `${file} has ${lines} lines; at most ${maxLines}`);
  expect(offences).toEqual([]);
});

test("only src/main.ts writes to the console", () => {
  expect(files.filter((file) => file !== "src/main.ts" && /\bconsole\.\w+\(/.test(texts.get(file) as string))).toEqual([]);
});

test("only src/http/target.ts reads the target of a request", () => {
  const reads = /\brequest\??\.url\b|\{[^{}]*\burl\b[^{}]*\}(?:: [^=)]+)? = request\b|\{[^{}]*\burl\b[^{}]*\}: (?:Pick<)?HttpRequest\b/;
  expect(files.filter((file) => reads.test(texts.get(file) as string))).toEqual(["src/http/target.ts"]);
});

test("there are no default exports", () => {
  expect(files.filter((file) => /^export default\b|\bas default\b/m.test(texts.get(file) as string))).toEqual([]);
});

test("generated code is in gen only", () => {
  const generated = files.filter((file) => file.endsWith("_pb.ts") || /@generated by protoc/.test(texts.get(file) as string));
  const elsewhere = imports.filter(({ target }) => /_pb(\.ts)?$/.test(target) && !isWithin(target, "gen"));
  expect([...generated, ...elsewhere.map(({ file, target }) => `${file} imports ${target}, but generated code is in gen`)]).toEqual([]);
});

test("bench/README.md lists every benchmark", () => {
  const programs = readdirSync(join(root, "bench")).filter(
    (name) => name.endsWith(".ts") && readFileSync(join(root, "bench", name), "utf8").includes(`node bench/${name}`),
  );
  expect(programs.length).toBeGreaterThan(5);
  const readme = readFileSync(join(root, "bench/README.md"), "utf8");
  expect(programs.filter((name) => !readme.includes(`node bench/${name}`))).toEqual([]);
});
