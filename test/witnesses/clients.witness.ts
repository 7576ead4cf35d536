/** Clients that third-party generators make from the document issue, list, verify, rotate and revoke keys. */
import { symlink, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ServerProcess, startServer } from "../support/server-process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { run } from "./support/fetched.ts";
import { needs } from "./support/needs.ts";
import { npmPackages, pythonPackages } from "./support/packages.ts";

const root = resolve(import.meta.dirname, "../..");
const document = join(root, "gen/openapi.json");
/** The output of each session: the steps with their results. */
const steps = [
  "issued first",
  "listed first",
  "verified True",
  "rotated",
  "refused VERIFICATION_ERROR_REVOKED",
  "revoked 204",
  "404 KEY_NOT_FOUND",
];

const pythonSession = `
import sys
from keywright_client import AuthenticatedClient
from keywright_client.api.api_keys_service import (
    admin_get_issued_api_key, admin_issue_api_key, admin_list_issued_api_keys, admin_revoke_api_key, admin_rotate_issued_api_key, admin_verify_api_key)
from keywright_client.models import (
    AdminRevokeApiKeyBody, AdminRotateIssuedApiKeyBody, IssueApiKeyRequest, RevocationReason, Status, VerifyApiKeyRequest)

client = AuthenticatedClient(base_url=sys.argv[1], token=sys.argv[2])
issued = admin_issue_api_key.sync(client=client, body=IssueApiKeyRequest(name="first", actor_id="user_1", scopes=["read"], ttl="3600s"))
print("issued", issued.issued_api_key.name)
listed = admin_list_issued_api_keys.sync(client=client, filter_='actor_id="user_1"', page_size=10)
print("listed", *[key.name for key in listed.issued_api_keys])
print("verified", admin_verify_api_key.sync(client=client, body=VerifyApiKeyRequest(credential=issued.secret)).is_valid)
rotated = admin_rotate_issued_api_key.sync(issued.issued_api_key.key_id, client=client, body=AdminRotateIssuedApiKeyBody(name="second"))
assert rotated.issued_api_key.name == "second" and rotated.issued_api_key.scopes == ["read"]
print("rotated")
print("refused", admin_verify_api_key.sync(client=client, body=VerifyApiKeyRequest(credential=issued.secret)).error_code)
reason = AdminRevokeApiKeyBody(reason=RevocationReason.REVOCATION_REASON_KEY_COMPROMISE)
print("revoked", int(admin_revoke_api_key.sync_detailed(rotated.issued_api_key.key_id, client=client, body=reason).status_code))
absent = admin_get_issued_api_key.sync_detailed("01ARZ3NDEKTSV4RRFFQ69G5FAV", client=client)
assert isinstance(absent.parsed, Status)
print(int(absent.status_code), absent.parsed.details[0]["reason"])
`;

const typescriptSession = `
import createClient from "openapi-fetch";
import type { paths } from "./schema.ts";

const [, , baseUrl = "", token = ""] = process.argv;
const client = createClient<paths>({ baseUrl, headers: { authorization: \`Bearer \${token}\` } });

async function verify(credential: string) {
  const { data } = await client.POST("/v2alpha1/admin/apiKeys:verify", { body: { credential } });
  return data;
}

const { data: issued } = await client.POST("/v2alpha1/admin/issuedApiKeys", {
  body: { name: "first", actor_id: "user_2", scopes: ["read"], ttl: "3600s" },
});
if (issued?.secret === undefined || issued.issued_api_key === undefined) throw new Error("no key");
console.log("issued", issued.issued_api_key.name);
const { data: listed } = await client.GET("/v2alpha1/admin/issuedApiKeys", {
  params: { query: { filter: 'actor_id="user_2"', page_size: 10 } },
});
console.log("listed", ...(listed?.issued_api_keys.map(({ name }) => name) ?? []));
console.log("verified", (await verify(issued.secret))?.is_valid === true ? "True" : "False");
const { data: rotated } = await client.POST("/v2alpha1/admin/issuedApiKeys/{key_id}:rotate", {
  params: { path: { key_id: issued.issued_api_key.key_id } },
  body: { name: "second" },
});
if (rotated?.issued_api_key?.name !== "second" || rotated.issued_api_key.scopes[0] !== "read") throw new Error("not rotated");
console.log("rotated");
console.log("refused", (await verify(issued.secret))?.error_code);
const { response } = await client.POST("/v2alpha1/admin/apiKeys/{key_id}:revoke", {
  params: { path: { key_id: rotated.issued_api_key.key_id } },
  body: { reason: "REVOCATION_REASON_KEY_COMPROMISE" },
});
console.log("revoked", response.status);
const absent = await client.GET("/v2alpha1/admin/issuedApiKeys/{key_id}", { params: { path: { key_id: "01ARZ3NDEKTSV4RRFFQ69G5FAV" } } });
console.log(absent.response.status, absent.error?.details[0]?.["reason"]);
`;

let server: ServerProcess;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server?.[Symbol.asyncDispose]());

const forPython = needs(() => pythonPackages("openapi-python-client==0.29.1"));
const forTypeScript = needs(npmPackages);

test("Python, with openapi-python-client", async () => {
  const packages = forPython();
  using folder = temporaryFolder();
  const env = { PATH: process.env.PATH, HOME: folder.path, PYTHONPATH: `${packages}:${folder.path}` };
  const target = join(folder.path, "keywright_client");
  await run(join(packages, "bin/openapi-python-client"), ["generate", "--path", document, "--output-path", target, "--meta", "none"], {
    env,
  });
  const { stdout } = await run("python3", ["-c", pythonSession, server.url, server.adminToken], { env });
  expect(stdout.trim().split("\n")).toEqual(steps);
});

test("TypeScript, with openapi-typescript and openapi-fetch, checked by tsc", async () => {
  const packages = join(forTypeScript(), "node_modules");
  using folder = temporaryFolder();
  await symlink(packages, join(folder.path, "node_modules"));
  await writeFile(join(folder.path, "package.json"), '{"type": "module"}');
  await writeFile(join(folder.path, "session.ts"), typescriptSession);
  await run(join(packages, ".bin/openapi-typescript"), [document, "--output", join(folder.path, "schema.ts")]);
  const types = ["--typeRoots", join(root, "node_modules/@types"), "--types", "node", "--skipLibCheck"];
  const options = ["--noEmit", "--strict", "--target", "es2024", "--module", "nodenext", "--allowImportingTsExtensions", ...types];
  await run(join(root, "node_modules/.bin/tsc"), [...options, "session.ts"], { cwd: folder.path }).catch((error) => {
    throw new Error(error.stdout);
  });
  const { stdout } = await run(process.execPath, ["session.ts", server.url, server.adminToken], { cwd: folder.path });
  expect(stdout.trim().split("\n")).toEqual(steps);
});
