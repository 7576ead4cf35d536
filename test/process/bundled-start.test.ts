import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";

const checkout = resolve(import.meta.dirname, "../..");
const run = promisify(execFile);

/** It tells how it was loaded, and where its parts are. With an argument it lives until it is told to end. */
const mainFile = `import { basename } from "node:path";
import { greeting as said, type Shape, where } from "./greeting.ts";

const shape: Shape = { how: new Error().stack?.includes("main.ts:4:") && !process.execArgv.length ? "right" : "wrong" };
void import("./later.ts").then(({ shout }) => console.log(shape.how, said, shout(), basename(import.meta.url), where()));
if (process.argv.length > 2) {
  process.once("SIGTERM", () => process.exit(0));
  setInterval(() => {}, 1000);
}
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
const answer = "right hello HELLO main.ts greeting.ts:6:44";

let root = "";
let bundles = "";

/** A checkout with three modules. */
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "keywright-bundled-"));
  bundles = join(root, "node_modules/.cache/keywright/bundles");
  await mkdir(join(root, "node_modules"));
  await symlink(join(checkout, "node_modules/rolldown"), join(root, "node_modules/rolldown"));
  await cp(join(checkout, "src/start.js"), join(root, "src/start.js"));
  await cp(join(checkout, "src/start"), join(root, "src/start"), { recursive: true });
  await write("package.json", '{"type":"module"}');
  await write("package-lock.json", "{}");
  await write("src/main.ts", mainFile);
  await write("src/later.ts", laterFile);
  await write("src/greeting.ts", greetingFile);
});

afterEach(() => rm(root, { recursive: true, force: true }));

const write = (path: string, text: string) => writeFile(join(root, path), text);

const own = { ...process.env, NODE_COMPILE_CACHE: undefined };

/** Returns all output. */
async function start(env: Readonly<Record<string, string>> = {}): Promise<string> {
  const { stdout, stderr } = await run(process.execPath, [join(root, "src/start.js")], { env: { ...own, ...env } });
  return `${stdout}${stderr}`.trim();
}

async function currentFolder(): Promise<string> {
  const { name } = JSON.parse(await readFile(join(bundles, "current.json"), "utf8")) as { name: string };
  return join(bundles, name);
}

/** Replaces a text in the bundle, as somebody could who can write to it. */
async function forge(): Promise<void> {
  const file = join(await currentFolder(), "main.mjs");
  for (const path of [file, ...(await readdir(await currentFolder())).map((name) => join(file, "..", name))]) {
    if (!path.endsWith(".mjs")) continue;
    await writeFile(path, (await readFile(path, "utf8")).replace('"hello"', '"forged"'));
  }
}
const forged = answer.replace("hello HELLO", "forged FORGED");

test("the first start makes a bundle, later ones run it, and both do what the sources do", async () => {
  expect(await start({ NODE_DISABLE_COMPILE_CACHE: "1" })).toBe(answer);
  expect(await start()).toBe(answer);
  await forge();
  expect(await start()).toBe(forged);
});

test("a changed, new or removed source, and an installed package, is never answered from an earlier bundle", async () => {
  await start();
  // As long as before.
  await write("src/greeting.ts", greetingFile.replace("hello", "howdy"));
  expect(await start()).toBe(answer.replace("hello HELLO", "howdy HOWDY"));
  await write("src/new.ts", 'export const greeting = "new";\n');
  await write("src/later.ts", laterFile.replace("greeting.ts", "new.ts"));
  expect(await start()).toBe(answer.replace("hello HELLO", "howdy NEW"));
  await rm(join(root, "src/new.ts"));
  await expect(start()).rejects.toThrow(/Cannot find module .*new\.ts/);
  await write("src/later.ts", laterFile.replace("{ greeting }", "{ greeting, missing }"));
  await expect(start()).rejects.toThrow("does not provide an export named 'missing'");
  await write("src/greeting.ts", greetingFile);
  await write("src/later.ts", laterFile);
  expect(await start()).toBe(answer);
  await forge();
  await write("package-lock.json", '{"packages":{}}');
  expect(await start()).toBe(answer);
});

test("bundles that others can write are not used, and one that cannot be read is made again", async () => {
  await start();
  await forge();
  for (const loose of [0o770, 0o707]) {
    await chmod(bundles, loose);
    expect(await start()).toBe(answer);
  }
  await chmod(bundles, 0o700);
  expect(await start()).toBe(forged);
  await writeFile(join(bundles, "current.json"), "{");
  expect(await start()).toBe(answer);
});

test("starts at the same time disturb nobody", async () => {
  expect(new Set(await Promise.all([start(), start(), start()]))).toEqual(new Set([answer]));
  expect(await start()).toBe(answer);
});

test("the sources run without the bundler, in a folder that cannot be written, and with options of Node that load code", async () => {
  expect(await start({ NODE_OPTIONS: "--import=data:text/javascript," })).toBe(answer);
  await rm(join(root, "node_modules/rolldown"));
  expect(await start()).toBe(answer);
  await expect(readdir(bundles)).rejects.toThrow("ENOENT");
});

test("compiled code is kept by a process that has served for a while, not by one that ended early", async () => {
  await start();
  const names = async () => (await readdir(await currentFolder())).filter((name) => name.startsWith("code"));
  expect(await names()).toEqual([]);
  const killed = spawn(process.execPath, [join(root, "src/start.js"), "serve"], { env: own, stdio: ["ignore", "pipe", "inherit"] });
  await once(killed.stdout, "data");
  killed.kill("SIGKILL");
  await once(killed, "exit");
  const child = spawn(process.execPath, [join(root, "src/start.js"), "serve"], { env: own, stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  // As long as src/start/compiled-code.js asks for.
  await new Promise((done) => setTimeout(done, 2100));
  child.kill("SIGTERM");
  await once(child, "exit");
  expect(await names()).toEqual(["code"]);
  expect(await start()).toBe(answer);
});

test("the service is bundled", async () => {
  await run(process.execPath, [join(checkout, "src/start.js"), "--version"]);
  const file = join(checkout, "node_modules/.cache/keywright/bundles/current.json");
  const { sources } = JSON.parse(await readFile(file, "utf8")) as { sources: string[] };
  expect(sources).toEqual(
    expect.arrayContaining(["src/main.ts", "src/workers/worker.ts", "src/adapters/mongo/key-store.ts", "package-lock.json"]),
  );
});
