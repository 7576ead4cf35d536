import { spawn } from "node:child_process";
import { once } from "node:events";
import { statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { describeOnMongo } from "../support/describe-on-mongo.ts";
import { blocksOf, linkCheckout, root } from "../support/docs.ts";
import { startRedis } from "../support/redis-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** Runs commands that end in a server, in a fresh checkout, and waits until it listens. */
async function startByCommands(script: string) {
  const folder = temporaryFolder();
  const checkout = linkCheckout(join(folder.path, "checkout"));
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("KEYWRIGHT_"));
  const path = `${join(root, "node_modules/.bin")}:${process.env.PATH}`;
  const env = { ...Object.fromEntries(inherited), PATH: path, KEYWRIGHT_PORT: "0" };
  const child = spawn("bash", ["-euo", "pipefail", "-c", script], { cwd: checkout, env, detached: true });
  const ended = once(child, "close");
  // Signals the whole group, because the shell does not pass signals on to npm and node.
  const signalAll = (signal: NodeJS.Signals) => process.kill(-(child.pid as number), signal);
  let output = "";
  const url = await new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
        const listening = /"url":"([^"]+)"[^\n]*"listening"/.exec(output)?.[1];
        if (listening !== undefined) resolve(listening);
      });
    }
    void ended.then(() => reject(new Error(`the commands ended before the server listened:\n${output}`)));
  }).catch((error: unknown) => {
    folder.remove();
    throw error;
  });
  return {
    url,
    checkout,
    async [Symbol.asyncDispose]() {
      signalAll("SIGTERM");
      await ended;
      folder.remove();
    },
  };
}

test("README's commands start a server that generates its own secrets", async () => {
  const [install, start] = (blocksOf("README.md", "")[0] as string).trim().split("\n");
  expect(install).toBe("npm ci");
  await using server = await startByCommands(start as string);
  expect((await fetch(`${server.url}/health/ready`)).status).toBe(200);
  for (const name of ["server-secret", "admin-token", "signing-keys.json"]) {
    expect(statSync(join(server.checkout, "data", name)).mode & 0o777, name).toBe(0o600);
  }
});

await describeOnMongo("docs/operations.md", { members: 1 }, (mongo) => {
  test("its commands start a server on MongoDB and Redis", async ({ skip }) => {
    const redis = await startRedis({ own: true });
    if ("unavailable" in redis) return skip(`needs Redis: ${redis.unavailable}`);
    try {
      const script = (blocksOf("docs/operations.md", "").find((block) => block.includes("KEYWRIGHT_STORE=")) as string)
        .replace("mongodb://127.0.0.1:27017/keywright?replicaSet=rs0", mongo().uri.replace("/?", "/keywright?"))
        .replace("127.0.0.1:6379", `127.0.0.1:${redis.port}`);
      await using server = await startByCommands(script);
      expect((await fetch(`${server.url}/health/ready`)).status).toBe(200);
    } finally {
      await redis.stop();
    }
  });
});
