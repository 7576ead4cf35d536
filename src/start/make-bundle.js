// @ts-check
import { randomUUID } from "node:crypto";
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { isAbsolute, join, relative, resolve } from "node:path";
import { rolldown } from "rolldown";
import { digestOf } from "./bundle.js";

const root = resolve(import.meta.dirname, "../..");
/** Packages of many small modules. What imports one of them is bundled too, or there would be two instances. Other packages stay as they are. */
const bundledPackage = /^(?:@bufbuild\/|@connectrpc\/|jose(?:$|\/))/;
/** They have a say in the bundle too. */
const ownSources = ["src/start/bundle.js", "src/start/make-bundle.js", "package.json"];
/** Running processes may still load a part of their bundle, so bundles of so many versions stay. */
const keptBundles = 20;

/** `node src/start/make-bundle.js <folder of bundles>` makes a bundle and says in current.json what it was made from. */
const [bundles = ""] = process.argv.slice(2);
const name = randomUUID();
const folder = join(bundles, name);
/** @type {Map<string, Buffer>} */
const sources = new Map(ownSources.map((path) => [path, readFileSync(join(root, path))]));
mkdirSync(folder, { mode: 0o700 });
try {
  const bundle = await rolldown({
    cwd: root,
    input: "./src/main.ts",
    platform: "node",
    // All modules run, as they do without a bundle.
    treeshake: false,
    // Types are stripped as Node strips them.
    tsconfig: false,
    transform: { typescript: { onlyRemoveTypeImports: true } },
    external: (id) => !id.startsWith(".") && !isAbsolute(id) && !bundledPackage.test(id),
    plugins: [{ name: "sources", load: loadSource }],
    onLog(level, log) {
      if (level === "warn") throw new Error(log.message);
    },
  });
  const names = { entryFileNames: "[name].cjs", chunkFileNames: "[name]-[hash].cjs" };
  // V8 keeps the text, in half of the memory if it is ASCII.
  const text = { charset: /** @type {const} */ ("ascii"), comments: false };
  await bundle.write({ dir: folder, format: "cjs", ...names, ...text, sourcemap: true, sourcemapExcludeSources: true });
  await bundle.close();
  const paths = [...sources.keys()];
  if (!paths.includes("src/main.ts")) throw new Error("the sources are not noted");
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
 * Notes the bytes that are bundled, so that a change while the bundle is made is not missed. Of a package its package.json stands for all.
 * The URL of a source remains what it is without a bundle.
 * @param {string} id
 */
function loadSource(id) {
  if (!isAbsolute(id)) return null;
  const path = slashed(relative(root, id));
  const packageFolder = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0];
  if (packageFolder !== undefined) {
    sources.set(`${packageFolder}/package.json`, readFileSync(join(root, packageFolder, "package.json")));
    return null;
  }
  const bytes = readFileSync(id);
  sources.set(path, bytes);
  const url = `new URL(${JSON.stringify(slashed(relative(folder, id)))}, importMeta.url).href`;
  // Scripts have no `import.meta`: run-bundle.js gives them one.
  return bytes.toString().replaceAll("import.meta.url", url).replaceAll("import.meta.resolve", "importMeta.resolve");
}

/**
 * A path of Windows as in URLs.
 * @param {string} path
 */
function slashed(path) {
  return path.replaceAll("\\", "/");
}

/** @param {string} path */
function sync(path) {
  const descriptor = openSync(path, "r+");
  fsyncSync(descriptor);
  closeSync(descriptor);
}

function removeOld() {
  const names = readdirSync(bundles, { withFileTypes: true }).filter((one) => one.isDirectory());
  const byAge = names.map((one) => join(bundles, one.name)).sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  for (const path of byAge.slice(keptBundles)) rmSync(path, { recursive: true, force: true });
}
