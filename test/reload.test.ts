import { hash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type App, createApp } from "../src/composition/app.ts";
import { createReload, type Reload } from "../src/composition/reload.ts";
import { completeSecrets } from "../src/config/bootstrap.ts";
import { loadConfig } from "../src/config/load.ts";
import { createLog } from "../src/telemetry/log.ts";
import { audience, startProvider, type TestProvider } from "./support/oidc-provider.ts";
import { token } from "./support/role-tokens.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

const folder = temporaryFolder();
const [kept, other] = [token(), token()];
const lines: string[] = [];
let provider: TestProvider;
let app: App;
let reloading: Reload;
let url: string;
let text = "";
let readCount = 0;

/** A configuration with a token, an issuer whose subject `ann` has the roles, and the methods of a configured role. */
function configText({ roles = ["custom"], methods = ["AdminListAuditEvents"], bearer = kept, issuers = true }): string {
  const rule = `{ when: [{ claim: sub, equals: ann }], roles: [${roles}] }`;
  const issuer = `{ name: corp, issuer: "${provider.issuer}", audience: "${audience}", algorithms: [ES256], rules: [${rule}] }`;
  return [
    `admin_tokens: [{ name: one, sha256: ${hash("sha256", bearer)}, roles: [auditor] }]`,
    `roles: { custom: [${methods}] }`,
    ...(issuers ? [`admin_issuers: [${issuer}]`] : []),
  ].join("\n");
}

beforeAll(async () => {
  provider = await startProvider();
  const environment = {
    KEYWRIGHT_PORT: "0",
    KEYWRIGHT_DATA_DIR: folder.path,
    KEYWRIGHT_ADMIN_ISSUERS_PRIVATE_ADDRESSES: "allow",
    KEYWRIGHT_DRAIN_TIMEOUT: "0s",
  };
  text = configText({});
  const readFile = () => {
    readCount += 1;
    return { path: "keywright.yaml", text };
  };
  const loaded = readFile();
  const { config, given } = loadConfig(environment, loaded);
  const { secrets } = await completeSecrets(config, given, randomBytes);
  const log = createLog("info", { write: (line) => void lines.push(line) });
  app = await createApp(config, secrets, log, "0.0.0");
  ({ url } = await app.listen(null));
  reloading = createReload({ app, log, environment, loaded, readFile, generatedTokens: [] });
});
afterAll(async () => {
  reloading?.[Symbol.dispose]();
  await app?.close();
  await provider?.[Symbol.asyncDispose]();
  folder.remove();
});

async function statusOf(bearer: string, path = "auditEvents"): Promise<number> {
  return (await fetch(`${url}/v2alpha1/admin/${path}`, { headers: { authorization: `Bearer ${bearer}` } })).status;
}

function reload(newer: Parameters<typeof configText>[0] | string): void {
  text = typeof newer === "string" ? newer : configText(newer);
  reloading.reload();
}

function jwt(sub = "ann"): Promise<string> {
  const nowS = Math.floor(Date.now() / 1000);
  return provider.sign({ iss: provider.issuer, aud: audience, sub, iat: nowS, exp: nowS + 300 });
}

test("a reload changes the permissions of callers that were admitted before", async () => {
  const ann = await jwt();
  expect([await statusOf(ann), await statusOf(ann, "issuedApiKeys"), await statusOf(kept)]).toEqual([200, 403, 200]);
  reload({ methods: ["AdminListIssuedApiKeys"] });
  expect([await statusOf(ann), await statusOf(ann, "issuedApiKeys")]).toEqual([403, 200]);
  reload({ roles: ["verifier"] });
  expect([await statusOf(ann), await statusOf(ann, "issuedApiKeys")]).toEqual([403, 403]);
  reload({ roles: ["auditor"], bearer: other });
  expect([await statusOf(ann), await statusOf(kept), await statusOf(other)]).toEqual([200, 401, 200]);
  reload({ issuers: false });
  expect([await statusOf(ann), await statusOf(other), await statusOf(kept)]).toEqual([401, 401, 200]);
  reload({});
  expect(await statusOf(ann)).toBe(200);
});

test.each([
  ["is empty", () => "\n", /keywright\.yaml: is empty/],
  ["is not YAML", () => "{", /line 1/],
  ["has an unknown role", () => configText({ roles: ["nobody"] }), /admin_issuers\[0\]\.rules\[0\]\.roles/],
  ["names an unknown method", () => configText({ methods: ["AdminDoAnything"] }), /roles\.custom/],
  ["admits nobody", () => "roles: {}\n", /admin_tokens: must have at least one token/],
])("a file that %s changes nothing, and the log gives the reason", async (_, make, problem) => {
  const ann = await jwt();
  reload({});
  const before = lines.length;
  reload(make());
  expect(lines.slice(before)).toHaveLength(1);
  expect(lines.at(-1)).toMatch(problem);
  expect([await statusOf(ann), await statusOf(kept), await statusOf(other)]).toEqual([200, 200, 401]);
});

test("a reload names changed settings that need a restart, but not their values", () => {
  const before = lines.length;
  reload(`${configText({})}\nsecret: ${token()}\ndefault_ttl: 5s`);
  const [, changed] = lines.slice(before).map((line) => JSON.parse(line));
  expect(changed).toMatchObject({ settings: ["secret", "default_ttl"], message: "settings were changed that need a restart" });
  expect(lines.slice(before).join()).not.toContain(/^secret: (.*)$/m.exec(text)?.[1]);
  reload({});
  expect(lines.at(-1)).toContain("were read again");
});

test("each reload reads the file once, so that the checked text is the one in use", () => {
  const before = readCount;
  reload({});
  // The watch may check the file too, but a reload does not yield to the event loop.
  expect(readCount).toBe(before + 1);
});

test("unknown callers of an issuer share one limit in the audit trail, whatever their names", async () => {
  for (let count = 0; count < 25; count += 1) expect(await statusOf(await jwt(`stranger-${count}`))).toBe(403);
  // Recorded after the strangers.
  expect(await statusOf(kept, "tenants")).toBe(403);
  const callersRefused = async () => {
    const headers = { authorization: `Bearer ${kept}` };
    const response = await fetch(`${url}/v2alpha1/admin/auditEvents?page_size=1000`, { headers });
    const { audit_events = [] } = (await response.json()) as { audit_events?: { caller: string }[] };
    return audit_events.map(({ caller }) => caller);
  };
  await expect.poll(callersRefused, { timeout: 10_000 }).toContain("one");
  const recorded = (await callersRefused()).filter((caller) => caller?.startsWith("corp:stranger-")).length;
  expect(recorded).toBeGreaterThan(0);
  // Ten per minute, and the minute may have changed in between.
  expect(recorded).toBeLessThanOrEqual(20);
});
