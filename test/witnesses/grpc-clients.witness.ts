/** The programs of docs/grpc.md, as written: each issues a key and verifies it. */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { chmod, rename } from "node:fs/promises";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findTool } from "../../scripts/test-tools.ts";
import { blocksOf } from "../support/docs.ts";
import { type ServerProcess, startServer } from "../support/server-process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { fetched, fetching, run } from "./support/fetched.ts";
import { needs } from "./support/needs.ts";
import { pythonPackages } from "./support/packages.ts";

const root = resolve(import.meta.dirname, "../..");
const page = "docs/grpc.md";
const folder = temporaryFolder();
const dist = join(folder.path, "dist");
let server: ServerProcess;
let env: Record<string, string>;

beforeAll(async () => {
  server = await startServer();
  env = {
    ...(process.env as Record<string, string>),
    TOKEN: server.adminToken,
    PATH: `${join(root, "node_modules/.bin")}:${process.env.PATH}`,
  };
  await run("npm", ["run", "release-files", "--", dist], { cwd: root });
});
afterAll(async () => {
  folder.remove();
  await server?.[Symbol.asyncDispose]();
});

function program(language: string, at = 0): string {
  return (blocksOf(page, language)[at] as string).replaceAll("127.0.0.1:4430", new URL(server.url).host);
}

/** A folder for one program, in which `dist` is that of the release. */
function place(name: string): string {
  const path = join(folder.path, name);
  mkdirSync(path);
  symlinkSync(dist, join(path, "dist"));
  return path;
}

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>example</groupId><artifactId>client</artifactId><version>1</version><dependencies>
${["grpc-netty-shaded", "grpc-protobuf", "grpc-stub"].map((name) => dependency("io.grpc", name, "1.85.1")).join("\n")}
${dependency("com.google.protobuf", "protobuf-java", "4.36.2")}
</dependencies></project>`;
function dependency(group: string, name: string, version: string): string {
  return `<dependency><groupId>${group}</groupId><artifactId>${name}</artifactId><version>${version}</version></dependency>`;
}

test("grpcurl, by the descriptor set", async ({ skip }) => {
  const grpcurl = findTool("grpcurl");
  if (grpcurl === undefined && process.env.CI === undefined) return skip("npm run test:tools builds it where Go is");
  const { stdout } = await run("bash", ["-c", program("console").replace("grpcurl", String(grpcurl))], { cwd: place("grpcurl"), env });
  expect(JSON.parse(stdout)).toMatchObject({ secret: expect.stringMatching(/^kw_v1_/) });
});

test("Go", async ({ skip }) => {
  const hasGo = await run("go", ["version"]).then(
    () => true,
    () => false,
  );
  if (!hasGo && process.env.CI === undefined) return skip("needs Go");
  const cwd = place("go");
  writeFileSync(join(cwd, "go.mod"), "module example.com/client\n\ngo 1.25\n");
  writeFileSync(join(cwd, "buf.gen.yaml"), program("yaml"));
  writeFileSync(join(cwd, "main.go"), program("go"));
  await run("buf", ["generate", join(dist, "keywright.image.binpb"), "--include-imports"], { cwd, env });
  await run("go", ["mod", "tidy"], { cwd, env });
  expect((await run("go", ["run", "."], { cwd, env })).stdout.trim()).toBe("true [read]");
});

describe("with packages", () => {
  const python = needs(() => pythonPackages("grpcio==1.76.0", "grpcio-tools==1.76.0"));
  test("Python", async () => {
    const cwd = place("python");
    writeFileSync(join(cwd, "client.py"), program("python"));
    await run("bash", ["-c", program("console", 1)], { cwd, env: { ...env, PYTHONPATH: python() } });
    const { stdout } = await run("python3", ["client.py"], { cwd, env: { ...env, PYTHONPATH: `${python()}:${cwd}` } });
    expect(stdout.trim()).toBe("True ['read']");
  });
});

describe("with libraries of Maven", () => {
  const java = needs(() =>
    fetched("java", pom, async (into) => {
      writeFileSync(join(into, "pom.xml"), pom);
      await fetching("mvn", ["-q", "-B", "dependency:copy-dependencies", `-DoutputDirectory=${join(into, "lib")}`], into);
      const protoc = "-Dartifact=com.google.protobuf:protoc:4.36.2:exe:linux-x86_64";
      await fetching("mvn", ["-q", "-B", "dependency:copy", protoc, `-DoutputDirectory=${into}`], into);
      await rename(join(into, "protoc-4.36.2-linux-x86_64.exe"), join(into, "protoc"));
      await chmod(join(into, "protoc"), 0o755);
    }),
  );

  test("Java", async () => {
    const cwd = place("java");
    writeFileSync(join(cwd, "Client.java"), program("java"));
    await run("bash", ["-c", program("console", 2)], { cwd, env: { ...env, PATH: `${java()}:${env.PATH}` } });
    const libraries = `${join(java(), "lib")}/*`;
    await run("bash", ["-c", `javac -nowarn -cp '${libraries}' -d out $(find . -name '*.java')`], { cwd });
    const { stdout } = await run("java", ["-cp", `out:${libraries}`, "Client"], { cwd, env });
    expect(stdout.trim()).toBe("true [read]");
  });
});
