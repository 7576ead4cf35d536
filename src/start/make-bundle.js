// @ts-check
import { randomUUID } from "node:crypto";
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { rolldown } from "rolldown";
import { digestOf } from "./bundle.js";

const root = resolve(import.meta.dirname, "../..");
/** Packages of many small modules. What imports one of them is bundled too, or there would be two instances. Other packages stay as they are. */
const bundledPackage = /^(?:@bufbuild\/|@connectrpc\/|jose(?:$|\/))/;
/** They have a say in the bundle too. What npm has installed is what the last one names. */
const otherSources = ["src/start/bundle.js", "src/start/make-bundle.js", "package.json", "package-lock.json"];
const dayMs = 24 * 60 * 60 * 1000;

/** `node src/start/make-bundle.js <folder of bundles>` makes a bundle and says in current.json what it was made from. */
const [bundles = ""] = process.argv.slice(2);
const name = randomUUID();
const folder = join(bundles, name);
/** @type {Map<string, Buffer>} */
const sources = new Map(otherSources.map((path) => [path, readFileSync(join(root, path))]));
mkdirSync(folder, { mode: 0o700 });
try {
  const bundle = await rolldown({
    cwd: root,
    input: "./src/main.ts",
    platform: "node",
    // All modules run, as they do without a bundle.
    treeshake: false,
    transform: { typescript: { onlyRemoveTypeImports: true } },
    external: (id) => !/^[./]/.test(id) && !bundledPackage.test(id),
    plugins: [{ name: "sources", load: { filter: { id: /^[^\0]*\/(?:src|gen)\/[^\0]*\.ts$/ }, handler: loadSource } }],
    onLog(level, log) {
      if (level === "warn") throw new Error(log.message);
    },
  });
  const names = { entryFileNames: "[name].mjs", chunkFileNames: "[name]-[hash].mjs" };
  await bundle.write({ dir: folder, format: "esm", ...names, sourcemap: true, sourcemapExcludeSources: true });
  await bundle.close();
  const paths = [...sources.keys()];
  const digest = digestOf(paths, (path) => sources.get(path) ?? Buffer.alloc(0));
  writeFileSync(join(folder, "bundle.json"), JSON.stringify({ name, sources: paths, digest }));
  // After a loss of power there is a whole bundle or none.
  for (const file of readdirSync(folder)) sync(join(folder, file));
  renameSync(join(folder, "bundle.json"), join(bundles, "current.json"));
} catch (error) {
  rmSync(folder, { recursive: true, force: true });
  throw error;
}
removeOld();

/**
 * Notes the bytes that are bundled, so that a change while the bundle is made is not missed. The URL of a source remains what it is
 * without a bundle.
 * @param {string} id
 */
function loadSource(id) {
  const bytes = readFileSync(id);
  sources.set(relative(root, id), bytes);
  const url = `new URL(${JSON.stringify(relative(folder, id))}, import.meta.url).href`;
  return bytes.toString().replaceAll("import.meta.url", url);
}

/** @param {string} path */
function sync(path) {
  const descriptor = openSync(path, "r");
  fsyncSync(descriptor);
  closeSync(descriptor);
}

/** Running processes may still load a part of their bundle, so young ones stay. */
function removeOld() {
  for (const other of readdirSync(bundles, { withFileTypes: true })) {
    const path = join(bundles, other.name);
    if (other.isDirectory() && other.name !== name && statSync(path).mtimeMs < Date.now() - dayMs)
      rmSync(path, { recursive: true, force: true });
  }
}
