/**
 * `node bench/tenants.ts [rounds] [slice in ms]` measures cached verifications in an installation with 1000 tenants, each with a host, a
 * key prefix and a key, against one with one such tenant. Both run at the same time and are loaded in turns, in short slices. Prints
 * medians, and the ratio of throughput and of server CPU.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type Child, startChild } from "./child.ts";
import { type Contender, measureSlice, warmUp } from "./contender.ts";
import { http1Load } from "./http1-load.ts";
import { http1Request } from "./http1-request.ts";
import { median } from "./median.ts";

const rounds = Number(process.argv[2] ?? 15);
const sliceMs = Number(process.argv[3] ?? 400);
const tenantCount = 1000;
const connections = 32;
const token = "bench-token-of-thirty-two-characters";
const admin = "/v2alpha1/admin";

const dataDir = await mkdtemp(join(tmpdir(), "keywright-bench-tenants-"));
const children: Child[] = [];
try {
  const [one, many] = [await start("one"), await start("many")];
  // One after the other, so that neither server keeps connections of the preparation.
  const tenants: Buffer[] = [];
  while (tenants.length < tenantCount) tenants.push(await addTenant(many, tenants.length));
  const keys: Buffer[] = [];
  keys.push(await addTenant(one, 0));
  while (keys.length < tenantCount) keys.push(await verifyOf(one, { "keywright-tenant": "tenant-0" }));
  const pairs = [
    [await contender("one tenant, one key", one, keys.slice(0, 1)), await contender("1000 tenants, one key", many, tenants.slice(0, 1))],
    [await contender("one tenant, 1000 keys", one, keys), await contender("1000 tenants, a key each", many, tenants)],
  ] as const;
  const all = pairs.flat();
  await warmUp(all, sliceMs);
  for (let round = 0; round < rounds; round += 1) for (const each of all) await measureSlice(each, sliceMs);
  for (const { load } of all) load.close();
  for (const pair of pairs) print(...pair);
} finally {
  await Promise.all(children.map((child) => child.stop()));
  await rm(dataDir, { recursive: true, force: true });
}

async function start(name: string): Promise<Child> {
  const env = { KEYWRIGHT_PORT: "0", KEYWRIGHT_DATA_DIR: join(dataDir, name), KEYWRIGHT_ADMIN_TOKEN: token };
  const child = await startChild(resolve(import.meta.dirname, "../src/main.ts"), [], env);
  children.push(child);
  return child;
}

/** Returns the request that verifies the tenant's key. */
async function addTenant(child: Child, index: number): Promise<Buffer> {
  const tenant = `tenant-${index}`;
  await post(child, `${admin}/tenants?tenant_id=${tenant}`, { hosts: [`${tenant}.example`], key_prefix: `t${index}` }, {});
  return verifyOf(child, { "keywright-tenant": tenant });
}

async function verifyOf(child: Child, headers: Readonly<Record<string, string>>): Promise<Buffer> {
  const request = { name: "bench", actor_id: "user_2f6b8c1a", scopes: ["orders:read", "orders:write"] };
  const { secret } = (await post(child, `${admin}/issuedApiKeys`, request, headers)) as { secret: string };
  return http1Request(`${admin}/apiKeys:verify`, token, { credential: secret }, headers);
}

async function post({ port }: Child, path: string, body: object, headers: Readonly<Record<string, string>>): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

async function contender(name: string, child: Child, requests: readonly Buffer[]): Promise<Contender> {
  return { name, child, load: await http1Load(child.port, requests, connections), perSecond: [], cpuMicroseconds: [] };
}

function print(one: Contender, many: Contender): void {
  for (const { name, perSecond, cpuMicroseconds: cpu } of [one, many]) {
    console.info(`${name.padEnd(26)}${median(perSecond).toFixed(0).padStart(8)} a second${median(cpu).toFixed(1).padStart(8)} us CPU`);
  }
  const [throughput, cpu] = [median(many.perSecond) / median(one.perSecond), median(many.cpuMicroseconds) / median(one.cpuMicroseconds)];
  console.info(`${"".padEnd(26)}ratio: throughput ${throughput.toFixed(3)}, CPU ${cpu.toFixed(3)}`);
}
