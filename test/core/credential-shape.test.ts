import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Call } from "../../src/call/call.ts";
import { completeSecrets } from "../../src/config/bootstrap.ts";
import { loadConfig } from "../../src/config/load.ts";
import { generateJwkSet } from "../../src/config/signing-key.ts";
import { createCredentials } from "../../src/core/credential.ts";
import { deriveSubkeys } from "../../src/core/subkeys.ts";
import { readJwkSets } from "../../src/core/token/jwk-set.ts";
import { createTokens } from "../../src/core/token/tokens.ts";
import { createUlid } from "../../src/core/ulid.ts";
import { contextOf } from "../../src/rpc/context.ts";
import { redactText } from "../../src/telemetry/redact.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { tokenFacts } from "../support/token-facts.ts";

const nowMs = Date.UTC(2026, 0, 1);
const secrets = { current: "s".repeat(32), retired: [] };
const prefixes = { secret: "acme_live", public: "acme_live_pub", retired: [] };
const credentials = createCredentials(secrets, prefixes, randomBytes);
const folder = temporaryFolder();

type Kind = "secret key" | "public key" | "jwt" | "macaroon" | "admin token";
const kinds: readonly Kind[] = ["secret key", "public key", "jwt", "macaroon", "admin token"];
const made = new Map<Kind, string>();

beforeAll(async () => {
  const keys = await readJwkSets([await generateJwkSet()]);
  const tokens = createTokens({ issuer: "https://issuer", keys: () => keys, macaroonKeys: deriveSubkeys(secrets, "macaroon-root") });
  const narrowing = { scopes: null, notBeforeMs: null, expireTimeMs: null, clientCidrs: [], audiences: [] };
  made.set("secret key", credentials.mint("default", createUlid(nowMs, randomBytes), "secret"));
  made.set("public key", credentials.mint("default", createUlid(nowMs, randomBytes), "public"));
  made.set("jwt", await tokens.mintJwt(tokenFacts()));
  made.set("macaroon", tokens.mintMacaroon(tokenFacts(), narrowing) as string);
  made.set("admin token", await generatedAdminToken());
});
afterAll(() => folder.remove());

async function generatedAdminToken(): Promise<string> {
  const dataDir = join(folder.path, "data");
  mkdirSync(dataDir, { mode: 0o700 });
  const { config, given } = loadConfig({ KEYWRIGHT_DATA_DIR: dataDir }, null);
  await completeSecrets(config, given, randomBytes);
  return readFileSync(join(dataDir, "admin-token"), "utf8").trim();
}

/** The end of every credential is secret. */
const tailChars = 17;

describe.each(kinds)("a %s that this service made", (kind) => {
  test.each(["", "\\n", "%0A", "abc", "_", "key="])("does not reach a log after %j", (before) => {
    const credential = made.get(kind) as string;
    const logged = redactText(`${before}${credential}, and the rest`);
    expect(logged).not.toContain(credential.slice(-tailChars));
    expect(logged).toMatch(/\[redacted\], and the rest$/);
  });

  test("does not reach a log if it is damaged or cut", () => {
    const credential = made.get(kind) as string;
    const damaged = `${credential.slice(0, -3)}.${credential.slice(-2)}`;
    for (const text of [damaged, credential.slice(0, -3)]) expect(redactText(text)).not.toContain(credential.slice(-tailChars, -3));
  });

  test("does not reach the audit trail as a request id", () => {
    const call = { method: { name: "AdminIssueApiKey" }, requestId: `id-${made.get(kind)}`, clientAddress: "", caller: undefined };
    expect(contextOf(call as unknown as Call).origin().requestId).toBe("[redacted]");
  });
});

test.each([
  ["secret key", "issued"],
  ["public key", "issued"],
  ["jwt", "jwt"],
  ["macaroon", "macaroon"],
] as const)("a %s is parsed as the kind that it is", (kind, type) => {
  expect(credentials.parse("default", made.get(kind) as string, nowMs).type).toBe(type);
});

test("neither of two credentials without a gap reaches a log", () => {
  const tail = "c2VjcmV0LXRhaWwtb2YtYS10b2tlbg";
  expect(redactText(`eyJhbGciOiJub25lIn0.mc_v1_AgJ+${tail}`)).not.toContain(tail);
  expect(redactText(`eyJhbGciOiJub25lIn0.e30.mc_v1_AgJ+${tail}`)).not.toContain(tail);
});

test("a text without a credential is logged unchanged", () => {
  for (const text of ["no key found", "tenant_v1", "kwadm", "https://example.com/v1/eye"]) expect(redactText(text)).toBe(text);
});

const root = join(import.meta.dirname, "../..");
const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
  .map((name) => `src/${name.replaceAll("\\", "/")}`)
  .filter((name) => name.endsWith(".ts") && name !== "src/core/credential-shape.ts");

test("only core/credential-shape.ts defines the shapes of credentials", () => {
  expect(sources.length).toBeGreaterThan(200);
  const spelled = sources.filter((name) => /_v1_|kwadm_|eyJ|[}"]_pub/.test(codeOf(readFileSync(join(root, name), "utf8"))));
  expect(spelled).toEqual([]);
});

/** The text without its comments, which may show examples. */
function codeOf(text: string): string {
  return text.replaceAll(/^\s*(?:\/\*\*|\*|\/\/).*$/gm, "");
}
