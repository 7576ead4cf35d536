import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** A database server as a child of the test process, which ends with it. */
export interface ServerChild {
  readonly port: number;
  readonly pid: number;
  /** Sends the signal and resolves once it has taken effect: the process is stopped, or gone. */
  kill(signal: NodeJS.Signals): Promise<void>;
}

const startTimeoutMs = 30_000;

/** Starts the server and waits until it accepts connections on its port. Rejects with its output if it exits first. */
export async function startServerChild(binary: string, args: readonly string[], port: number): Promise<ServerChild> {
  const child = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"] });
  const output: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output.push(text);
      if (output.length > 200) output.shift();
    });
  }
  const ended = once(child, "close");
  const killWithUs = () => child.kill("SIGKILL");
  process.once("exit", killWithUs);
  void ended.then(() => process.off("exit", killWithUs));

  try {
    await listening(child, port);
  } catch (error) {
    child.kill("SIGKILL");
    throw new Error(`${binary} did not start: ${(error as Error).message}\n${output.join("").slice(-4000)}`);
  }
  return {
    port,
    pid: child.pid ?? -1,
    async kill(signal) {
      child.kill(signal);
      if (signal === "SIGSTOP") await stopped(child.pid ?? -1);
      if (signal === "SIGSTOP" || signal === "SIGCONT") return;
      // A stopped process handles only this signal until it continues.
      if (signal !== "SIGKILL") child.kill("SIGCONT");
      await ended;
    },
  };
}

/** On a busy machine a process runs on for a while after it was told to stop. */
async function stopped(pid: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
    // The state follows the name in parentheses (proc_pid_stat(5)).
    if (/\) [Tt] /.test(stat)) return;
    await sleep(10);
  }
}

async function listening(child: ChildProcess, port: number): Promise<void> {
  const deadlineMs = Date.now() + startTimeoutMs;
  let spawnError: Error | undefined;
  child.once("error", (error) => {
    spawnError = error;
  });
  while (!(await takesConnections(port))) {
    if (spawnError !== undefined) throw spawnError;
    if (child.exitCode !== null || child.signalCode !== null) throw new Error("it ended");
    if (Date.now() > deadlineMs) throw new Error(`it does not listen after ${startTimeoutMs} ms`);
    await sleep(10);
  }
}

function takesConnections(port: number): Promise<boolean> {
  return new Promise((settle) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      settle(true);
    });
    socket.once("error", () => settle(false));
  });
}
