import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ServerProcess, startServer } from "../support/server-process.ts";

/** SIGKILLs per run; `KEYWRIGHT_TEST_ROTATION_KILLS=100` for the full count. */
const rounds = Number(process.env.KEYWRIGHT_TEST_ROTATION_KILLS ?? 3);
const keysPerRound = 12;
const issuedPath = "/v2alpha1/admin/issuedApiKeys";

interface Rotation {
  readonly keyId: string;
  readonly oldSecret: string;
  readonly requestId: string;
  /** What the server acknowledged before it was killed. */
  acknowledged: { readonly newId: string; readonly secret: string } | null;
}

interface Key {
  readonly key_id: string;
  readonly superseded_by?: string;
}

let dataDir = "";
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "keywright-kill-rotation-"));
});
afterAll(() => rm(dataDir, { recursive: true, force: true }));

async function send<T>({ url, adminToken }: ServerProcess, path: string, body?: object): Promise<T> {
  const response = await fetch(url + path, {
    method: body === undefined ? "GET" : "POST",
    headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${path} answered ${response.status}: ${text}`);
  return JSON.parse(text) as T;
}

async function rotate(server: ServerProcess, { keyId, requestId }: Rotation): Promise<{ newId: string; secret: string }> {
  const body = { request_id: requestId, grace_period: "3600s" };
  const answer = await send<{ issued_api_key: Key; secret?: string }>(server, `${issuedPath}/${keyId}:rotate`, body);
  return { newId: answer.issued_api_key.key_id, secret: answer.secret ?? "" };
}

async function isValid(server: ServerProcess, credential: string): Promise<boolean> {
  return (await send<{ is_valid: boolean }>(server, "/v2alpha1/admin/apiKeys:verify", { credential })).is_valid;
}

/** Rotates new keys concurrently, and kills the server at an acknowledgement, a different one in each round. */
async function rotateUntilKilled(round: number): Promise<Rotation[]> {
  await using server = await startServer({ dataDir });
  const actor_id = `round-${round}`;
  const rotations: Rotation[] = [];
  for (let index = 0; index < keysPerRound; index += 1) {
    const { issued_api_key, secret } = await send<{ issued_api_key: Key; secret: string }>(server, issuedPath, { actor_id });
    rotations.push({ keyId: issued_api_key.key_id, oldSecret: secret, requestId: `${round}-${index}`, acknowledged: null });
  }
  let acknowledgements = 0;
  const outcomes = await Promise.allSettled(
    rotations.map(async (rotation) => {
      rotation.acknowledged = await rotate(server, rotation);
      if (acknowledgements === round % keysPerRound) process.kill(server.pid, "SIGKILL");
      acknowledgements += 1;
    }),
  );
  if (acknowledgements <= round % keysPerRound) throw outcomes.find((outcome) => outcome.status === "rejected")?.reason;
  await server.kill();
  return rotations;
}

/** Repeats every request: acknowledged rotations exist, and no key was rotated twice. */
async function expectEachOnce(round: number, rotations: readonly Rotation[]): Promise<void> {
  await using server = await startServer({ dataDir });
  for (const rotation of rotations) {
    const { acknowledged, keyId, oldSecret } = rotation;
    const repeated = await rotate(server, rotation);
    if (acknowledged !== null) {
      expect(repeated).toEqual({ newId: acknowledged.newId, secret: "" });
      expect(await isValid(server, acknowledged.secret)).toBe(true);
    }
    expect(await isValid(server, oldSecret)).toBe(true);
    expect((await send<Key>(server, `${issuedPath}/${keyId}`)).superseded_by).toBe(repeated.newId);
    const filter = encodeURIComponent(`key_id="${keyId}" AND method="AdminRotateIssuedApiKey"`);
    const { audit_events } = await send<{ audit_events: object[] }>(server, `/v2alpha1/admin/auditEvents?filter=${filter}`);
    expect(audit_events).toHaveLength(1);
  }
  const filter = encodeURIComponent(`actor_id="round-${round}"`);
  const { issued_api_keys } = await send<{ issued_api_keys: Key[] }>(server, `${issuedPath}?page_size=1000&filter=${filter}`);
  expect(issued_api_keys).toHaveLength(2 * rotations.length);
}

test(`${rounds} SIGKILLs during rotations with a request_id lose and repeat none`, {
  timeout: 30_000 + rounds * 20_000,
}, async () => {
  for (let round = 0; round < rounds; round += 1) await expectEachOnce(round, await rotateUntilKilled(round));
});
