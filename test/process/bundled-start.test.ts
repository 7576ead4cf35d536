import { execFile } from "node:child_process";
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";

const checkout = resolve(import.meta.dirname, "../..");
const run = promisify(execFile);

/** It tells how it was loaded, and where its parts are. */
const mainFile = `import { basename } from "node:path";
import { greeting as said, type Shape, where } from "./greeting.ts";

const shape: Shape = { how: new Error().stack?.includes("main.ts:4:") && !process.execArgv.length ? "right" : "wrong" };
void import("./later.ts").then(({ shout }) => console.log(shape.how, said, shout(), basename(import.meta.url), where()));
`;
const laterFile = 'import { greeting } from "./greeting.ts";\n\nexport const shout = () => greeting.toUpperCase();\n';
const greetingFile = `import { word } from "@bufbuild/word";
export interface Shape {
  readonly how: string;
}
export const greeting = word;
export function where(): string {
  return String(/greeting.ts:[0-9:]+/.exec(new Error().stack ?? ""));
}
`;
const answer = "right hello HELLO main.ts greeting.ts:7:44";

let root = "";
let bundles = "";

/** A checkout with three modules. */
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "keywright bundled (1)-"));
  bundles = join(root, "node_modules/.cache/keywright/bundles");
  await mkdir(join(root, "node_modules"));
  await symlink(join(checkout, "node_modules/rolldown"), join(root, "node_modules/rolldown"));
  await cp(join(checkout, "src/start.js"), join(root, "src/start.js"));
  await cp(join(checkout, "src/start"), join(root, "src/start"), { recursive: true });
  await write("package.json", '{"type":"module"}');
  await write("node_modules/@bufbuild/word/package.json", '{"name":"@bufbuild/word","version":"1.0.0","type":"module","main":"index.js"}');
  await write("node_modules/@bufbuild/word/index.js", 'export const word = "hello";\n');
  await write("src/main.ts", mainFile);
  await write("src/later.ts", laterFile);
  await write("src/greeting.ts", greetingFile);
});

afterEach(() => rm(root, { recursive: true, force: true }));

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), text);
}

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
  const file = join(await currentFolder(), "main.cjs");
  for (const path of [file, ...(await readdir(await currentFolder())).map((name) => join(file, "..", name))]) {
    if (!path.endsWith(".cjs")) continue;
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
  await write("src/greeting.ts", greetingFile.replace("= word", '= "howdy"'));
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
  await write("node_modules/@bufbuild/word/index.js", 'export const word = "hallo";\n');
  await write("node_modules/@bufbuild/word/package.json", '{"name":"@bufbuild/word","version":"1.0.1","type":"module","main":"index.js"}');
  expect(await start()).toBe(answer.replace("hello HELLO", "hallo HALLO"));
});

test("bundles that others can write, or that are linked from another checkout, are not used", async () => {
  await start();
  await forge();
  for (const loose of [0o770, 0o707]) {
    await chmod(bundles, loose);
    expect(await start()).toBe(answer);
  }
  await chmod(bundles, 0o700);
  expect(await start()).toBe(forged);
  await rename(bundles, join(root, "elsewhere"));
  await symlink(join(root, "elsewhere"), bundles);
  expect(await start()).toBe(answer);
});

test("a bundle that is not whole is made again", async () => {
  await start();
  const current = join(bundles, "current.json");
  const damages = [() => writeFile(current, "{"), async () => rm(await currentFolder(), { recursive: true }), () => rm(current)];
  for (const damage of damages) {
    const before = await currentFolder();
    await damage();
    expect(await start()).toBe(answer);
    expect(await currentFolder()).not.toBe(before);
  }
});

test("starts at the same time disturb nobody", async () => {
  expect(new Set(await Promise.all([start(), start(), start()]))).toEqual(new Set([answer]));
  expect(await start()).toBe(answer);
});

test("the sources run without the bundler, without a folder for the bundle, and with options of Node that load code", async () => {
  await write("node_modules/.cache", "");
  expect(await start()).toBe(answer);
  await rm(join(root, "node_modules/.cache"));
  expect(await start({ NODE_OPTIONS: "--import=data:text/javascript," })).toBe(answer);
  await rm(join(root, "node_modules/rolldown"));
  expect(await start()).toBe(answer);
  await expect(readdir(bundles)).rejects.toThrow("ENOENT");
});

test("compiled code is kept by a process that has served for a while, not by one that ended early", async () => {
  const keptCode = async () => (await readdir(await currentFolder())).filter((name) => name.startsWith("code"));
  const setServedForMs = async (ms: number) => {
    const file = join(checkout, "src/start/compiled-code.js");
    await write("src/start/compiled-code.js", (await readFile(file, "utf8")).replace("servedForMs = 2000;", `servedForMs = ${ms};`));
  };
  await setServedForMs(3_600_000);
  await start();
  expect(await keptCode()).toEqual([]);
  await setServedForMs(0);
  await start();
  expect(await keptCode()).toEqual([`code-${process.getuid?.() ?? "all"}`]);
  expect(await start()).toBe(answer);

  // Functions that were called are part of it. V8 keeps others as text only.
  const file = join(await currentFolder(), ...(await keptCode()), "main.cjs.code");
  const code = await readFile(file);
  expect(code.includes("greeting.ts:[0-9:]+")).toBe(true);
  for (const damaged of [code.subarray(0, 3), code.subarray(0, 100), Buffer.concat([code.subarray(0, -1), Buffer.of(1)])]) {
    await writeFile(file, damaged);
    expect(await start()).toBe(answer);
  }

  // An installation removes the folder under a running process, whose exit code must not tell of that.
  const removing = laterFile.replace(
    "greeting.toUpperCase()",
    "(rmSync(process.env.BUNDLES!, { recursive: true }), greeting.toUpperCase())",
  );
  await write("src/later.ts", `import { rmSync } from "node:fs";\n${removing}`);
  expect(await start({ BUNDLES: bundles })).toBe(answer);
});

test("the service is bundled", async () => {
  await run(process.execPath, [join(checkout, "src/start.js"), "--version"]);
  const file = join(checkout, "node_modules/.cache/keywright/bundles/current.json");
  const { sources } = JSON.parse(await readFile(file, "utf8")) as { sources: string[] };
  expect(sources).toEqual(
    expect.arrayContaining(["src/main.ts", "src/workers/worker.ts", "src/adapters/mongo/key-store.ts", "node_modules/jose/package.json"]),
  );
});

test("stacks name the sources, in a folder with a space and parentheses too", async () => {
  await write("src/main.ts", "function here(): string {\n  return String(new Error().stack);\n}\nconsole.log(here());\n");
  await start();
  expect(await start()).toContain(`at here (${join(root, "src/main.ts")}:2:`);
});

test("a part of the bundle that cannot be read is read again when it is needed again", async () => {
  await write(
    "src/main.ts",
    `import { renameSync } from "node:fs";
const { HIDDEN = "", SHOWN = "" } = process.env;
const later = () => import("./later.ts");
later()
  .catch(() => {
    renameSync(HIDDEN, SHOWN);
    return later();
  })
  .then(({ shout }) => console.log(shout()));
`,
  );
  expect(await start()).toBe("HELLO");
  const folder = await currentFolder();
  const part = (await readdir(folder)).find((name) => /^later.*\.cjs$/.test(name)) as string;
  const [shown, hidden] = [join(folder, part), join(root, "hidden.cjs")];
  await rename(shown, hidden);
  expect(await start({ HIDDEN: hidden, SHOWN: shown })).toBe("HELLO");
});
