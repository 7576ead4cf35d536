/** The routes of the document equal those that grpc-gateway's own generator finds in the protos. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { fetched, run } from "./support/fetched.ts";
import { needs } from "./support/needs.ts";

const root = resolve(import.meta.dirname, "../..");
const plugin = "github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-openapiv3@v2.33.0";

interface Document {
  readonly paths: Record<string, Record<string, { readonly operationId: string }>>;
}

function routesOf({ paths }: Document): string[] {
  const verbs = new Set(["get", "post", "put", "patch", "delete"]);
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.keys(item)
      .filter((verb) => verbs.has(verb))
      // Our variables have the last name of a field path, theirs the whole path.
      .map((verb) => `${verb} ${path.replaceAll(/\{(?:\w+\.)*(\w+)\}/g, "{$1}")}`),
  );
}

const tool = needs(() =>
  fetched("protoc-gen-openapiv3", plugin, async (folder) => {
    await run("go", ["install", plugin], { env: { ...process.env, GOBIN: folder, GOFLAGS: "" }, timeout: 600_000 });
  }),
);

test("protoc-gen-openapiv3 has the same routes", async () => {
  using folder = temporaryFolder();
  const template = {
    version: "v2",
    // Go requires a package per file.
    managed: { enabled: true, override: [{ file_option: "go_package_prefix", value: "keywright.example/gen" }] },
    inputs: [{ directory: "proto" }],
    plugins: [{ local: join(tool(), "protoc-gen-openapiv3"), out: folder.path, strategy: "all" }],
  };
  // `npm run protos` collects third-party protos.
  if (!existsSync(join(root, ".cache/protos"))) await run("npm", ["run", "protos"], { cwd: root });
  await run(join(root, "node_modules/.bin/buf"), ["generate", "--template", JSON.stringify(template)], { cwd: root });
  const files = readdirSync(folder.path, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".json"));
  const theirs = files.flatMap((name) => routesOf(JSON.parse(readFileSync(join(folder.path, name), "utf8")) as Document));
  const ours = routesOf(JSON.parse(readFileSync(join(root, "gen/openapi.json"), "utf8")) as Document);
  expect(ours.length).toBeGreaterThan(20);
  expect([...new Set(theirs)].sort()).toEqual(ours.sort());
});
