import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findExecutable } from "../../scripts/find-executable.ts";
import { findTool } from "../../scripts/test-tools.ts";
import { type ServerProcess, startServer } from "../support/server-process.ts";

/** The official crate of the reference's version, ory-client 1.22.43, driven by test/clients/rust: every function of its api_keys_api. */
const session = findTool("ory-client-session");
const isDue = process.env.CI !== undefined && findExecutable("cargo") !== undefined;
const title = `ory-client 1.22.43${session === undefined ? " (skipped: npm run test:tools builds it if Cargo is installed)" : ""}`;

describe.skipIf(session === undefined && !isDue)(title, () => {
  let server: ServerProcess;
  let crate: ChildProcessWithoutNullStreams;
  let answers: AsyncIterator<string>;
  const called = new Set<string>();
  beforeAll(async () => {
    server = await startServer();
    crate = spawn(String(session), [server.url, server.adminToken]);
    answers = createInterface(crate.stdout)[Symbol.asyncIterator]();
  });
  afterAll(async () => {
    crate?.kill();
    await server?.[Symbol.asyncDispose]();
  });

  /** What the crate made of the response: `ok`, its error for a status, or one of its own errors. */
  const call = async (name: string, request: JsonObject = {}): Promise<{ ok?: JsonObject; status?: number; client_error?: string }> => {
    called.add(name);
    crate.stdin.write(`${JSON.stringify({ function: name, ...request })}\n`);
    const { value, done } = await answers.next();
    if (done === true) throw new Error("the crate's process exited");
    return JSON.parse(value);
  };
  const ok = async (name: string, request?: JsonObject): Promise<Record<string, unknown>> => {
    const answer = await call(name, request);
    expect(answer).toEqual({ ok: expect.anything() });
    return answer.ok as JsonObject;
  };
  const verify = (credential: string) => ok("admin_verify_api_key", { body: { credential }, cache_control: "no-cache" });
  const issue = async () => {
    const { issued_api_key, secret } = await ok("admin_issue_api_key", {
      body: { name: "ci", actor_id: "ann", scopes: ["read"], ttl: "24h" },
    });
    return { key_id: (issued_api_key as { key_id: string }).key_id, secret: String(secret) };
  };
  /** The crate cannot handle a response without a body: it reports an error although the call succeeded. */
  const bodyless = { client_error: expect.stringContaining("error in serde: Received `application/octet-stream`") };

  test("issued keys from issue to revocation", async () => {
    const { key_id, secret } = await issue();
    expect(await verify(secret)).toMatchObject({ is_valid: true, key_id, scopes: ["read"] });
    expect(await ok("admin_get_issued_api_key", { key_id })).toMatchObject({ name: "ci", status: "KEY_STATUS_ACTIVE" });
    const listed = await ok("admin_list_issued_api_keys", { page_size: 10, filter: 'actor_id="ann"' });
    expect(listed).toMatchObject({ issued_api_keys: [{ key_id }] });
    expect(await ok("admin_update_issued_api_key", { key_id, body: { name: "cd" }, update_mask: "name" })).toMatchObject({ name: "cd" });
    const rotated = await ok("admin_rotate_issued_api_key", { key_id, body: { scopes: ["write"] } });
    expect(rotated).toMatchObject({ old_issued_api_key: { key_id, status: "KEY_STATUS_REVOKED" }, issued_api_key: { scopes: ["write"] } });
    expect(await verify(secret)).toMatchObject({ is_valid: false, error_code: "VERIFICATION_ERROR_REVOKED" });
  });

  test("imported keys, and the empty 204 that it treats as an error", async () => {
    const { key_id } = await ok("admin_import_api_key", { body: { raw_key: "sk_one", name: "Stripe", actor_id: "ann" } });
    expect(await ok("admin_get_imported_api_key", { key_id: String(key_id) })).toMatchObject({ name: "Stripe" });
    expect(await ok("admin_list_imported_api_keys")).toMatchObject({ imported_api_keys: [{ key_id }] });
    const change = { key_id: String(key_id), body: { scopes: ["pay"] }, update_mask: "scopes" };
    expect(await ok("admin_update_imported_api_key", change)).toMatchObject({ scopes: ["pay"] });
    const reason = "REVOCATION_REASON_KEY_COMPROMISE";
    expect(await call("admin_revoke_api_key", { key_id: String(key_id), body: { reason } })).toEqual(bodyless);
    expect(await verify("sk_one")).toMatchObject({ is_valid: false, error_code: "VERIFICATION_ERROR_REVOKED" });
    expect(await call("admin_delete_imported_api_key", { key_id: String(key_id) })).toEqual(bodyless);
    expect(await call("admin_get_imported_api_key", { key_id: String(key_id) })).toMatchObject({ status: 404 });
  });

  test("batches", async () => {
    const requests = ["sk_batch", "sk_batch"].map((raw_key) => ({ raw_key, name: "Stripe", actor_id: "ann" }));
    expect(await ok("admin_batch_import_api_keys", { body: { requests } })).toMatchObject({
      results: [
        { index: 0, imported_api_key: { name: "Stripe" } },
        { index: 1, error_code: "BATCH_IMPORT_ERROR_ALREADY_EXISTS" },
      ],
      success_count: 1,
      failure_count: 1,
    });
    const credentials = ["sk_batch", "sk_absent"].map((credential) => ({ credential }));
    const verified = await ok("admin_batch_verify_api_keys", { body: { requests: credentials } });
    expect(verified).toMatchObject({ results: [{ is_valid: true }, { is_valid: false }] });
  });

  test("self-revocation", async () => {
    const { secret } = await issue();
    expect(await ok("revoke_api_key", { body: { credential: secret, reason: "REVOCATION_REASON_SUPERSEDED" } })).toEqual({});
    expect(await verify(secret)).toMatchObject({ is_valid: false });
  });

  test("the JWKS", async () => {
    expect(await ok("get_jwks")).toMatchObject({ jwks: { keys: [{ kty: "OKP", crv: "Ed25519" }] } });
  });

  test("derived tokens", async () => {
    const { secret } = await issue();
    const { token } = await ok("admin_derive_token", { body: { credential: secret, ttl: "60s" } });
    expect(token).toMatchObject({ scopes: ["read"], expire_time: expect.any(String) });
    expect(await verify((token as { token: string }).token)).toMatchObject({ is_valid: true, scopes: ["read"] });
  });

  test("every function was called", () => {
    const program = readFileSync(join(import.meta.dirname, "rust/src/main.rs"), "utf8");
    const functions = [...program.matchAll(/^ +"(\w+)" =>/gm)].map(([, name]) => name);
    expect(functions).toHaveLength(17);
    expect(functions.filter((name) => !called.has(String(name)))).toEqual([]);
  });
});
