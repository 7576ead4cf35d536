import { globSync, readFileSync } from "node:fs";
import { dirname, join, matchesGlob, relative, resolve } from "node:path";
import { expect, test } from "vitest";
import config from "../vitest.config.ts";
import { onMongo, processes, slowest, storeless, unit } from "./projects.ts";

const root = resolve(import.meta.dirname, "..");
const testFiles = globSync("test/**/*.test.ts", { cwd: root });

interface Project {
  readonly test: { readonly name: string; readonly include: readonly string[]; readonly exclude?: readonly string[] };
}

const projects = (config.test?.projects ?? []) as unknown as readonly Project[];
const matches = (file: string, globs: readonly string[]) => globs.some((glob) => matchesGlob(file, glob));
const projectsOf = (file: string) =>
  projects
    .filter(({ test: { include, exclude = [] } }) => matches(file, include) && !matches(file, exclude))
    .map(({ test: { name } }) => name);

test("every test file is in one project, and may also be in servers-mongodb", () => {
  expect(testFiles.length).toBeGreaterThan(100);
  const wrong = testFiles
    .map((file) => [file, projectsOf(file)] as const)
    .filter(([, names]) => {
      const isTwice = names.length === 2 && names.includes("servers") && names.includes("servers-mongodb");
      return names.length !== 1 && !isTwice;
    });
  expect(wrong).toEqual([]);
});

test.each([...unit, ...processes, ...onMongo, ...storeless, ...slowest])("%s matches a file", (glob) => {
  expect(testFiles.filter((file) => matchesGlob(file, glob))).not.toEqual([]);
});

/** Modules that reach a network, a database or another process. Importing their types is harmless. */
const inputAndOutput = [
  ...["child_process", "cluster", "dgram", "http", "http2", "https", "net", "sqlite", "tls"].map((name) => `node:${name}`),
  ...["@grpc/grpc-js", "ioredis", "mongodb"],
];

/** Returns the value imports of a test file and of the helpers below test/. */
function importsOf(file: string, seen: Set<string>): string[] {
  if (seen.has(file)) return [];
  seen.add(file);
  const text = readFileSync(join(root, file), "utf8");
  const targets = [...text.matchAll(/^(?:import|export)\s(?!type\b)[^;]*?from "([^"]+)"/gm)].map((match) => match[1] as string);
  const packages = targets.filter((target) => !target.startsWith("."));
  const helpers = targets
    .filter((target) => target.startsWith("."))
    .map((target) => relative(root, resolve(root, dirname(file), target)))
    .filter((target) => target.startsWith("test/"));
  return [...packages, ...helpers.flatMap((helper) => importsOf(helper, seen))];
}

test.each(testFiles.filter((file) => matches(file, unit)))("%s makes no connection and starts no process", (file) => {
  expect(importsOf(file, new Set()).filter((target) => inputAndOutput.includes(target))).toEqual([]);
  expect(readFileSync(join(root, file), "utf8")).not.toMatch(/\bfetch\(/);
});
