/**
 * The work beside the verifications, in a process of its own: `node side-work.ts <settings as JSON>`. Each kind keeps its own rate whether
 * the server is fast or not, but at most `maxInFlight` calls of a kind are in flight. Prints what it did when it is stopped.
 */
import { Agent, request } from "node:http";

interface SideWork {
  readonly port: number;
  readonly token: string;
  readonly changesPerSecond: number;
  readonly importedPerSecond: number;
}

const { port, token, changesPerSecond, importedPerSecond } = JSON.parse(process.argv[2] ?? "") as SideWork;
/** The message is the status and the reason. */
class Unavailable extends Error {}

const admin = "/v2alpha1/admin";
const batchSize = 1000;
const maxInFlight = 8;
const agent = new Agent({ keepAlive: true });
const done = new Map<string, number>();

/** A chain of changes of one key: issued, updated, disabled, enabled, rotated, the new one revoked. */
async function changeChain(step: () => Promise<void>): Promise<void> {
  const { issued_api_key: issued } = await call("POST", `${admin}/issuedApiKeys`, { name: "tail", actor_id: "tail" });
  const { key_id: keyId } = issued as { readonly key_id: string };
  await step();
  await call("PATCH", `${admin}/issuedApiKeys/${keyId}`, { name: "other", scopes: ["read"] });
  await step();
  await call("POST", `${admin}/apiKeys/${keyId}:disable`, {});
  await step();
  await call("POST", `${admin}/apiKeys/${keyId}:enable`, {});
  await step();
  const rotated = (await call("POST", `${admin}/issuedApiKeys/${keyId}:rotate`, {})).issued_api_key as { readonly key_id: string };
  await step();
  await call("POST", `${admin}/issuedApiKeys/${rotated.key_id}:revoke`, { reason: "REVOCATION_REASON_SUPERSEDED" });
  await step();
}

let imported = 0;
async function importBatch(): Promise<void> {
  const start = imported;
  imported += batchSize;
  const requests = Array.from({ length: batchSize }, (_, index) => ({
    name: `key ${start + index}`,
    actor_id: `user-${(start + index) % 1000}`,
    raw_key: `live_${process.pid}_${(start + index).toString(36).padStart(32, "0")}`,
    scopes: ["invoices:read", "invoices:write"],
    metadata: { team: "billing", stage: "production", number: start + index },
  }));
  const { success_count } = await call("POST", `${admin}/importedApiKeys:batchImport`, { requests });
  if (success_count !== batchSize) throw new Error(`imported ${success_count} of ${batchSize} keys`);
}

function call(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
  const bytes = body === undefined ? "" : JSON.stringify(body);
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json", "content-length": Buffer.byteLength(bytes) };
  return new Promise((resolve, reject) => {
    const sent = request({ agent, port, host: "127.0.0.1", method, path, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        const status = response.statusCode ?? 500;
        if (status === 503 || status === 504) return reject(new Unavailable(`${status} ${/"reason":"(\w+)"/.exec(text)?.[1]}`));
        if (status >= 300) return reject(new Error(`${method} ${path}: ${status} ${text.slice(0, 300)}`));
        resolve(text.startsWith("{") ? (JSON.parse(text) as Record<string, unknown>) : {});
      });
    });
    sent.on("error", reject);
    sent.end(bytes);
  });
}

/** Counts what was done, and outages of the server. Any other failure ends the process, because its figures would mean nothing. */
async function counted(name: string, work: () => Promise<unknown>): Promise<void> {
  const counter = await work().then(
    () => name,
    (error: unknown) => {
      if (!(error instanceof Unavailable)) throw error;
      return `failed ${name} (${error.message})`;
    },
  );
  done.set(counter, (done.get(counter) ?? 0) + 1);
}

/** Calls `work` every `intervalMs`, unless `maxInFlight` are in flight. */
function every(name: string, intervalMs: number, work: () => Promise<unknown>): void {
  let inFlight = 0;
  setInterval(async () => {
    if (inFlight >= maxInFlight) return;
    inFlight += 1;
    await counted(name, work);
    inFlight -= 1;
  }, intervalMs);
}

/** Each of the `chains` chains makes its share of the changes per second. */
async function chain(chains: number): Promise<never> {
  const stepMs = (chains * 1000) / changesPerSecond;
  let nextMs = performance.now() + Math.random() * stepMs;
  const step = async () => {
    await counted("changes", async () => {});
    nextMs += stepMs;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, nextMs - performance.now())));
  };
  for (;;) await counted("chains of changes", () => changeChain(step));
}

process.on("SIGTERM", () => {
  const parts = [...done].map(([name, count]) => `${name} ${name === "imported" ? count * batchSize : count}`);
  const importedCount = (done.get("imported") ?? 0) * batchSize;
  const seconds = (performance.now() - startMs) / 1000;
  console.info(`side work: ${parts.join(", ")}`);
  console.info(`  imported ${(importedCount / seconds).toFixed(0)} of ${importedPerSecond} keys a second`);
  process.exit(0);
});
const startMs = performance.now();
const chains = 10;
for (let index = 0; index < chains; index += 1) void chain(chains);
if (importedPerSecond > 0) every("imported", (batchSize * 1000) / importedPerSecond, importBatch);
every("lists of keys", 1000, () => call("GET", `${admin}/importedApiKeys?page_size=1000`));
every("lists of events", 1000, () => call("GET", `${admin}/auditEvents?page_size=100`));
