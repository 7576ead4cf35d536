import { execFile } from "node:child_process";
import { tmpdir } from "node:os";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { fromBinary, type JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import { findExecutable } from "../../scripts/find-executable.ts";
import { findTool } from "../../scripts/test-tools.ts";
import { type ServerProcess, startServer } from "../support/server-process.ts";

/** Debugging tools, which know the API only through reflection. */
const run = promisify(execFile);
const bufFile = resolve(import.meta.dirname, "../../node_modules/.bin/buf");
const service = ApiKeysService.typeName;
let server: ServerProcess;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server?.[Symbol.asyncDispose]());

/** Outside the checkout, so that no schema is found by accident. */
const cwd = tmpdir();

interface ToolError {
  readonly code: number;
  readonly stderr: string;
}

async function bufCurl(...args: string[]): Promise<string> {
  const { stdout } = await run(bufFile, ["curl", "--http2-prior-knowledge", ...args], { cwd });
  return stdout;
}

describe("buf curl", () => {
  const call = async (protocol: string, method: string, request: JsonObject): Promise<JsonObject> => {
    const header = `Authorization: Bearer ${server.adminToken}`;
    const url = `${server.url}/${service}/${method}`;
    return JSON.parse(await bufCurl("--protocol", protocol, "--header", header, "--data", JSON.stringify(request), url));
  };

  test("lists services and methods", async () => {
    expect((await bufCurl("--list-services", server.url)).split("\n")).toEqual(expect.arrayContaining([service, "grpc.health.v1.Health"]));
    const methods = (await bufCurl("--list-methods", server.url)).split("\n");
    expect(methods).toEqual(expect.arrayContaining(ApiKeysService.methods.map(({ name }) => `${service}/${name}`)));
  });

  test.each(["grpc", "grpcweb", "connect"])("issues and verifies over %s", async (protocol) => {
    const { issuedApiKey, secret } = await call(protocol, "AdminIssueApiKey", { name: protocol, scopes: ["read"], ttl: "3600s" });
    expect(issuedApiKey).toMatchObject({ name: protocol, status: "KEY_STATUS_ACTIVE" });
    expect(await call(protocol, "AdminVerifyApiKey", { credential: String(secret) })).toMatchObject({ isValid: true, scopes: ["read"] });
    expect(await call(protocol, "AdminVerifyApiKey", { credential: "nobodys" })).toMatchObject({ isValid: false });
  });

  test.each(["grpc", "grpcweb", "connect"])("shows an error with its reason over %s", async (protocol) => {
    const url = `${server.url}/${service}/AdminListIssuedApiKeys`;
    const error: ToolError = await bufCurl("--protocol", protocol, url).then(
      () => ({ code: 0, stderr: "" }),
      (thrown: unknown) => thrown as ToolError,
    );
    // buf's exit code is eight times the code of the call: 16 is UNAUTHENTICATED.
    expect(error.code).toBe(16 * 8);
    const { code, details } = JSON.parse(error.stderr) as { code: string; details: readonly { type: string; value: string }[] };
    const info = details.find(({ type }) => type === ErrorInfoSchema.typeName);
    const { reason } = fromBinary(ErrorInfoSchema, Buffer.from(info?.value ?? "", "base64"));
    expect([code, reason]).toEqual(["unauthenticated", "UNAUTHENTICATED"]);
  });

  test("calls the health service", async () => {
    const url = `${server.url}/grpc.health.v1.Health/Check`;
    expect(JSON.parse(await bufCurl("--protocol", "grpc", "--data", JSON.stringify({ service }), url))).toEqual({ status: "SERVING" });
  });
});

const grpcurlFile = findTool("grpcurl");
const isDue = process.env.CI !== undefined && findExecutable("go", "/usr/local/go/bin/go") !== undefined;
const title = `grpcurl${grpcurlFile === undefined ? " (skipped: neither on the PATH nor built by npm run test:tools)" : ""}`;

describe.skipIf(grpcurlFile === undefined && !isDue)(title, () => {
  const grpcurl = async (...args: string[]) => {
    const { host } = new URL(server.url);
    const [flags, rest] = [args.slice(0, -1), args.slice(-1)];
    return (await run(String(grpcurlFile), ["-plaintext", ...flags, host, ...rest], { cwd })).stdout;
  };
  const call = async (method: string, request: JsonObject): Promise<JsonObject> => {
    const header = `authorization: Bearer ${server.adminToken}`;
    return JSON.parse(await grpcurl("-H", header, "-d", JSON.stringify(request), `${service}/${method}`));
  };

  test("lists and describes", async () => {
    expect(await grpcurl("list")).toContain(service);
    const { stdout } = await run(String(grpcurlFile), ["-plaintext", new URL(server.url).host, "list", service], { cwd });
    expect(stdout.trim().split("\n").toSorted()).toEqual(ApiKeysService.methods.map(({ name }) => `${service}.${name}`).toSorted());
  });

  test("issues and verifies", async () => {
    const { secret } = await call("AdminIssueApiKey", { name: "grpcurl" });
    expect(await call("AdminVerifyApiKey", { credential: String(secret) })).toMatchObject({ isValid: true });
  });
});
