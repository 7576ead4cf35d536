/**
 * Runs the official Connect conformance suite against our own listener, lanes and stream adapter (test/conformance/server.ts): Connect,
 * gRPC and gRPC-Web over HTTP/1.1 and HTTP/2, in clear text and over TLS. Every case must pass; none is listed as known to fail. Needs the
 * suite, which `scripts/test-tools.ts` builds if Go is installed. Without the suite the run is skipped, and under CI it fails.
 */
import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rename } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { conformanceModule, findTool } from "./test-tools.ts";

const root = resolve(import.meta.dirname, "..");
const cacheDir = join(root, ".cache/conformance");
const testDir = join(root, "test/conformance");
/** The number of cases in version 1.0.7 for the features in config.yaml. Fewer means that something was left out. */
const minCases = 5256;
/** The suite gives a server ten seconds to start, too little for several at once on a busy machine. */
const maxServers = 1;

await main();

async function main(): Promise<void> {
  const tool = findTool("connectconformance");
  if (tool === undefined) {
    console.info("conformance: skipped, because connectconformance is not built (npm run test:tools builds it if Go is installed)");
    if (process.env.CI !== undefined) process.exitCode = 1;
    return;
  }
  const output = await runSuite(tool, await descriptors());
  const [, passed, failed] = /^(\d+) passed, (\d+) failed$/m.exec(output) ?? [];
  if (failed === "0" && Number(passed) >= minCases) return;
  console.error(
    `conformance: ${passed ?? "no"} cases passed and ${failed ?? "none"} failed; at least ${minCases} must pass and none may fail`,
  );
  process.exitCode = 1;
}

/** The suite's compiled protos. They come with the suite's Go module and are not ours to commit. */
async function descriptors(): Promise<string> {
  const file = join(cacheDir, `${conformanceModule.version}.binpb`);
  if (existsSync(file)) return file;
  const run = promisify(execFile);
  const { stdout } = await run("go", ["mod", "download", "-json", `${conformanceModule.path}@${conformanceModule.version}`]);
  const { Dir: moduleDir } = JSON.parse(stdout) as { Dir: string };
  await mkdir(cacheDir, { recursive: true });
  const unfinished = `${file}.${process.pid}.binpb`;
  const buf = join(root, "node_modules/.bin/buf");
  await run(buf, ["build", join(moduleDir, "proto"), "--as-file-descriptor-set", "-o", unfinished]);
  await rename(unfinished, file);
  return file;
}

/** Shows the suite's output and returns it. */
async function runSuite(tool: string, descriptorFile: string): Promise<string> {
  const options = ["--mode", "server", "--conf", join(testDir, "config.yaml"), "--max-servers", String(maxServers)];
  const suite = spawn(tool, [...options, "--", process.execPath, join(testDir, "server.ts")], {
    env: { ...process.env, KEYWRIGHT_CONFORMANCE_DESCRIPTORS: descriptorFile },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  suite.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    process.stdout.write(text);
  });
  await new Promise((settled, failed) => suite.on("close", settled).on("error", failed));
  return output;
}
