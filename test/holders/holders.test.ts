import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findExecutable } from "../../scripts/find-executable.ts";
import { macaroonToText } from "../../src/core/token/macaroon-format.ts";
import { type Api, startApi } from "../support/api.ts";
import { derive } from "../support/derive.ts";
import { blocksOf } from "../support/docs.ts";
import { describeWithPython } from "../support/python.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/**
 * Third-party libraries narrow a macaroon of the server offline, and the server accepts the result. There are more caveats than js-macaroon
 * can write as binary.
 */
const caveats = ["scope = read", "ip in 10.0.0.0/8 2001:db8::/32", "ip in 10.1.0.0/16", "actor_id = Zoë", "time < 2100-01-01T00:00:00Z"];

const run = promisify(execFile);
let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api?.[Symbol.asyncDispose]());

/** Without the prefix, as libraries expect it. */
async function macaroon(): Promise<string> {
  const { secret } = await api.issue({ actor_id: "Zoë", scopes: ["read", "write"] });
  return (await derive(api, secret, { algorithm: "TOKEN_ALGORITHM_MACAROON" })).token.replace("mc_v1_", "");
}

async function expectHonoured(narrowed: string): Promise<void> {
  const verify = (request: object) => api.verify({ credential: `mc_v1_${narrowed}`, client_ip: "10.1.2.3", ...request });
  expect(await verify({})).toMatchObject({ is_valid: true, actor_id: "Zoë", scopes: ["read"] });
  expect(await verify({ client_ip: "10.2.0.1" })).toMatchObject({ error_code: "VERIFICATION_ERROR_IP_NOT_ALLOWED" });
  expect(await verify({ required_scopes: ["write"] })).toMatchObject({ error_code: "VERIFICATION_ERROR_INSUFFICIENT_SCOPE" });
}

await describeWithPython("pymacaroons", (runPython) => {
  const program = `
import sys
from pymacaroons import Macaroon
macaroon = Macaroon.deserialize(sys.argv[1])
for caveat in sys.argv[2:]: macaroon.add_first_party_caveat(caveat)
print(macaroon.serialize())
`;

  test("narrows, and the server accepts the result", async () => {
    await expectHonoured(await runPython(program, [await macaroon(), ...caveats]));
  });

  test("adds an unknown caveat, and the server refuses it", async () => {
    const credential = `mc_v1_${await runPython(program, [await macaroon(), "scope = read", "role = admin"])}`;
    expect(await api.verify({ credential })).toMatchObject({ error_code: "VERIFICATION_ERROR_INVALID_FORMAT" });
  });

  test("adds a third-party caveat, and the server refuses it", async () => {
    const thirdParty = program.replace(
      "for caveat",
      'macaroon.add_third_party_caveat("https://auth.example", "a key", "an id")\nfor caveat',
    );
    const credential = `mc_v1_${await runPython(thirdParty, [await macaroon()])}`;
    expect(await api.verify({ credential })).toMatchObject({ error_code: "VERIFICATION_ERROR_INVALID_FORMAT" });
  });
});

/** The API of js-macaroon (npm's `macaroon`), which has no types. */
interface JsMacaroon {
  addFirstPartyCaveat(caveat: string): void;
  exportBinary(): Uint8Array;
  exportJSON(): { readonly i: string; readonly c: readonly { readonly i: string }[]; readonly s64: string };
}

describe("js-macaroon", () => {
  const { importMacaroon } = createRequire(import.meta.url)("macaroon") as { importMacaroon: (text: string) => JsMacaroon };

  test("narrows with a few caveats", async () => {
    const held = importMacaroon(await macaroon());
    held.addFirstPartyCaveat("scope = read");
    const credential = `mc_v1_${Buffer.from(held.exportBinary()).toString("base64url")}`;
    expect(await api.verify({ credential })).toMatchObject({ is_valid: true, scopes: ["read"] });
  });

  test("narrows with many in the JSON format, because its binary writer fails with five", async () => {
    const held = importMacaroon(await macaroon());
    for (const caveat of caveats) held.addFirstPartyCaveat(caveat);
    expect(() => held.exportBinary()).toThrow();
    const { i: identifier, c, s64 } = held.exportJSON();
    const bytes = {
      identifier: Buffer.from(identifier),
      caveats: c.map(({ i }) => Buffer.from(i)),
      signature: Buffer.from(s64, "base64url"),
    };
    await expectHonoured(macaroonToText(bytes).replace("mc_v1_", ""));
  });
});

describe("the TypeScript in docs/tokens.md", () => {
  test("narrows with only node:crypto", async () => {
    using folder = await folderWithMacaroon();
    const program = blocksOf("docs/tokens.md", "ts").find((block) => block.includes("function narrow"));
    writeFileSync(join(folder.path, "narrow.ts"), program as string);
    const { stdout } = await run(process.execPath, ["narrow.ts"], { cwd: folder.path });
    await expectBrief(stdout.trim());
  });
});

await describeWithPython("the Python in docs/tokens.md", (runPython) => {
  test("narrows with pymacaroons", async () => {
    using folder = await folderWithMacaroon();
    await expectBrief(await runPython(blocksOf("docs/tokens.md", "python")[0] as string, [], { cwd: folder.path }));
  });
});

/** The folder after the commands of docs/tokens.md: the response to a derivation is in macaroon.json. */
async function folderWithMacaroon() {
  const folder = temporaryFolder();
  writeFileSync(join(folder.path, "macaroon.json"), JSON.stringify({ token: { token: `mc_v1_${await macaroon()}` } }));
  return folder;
}

async function expectBrief(credential: string): Promise<void> {
  const verified = await api.verify({ credential });
  expect(verified).toMatchObject({ is_valid: true, scopes: ["read"] });
  expect(Date.parse(String(verified.expire_time))).toBeLessThanOrEqual(Date.now() + 5 * 60_000);
}

describe("go-macaroon", () => {
  test("narrows, and the server accepts the result", async ({ skip }) => {
    const go = findExecutable("go", "/usr/local/go/bin/go");
    if (go === undefined) return skip("Go is neither on the PATH nor in /usr/local/go");
    using folder = temporaryFolder();
    const holder = join(folder.path, "holder");
    const built = await run(go, ["build", "-C", join(import.meta.dirname, "go-macaroon"), "-o", holder, "."], { timeout: 240_000 }).catch(
      String,
    );
    if (typeof built === "string" && process.env.CI !== undefined) throw new Error(built);
    if (typeof built === "string") return skip(`the holder cannot be built here: ${built}`);
    await expectHonoured((await run(holder, [await macaroon(), ...caveats])).stdout.trim());
  }, 300_000);
});
