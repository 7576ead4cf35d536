import { createHash, randomBytes } from "node:crypto";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { calculateJwkThumbprint, type JWK } from "jose";
import { afterEach, beforeEach, expect, test } from "vitest";
import { completeSecrets } from "../../src/config/bootstrap.ts";
import { loadConfig } from "../../src/config/load.ts";

let root = "";
let dataDir = "";

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "keywright-bootstrap-"));
  dataDir = join(root, "data");
});

afterEach(() => rm(root, { recursive: true, force: true }));

function complete(environment: Record<string, string> = {}) {
  const { config, given } = loadConfig({ KEYWRIGHT_DATA_DIR: dataDir, ...environment });
  return completeSecrets(config, given, randomBytes);
}

const read = async (name: string) => (await readFile(join(dataDir, name), "utf8")).trim();
const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);

test("the first start makes three files for the owner only, and says so without their values", async () => {
  const { secrets, notes } = await complete();
  expect((await readdir(dataDir)).sort()).toEqual(["admin-token", "server-secret", "signing-keys.json"]);
  expect(await modeOf(dataDir)).toBe("700");
  for (const name of await readdir(dataDir)) expect(await modeOf(join(dataDir, name))).toBe("600");

  const token = await read("admin-token");
  expect(token).toMatch(/^kwadm_[\w-]{43}$/);
  expect(secrets.adminTokens).toEqual([{ name: "admin", sha256: createHash("sha256").update(token).digest(), roles: ["admin"] }]);
  expect(secrets.serverSecrets.current).toBe(await read("server-secret"));
  expect(secrets.serverSecrets.current).toHaveLength(43);

  const [key, ...more] = (JSON.parse(await read("signing-keys.json")) as { keys: JWK[] }).keys;
  expect(more).toEqual([]);
  expect(key).toMatchObject({ kty: "OKP", crv: "Ed25519", alg: "EdDSA", d: expect.any(String) });
  expect(key?.kid).toBe(await calculateJwkThumbprint(key as JWK));
  expect(secrets.signingKeys).toEqual([pathToFileURL(join(dataDir, "signing-keys.json")).href]);

  expect(notes.map(({ level, file }) => `${level} ${file}`).sort()).toEqual(
    ["admin-token", "server-secret", "signing-keys.json"].map((name) => `info ${join(dataDir, name)}`),
  );
  expect(JSON.stringify(notes)).not.toContain(token);
});

test("later starts use the files", async () => {
  const first = await complete();
  const second = await complete();
  expect(second.secrets).toEqual(first.secrets);
  expect(second.notes).toEqual([]);
});

test("starts at the same time agree", async () => {
  const outcomes = await Promise.all(Array.from({ length: 8 }, () => complete()));
  for (const { secrets } of outcomes) expect(secrets).toEqual(outcomes[0]?.secrets);
  expect(outcomes.flatMap(({ notes }) => notes)).toHaveLength(3);
  expect(await readdir(dataDir)).toHaveLength(3);
});

test("what is configured is not generated", async () => {
  const { secrets } = await complete({
    KEYWRIGHT_SECRET: "s".repeat(32),
    KEYWRIGHT_ADMIN_TOKEN: "t".repeat(32),
    KEYWRIGHT_SIGNING_KEYS: "file:///keys.json",
  });
  expect(secrets.serverSecrets.current).toBe("s".repeat(32));
  expect(secrets.signingKeys).toEqual(["file:///keys.json"]);
  await expect(readdir(dataDir)).rejects.toThrow("ENOENT");
});

test("a file that others can read is a warning", async () => {
  await complete();
  await chmod(join(dataDir, "server-secret"), 0o640);
  const { notes } = await complete();
  expect(notes).toEqual([{ level: "warn", file: join(dataDir, "server-secret"), text: expect.stringContaining("0600") }]);
});

test.each([
  ["server-secret", "hunter2"],
  ["server-secret", ""],
  ["admin-token", "hunter2"],
  ["signing-keys.json", '{"keys": ["hunter2"'],
  ["signing-keys.json", '{"keys": []}'],
  ["signing-keys.json", '{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "hunter2", "d": "hunter2", "kid": "a", "alg": "EdDSA"}]}'],
  ["signing-keys.json", '{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "hunter2", "kid": "a", "alg": "EdDSA"}]}'],
])("a malformed %s is an error that names the file and quotes nothing (%j)", async (name, text) => {
  await mkdir(dataDir);
  await writeFile(join(dataDir, name), text, { mode: 0o600 });
  const error = await complete().then(
    () => null,
    (error: unknown) => error,
  );
  expect(error).toMatchObject({ name: "ConfigError", problems: [expect.stringContaining(join(dataDir, name))] });
  expect(String(error)).not.toContain("hunter2");
});

test("a store whose server secret is gone is refused, as a new secret would refuse all its keys", async () => {
  await complete();
  await writeFile(join(dataDir, "keywright.db"), "");
  await rm(join(dataDir, "server-secret"));
  await expect(complete()).rejects.toThrow("restore the file or set KEYWRIGHT_SECRET");
  await expect(readFile(join(dataDir, "server-secret"))).rejects.toThrow("ENOENT");
});

test("a data folder that cannot be made is an error that names it", async () => {
  await writeFile(dataDir, "a file");
  await expect(complete()).rejects.toMatchObject({
    name: "ConfigError",
    problems: expect.arrayContaining([expect.stringContaining(dataDir)]),
  });
});

test("a retired secret must not be the generated one", async () => {
  await complete();
  await expect(complete({ KEYWRIGHT_SECRETS_RETIRED: await read("server-secret") })).rejects.toThrow(
    "KEYWRIGHT_SECRETS_RETIRED: must differ",
  );
});
