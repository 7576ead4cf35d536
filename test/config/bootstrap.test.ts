import { execFileSync, spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { calculateJwkThumbprint, type JWK } from "jose";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
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

test("the first start creates three files for the owner only, and reports them without their values", async () => {
  const { secrets, notes } = await complete();
  expect((await readdir(dataDir)).sort()).toEqual(["admin-token", "server-secret", "signing-keys.json"]);
  expect(await modeOf(dataDir)).toBe("700");
  for (const name of await readdir(dataDir)) expect(await modeOf(join(dataDir, name))).toBe("600");

  const token = await read("admin-token");
  expect(token).toMatch(/^kwadm_[\w-]{43}$/);
  expect(secrets.adminTokens).toMatchObject([
    { name: "admin", sha256: createHash("sha256").update(token).digest(), roles: ["admin"], tenants: "*", expireTimeMs: null },
  ]);
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

test("a file that cannot be written leaves no part of it", async () => {
  await mkdir(dataDir, { mode: 0o700 });
  const script = `ulimit -f 0; exec ${process.execPath} --input-type=module -e "$0"`;
  const code = `
    import { createWhole } from ${JSON.stringify(new URL("../../src/config/generated-file.ts", import.meta.url).href)};
    await createWhole(${JSON.stringify(join(dataDir, "admin-token"))}, "secret", "x").catch(({ code }) => process.exit(code === "EFBIG" ? 3 : 4));
  `;
  expect(spawnSync("bash", ["-c", script, code]).status).toBe(3);
  expect(await readdir(dataDir)).toEqual([]);
});

test("later starts use the files", async () => {
  const first = await complete();
  await writeFile(join(dataDir, "keywright.db"), "", { mode: 0o600 });
  const second = await complete();
  expect(second.secrets).toEqual(first.secrets);
  expect(second.notes).toEqual([]);
});

test("a start with a secret and without its store warns that a new store begins", async () => {
  await complete();
  const text = `a new key store begins, but ${join(dataDir, "server-secret")} exists; restore a backup if keys are missing`;
  expect((await complete()).notes).toEqual([{ level: "warn", file: join(dataDir, "keywright.db"), text }]);
});

test("concurrent starts agree", async () => {
  const outcomes = await Promise.all(Array.from({ length: 8 }, () => complete()));
  for (const { secrets } of outcomes) expect(secrets).toEqual(outcomes[0]?.secrets);
  expect(outcomes.flatMap(({ notes }) => notes.filter(({ level }) => level === "info"))).toHaveLength(3);
  expect(await readdir(dataDir)).toHaveLength(3);
});

test("secrets that are configured are not generated", async () => {
  const { secrets } = await complete({
    KEYWRIGHT_SECRET: "s".repeat(32),
    KEYWRIGHT_ADMIN_TOKEN: "t".repeat(32),
    KEYWRIGHT_SIGNING_KEYS: "file:///keys.json",
  });
  expect(secrets.serverSecrets.current).toBe("s".repeat(32));
  expect(secrets.signingKeys).toEqual(["file:///keys.json"]);
  await expect(readdir(dataDir)).rejects.toThrow("ENOENT");
});

async function problemsOf(starting: Promise<unknown>): Promise<readonly string[]> {
  const error = await starting.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ name: "ConfigError" });
  return (error as { problems: readonly string[] }).problems;
}

/** Runs the command in a problem's text. */
const mend = (problem: string) => execFileSync("sh", ["-c", problem.slice(problem.indexOf("run: ") + "run: ".length)]);

describe.skipIf(process.getuid === undefined)("permissions of other users of the machine", () => {
  test.each([0o770, 0o707, 0o777, 0o2775, 0o720])("a data folder of mode %o is refused before anything is created in it", async (mode) => {
    await mkdir(dataDir);
    await chmod(dataDir, mode);
    const problems = await problemsOf(complete());
    expect(problems).toEqual([`${dataDir}: other users may write to this folder; run: chmod go-w ${dataDir}`]);
    expect(await readdir(dataDir)).toEqual([]);
    mend(problems[0] as string);
    await complete();
  });

  test("a folder for everybody, such as /tmp, is refused without advice to change its mode", async () => {
    await mkdir(dataDir);
    await chmod(dataDir, 0o1777);
    expect(await problemsOf(complete())).toEqual([`${dataDir}: other users may write to this folder; use a folder of its own`]);
  });

  test("all readable files, and the folder, are reported at once with commands that fix them", async () => {
    dataDir = join(root, "it's a folder");
    await complete();
    const names = ["admin-token", "keywright.db", "keywright.db-wal", "server-secret", "signing-keys.json"];
    for (const name of names.slice(1, 3)) await writeFile(join(dataDir, name), "");
    const modes = [0o604, 0o644, 0o640, 0o660, 0o602];
    for (const [index, name] of names.entries()) await chmod(join(dataDir, name), modes[index] as number);
    await chmod(dataDir, 0o777);
    const problems = await problemsOf(complete());
    expect(problems.map((problem) => problem.slice(0, problem.indexOf(";")))).toEqual([
      `${dataDir}: other users may write to this folder`,
      ...names.map((name) => `${join(dataDir, name)}: other users may read or write this file`),
    ]);
    for (const problem of problems) mend(problem);
    await complete();
  });

  test("a store elsewhere is checked too, but not other files in its folder", async () => {
    const elsewhere = join(root, "elsewhere");
    await mkdir(elsewhere, { mode: 0o700 });
    for (const name of ["keys.db", "keys.db-wal", "keys.db-journal", "other"]) {
      await writeFile(join(elsewhere, name), "");
      await chmod(join(elsewhere, name), 0o644);
    }
    await chmod(elsewhere, 0o775);
    const settings = { KEYWRIGHT_STORE: `sqlite://${join(elsewhere, "keys.db")}`, KEYWRIGHT_SECRET: "s".repeat(32) };
    const problems = await problemsOf(complete(settings));
    expect(problems.map((problem) => problem.split(":")[0])).toEqual([
      elsewhere,
      ...["keys.db", "keys.db-journal", "keys.db-wal"].map((name) => join(elsewhere, name)),
    ]);
    for (const problem of problems) mend(problem);
    await complete(settings);
  });

  test.runIf(process.getuid?.() === 0)("a folder or file of another user is refused", async () => {
    await complete();
    await chown(dataDir, 12345, 0);
    await chown(join(dataDir, "server-secret"), 12345, 0);
    const problems = await problemsOf(complete());
    expect(problems).toEqual([
      `${dataDir}: belongs to another user (uid 12345); run: chown 0 ${dataDir}`,
      `${join(dataDir, "server-secret")}: belongs to another user (uid 12345); run: chown 0 ${join(dataDir, "server-secret")}`,
    ]);
    for (const problem of problems) mend(problem);
    await complete();
  });

  test("a data folder that is not read may belong to anybody", async () => {
    await mkdir(dataDir);
    await chmod(dataDir, 0o777);
    await complete({
      KEYWRIGHT_STORE: "mongodb://127.0.0.1/?replicaSet=rs",
      KEYWRIGHT_SECRET: "s".repeat(32),
      KEYWRIGHT_ADMIN_TOKEN: "t".repeat(32),
      KEYWRIGHT_SIGNING_KEYS: "file:///keys.json",
    });
  });
});

test.each([
  ["server-secret", "hunter2"],
  ["server-secret", ""],
  ["admin-token", "hunter2"],
  ["signing-keys.json", '{"keys": ["hunter2"'],
  ["signing-keys.json", '{"keys": []}'],
  ["signing-keys.json", '{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "hunter2", "d": "hunter2", "kid": "a", "alg": "EdDSA"}]}'],
  ["signing-keys.json", '{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "hunter2", "kid": "a", "alg": "EdDSA"}]}'],
])("a malformed %s causes an error that names the file and quotes nothing (%j)", async (name, text) => {
  await mkdir(dataDir);
  await writeFile(join(dataDir, name), text, { mode: 0o600 });
  const error = await complete().then(
    () => null,
    (error: unknown) => error,
  );
  expect(error).toMatchObject({ name: "ConfigError", problems: [expect.stringContaining(join(dataDir, name))] });
  expect(String(error)).not.toContain("hunter2");
});

test("a store whose server secret is missing is refused, because all its keys would be invalid under a new one", async () => {
  await complete();
  await writeFile(join(dataDir, "keywright.db"), "", { mode: 0o600 });
  await rm(join(dataDir, "server-secret"));
  await expect(complete()).rejects.toThrow("restore the file or set KEYWRIGHT_SECRET");
  await expect(readFile(join(dataDir, "server-secret"))).rejects.toThrow("ENOENT");
});

test.each([
  ["a file", () => dataDir, "a file of this name exists (EEXIST)"],
  ["a folder below a file", () => join(dataDir, "below"), "a part of the path is not a folder (ENOTDIR)"],
  // Node's own recursion never ends here.
  ...(process.platform === "linux"
    ? [["a folder of the system", () => "/proc/keywright", "no such file or folder (ENOENT)"] as const]
    : []),
] as const)(
  "a data folder that cannot be made because it is %s causes an error that names it and the setting",
  async (_, pathOf, reason) => {
    await writeFile(dataDir, "a file");
    const path = pathOf();
    await expect(complete({ KEYWRIGHT_DATA_DIR: path })).rejects.toMatchObject({
      name: "ConfigError",
      problems: [`KEYWRIGHT_DATA_DIR: ${path}: cannot be used: ${reason}`],
    });
  },
);

test("a retired secret must not be the generated one", async () => {
  await complete();
  await expect(complete({ KEYWRIGHT_SECRETS_RETIRED: await read("server-secret") })).rejects.toThrow(
    "KEYWRIGHT_SECRETS_RETIRED: must differ",
  );
});
