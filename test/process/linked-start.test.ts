import { execFile } from "node:child_process";
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { isCurrent } from "../../src/start/linked.js";
import { type Pack, readPack, writePack } from "../../src/start/pack.js";
import { startServer } from "../support/server-process.ts";

const checkout = resolve(import.meta.dirname, "../..");
const run = promisify(execFile);
const cache = "node_modules/.cache/keywright/linked";
const packName = `${process.version}-${process.arch}`;

/** It tells how it was loaded, and where its parts are. */
const mainFile = `import { basename } from "node:path";
import {
  greeting as said,
  type Shape,
  where,
} from "./greeting.ts";

declare const $link: unknown;
const shape: Shape = { how: typeof $link === "undefined" ? "plain" : "linked" };
void import("./later.ts").then(({ shout }) => console.log(shape.how, said, shout(), basename(import.meta.url), where()));
`;
const laterFile = 'import { greeting } from "./greeting.ts";\n\nexport const shout = () => greeting.toUpperCase();\n';
const greetingFile = `export interface Shape {
  readonly how: string;
}
export const greeting = "hello";
export function where(): string {
  return String(/greeting.ts:[0-9:]+/.exec(new Error().stack ?? ""));
}
`;
const answer = "hello HELLO main.ts greeting.ts:6:44";

let root = "";

/** A checkout with three modules. */
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "keywright-linked-"));
  await mkdir(join(root, "node_modules"));
  await cp(join(checkout, "src/start.js"), join(root, "src/start.js"));
  await cp(join(checkout, "src/start"), join(root, "src/start"), { recursive: true });
  await writeFile(join(root, "package.json"), '{"type":"module"}');
  await write("src/main.ts", mainFile);
  await write("src/later.ts", laterFile);
  await write("src/greeting.ts", greetingFile);
});

afterEach(() => rm(root, { recursive: true, force: true }));

const write = (path: string, text: string) => writeFile(join(root, path), text);
const packFile = () => join(root, cache, packName);
const keptPack = () => readPack(packFile()) as Pack;

/** Returns all output. */
async function start(env: Readonly<Record<string, string>> = {}): Promise<string> {
  const { stdout, stderr } = await run(process.execPath, [join(root, "src/start.js")], { env: { ...process.env, ...env } });
  return `${stdout}${stderr}`.trim();
}

/** Replaces a text in the pack, as somebody could who can write the file. */
function forge(): void {
  const { modules, ...pack } = keptPack();
  const forged = Array.from(
    modules.values(),
    (module) => [module.id, { ...module, text: module.text.replace('"hello"', '"forged"') }] as const,
  );
  writePack(packFile(), { ...pack, modules: new Map(forged), code: new Map() });
}

test("the first start links the modules, later ones use what it kept, and both do what Node does", async () => {
  expect(await start({ NODE_DISABLE_COMPILE_CACHE: "1" })).toBe(`plain ${answer}`);
  expect(await start()).toBe(`linked ${answer}`);
  const { modules, code } = keptPack();
  expect([...code.keys()].sort()).toEqual([...modules.keys()].sort());
  forge();
  expect(await start()).toBe(`linked ${answer.replace("hello HELLO", "forged FORGED")}`);
});

test("a changed, new or removed source is never answered from what was kept", async () => {
  await start();
  // As long as before.
  await write("src/greeting.ts", greetingFile.replace("hello", "howdy"));
  expect(await start()).toBe(`linked ${answer.replace("hello HELLO", "howdy HOWDY")}`);
  await write("src/new.ts", 'export const greeting = "new";\n');
  await write("src/later.ts", laterFile.replace("greeting.ts", "new.ts"));
  expect(await start()).toBe(`linked ${answer.replace("hello HELLO", "howdy NEW")}`);
  await rm(join(root, "src/new.ts"));
  await expect(start()).rejects.toThrow(/Cannot find module .*new\.ts/);
  await write("src/later.ts", laterFile.replace("{ greeting }", "{ greeting, missing }"));
  await expect(start()).rejects.toThrow("does not provide an export named 'missing'");
});

test("another linker does not use what was kept", async () => {
  await start();
  forge();
  await write("src/start/run.js", `${await readFile(join(root, "src/start/run.js"), "utf8")}\n`);
  expect(await start()).toBe(`linked ${answer}`);
});

test("what others can write, and what is not whole, is not used", async () => {
  await start();
  for (const [path, loose, strict] of [
    [packFile(), 0o620, 0o600],
    [packFile(), 0o602, 0o600],
    [join(root, cache), 0o770, 0o700],
  ] as const) {
    forge();
    await chmod(path, loose);
    expect(await start()).toContain(answer);
    await chmod(path, strict);
  }
  await rm(packFile());
  await start();
  const bytes = await readFile(packFile());
  for (const broken of [
    bytes.subarray(0, 20),
    bytes.subarray(0, -1),
    Buffer.from(bytes.toString("latin1").replace("hello", "howdy"), "latin1"),
  ]) {
    await writeFile(packFile(), broken);
    expect(await start()).toBe(`linked ${answer}`);
  }
});

test("starts at the same time disturb nobody and leave one file", async () => {
  expect(new Set(await Promise.all([start(), start(), start()]))).toEqual(new Set([`linked ${answer}`]));
  expect(await readdir(join(root, cache))).toEqual([packName]);
  expect(keptPack().modules.size).toBe(3);
});

test("nothing is linked if it cannot be kept, if options of Node load code, or if a module has a form that is unknown", async () => {
  await mkdir(join(root, cache), { recursive: true });
  await chmod(join(root, cache), 0o500);
  expect(await start()).toBe(`plain ${answer}`);
  expect(await readdir(join(root, cache))).toEqual([]);
  await chmod(join(root, cache), 0o700);
  expect(await start({ NODE_OPTIONS: "--import=data:text/javascript," })).toBe(`plain ${answer}`);
  await write("src/later.ts", `${laterFile}export default shout;\n`);
  expect(await start()).toBe(`plain ${answer}`);
});

test("the service is linked, and packages that are not get the linked instances of those that are", async () => {
  await using server = await startServer();
  const pack = readPack(join(checkout, cache, packName)) as Pack;
  expect(isCurrent(`${checkout}/`, pack)).toBe(true);
  expect([...pack.modules.keys()]).toEqual(
    expect.arrayContaining([
      "src/main.ts",
      "src/workers/worker.ts",
      "src/adapters/mongo/key-store.ts",
      "node_modules/jose/dist/webapi/index.js",
      "node_modules/@bufbuild/protobuf/dist/esm/index.js",
    ]),
  );
  // The validator is a package that finds rules in options of fields, which are extensions.
  const invalid = await fetch(`${server.url}/v2alpha1/admin/issuedApiKeys`, {
    method: "POST",
    headers: { authorization: `Bearer ${server.adminToken}`, "content-type": "application/json" },
    body: JSON.stringify({ name: "n", actor_id: "a".repeat(2000) }),
  });
  expect(await invalid.text()).toContain('"actor_id"');
  expect(invalid.status).toBe(400);
  // Streams are served by the package of Connect.
  const stop = new AbortController();
  const watch = await fetch(`${server.url}/grpc.health.v1.Health/Watch`, {
    method: "POST",
    headers: { "content-type": "application/connect+json" },
    body: Buffer.concat([Buffer.from([0, 0, 0, 0, 2]), Buffer.from("{}")]),
    signal: stop.signal,
  });
  const { value } = (await watch.body?.getReader().read()) ?? {};
  stop.abort();
  expect(Buffer.from(value ?? []).toString()).toContain("SERVING");
});
