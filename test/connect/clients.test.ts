import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { create, type DescFile, fromBinary, toBinary, toJson } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import {
  compressionBrotli,
  compressionGzip,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BadRequestSchema, ErrorInfoSchema, RequestInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import {
  type VerifyApiKeyRequest,
  VerifyApiKeyRequestSchema,
  type VerifyApiKeyResponse,
  VerifyApiKeyResponseSchema,
} from "../../gen/keywright/v2alpha1/verification_pb.ts";
import { startServer, type TestServer, verifyPath } from "./support.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server[Symbol.asyncDispose]());

const url = (httpVersion: "1.1" | "2"): string => `http://127.0.0.1:${httpVersion === "2" ? server.http2Port : server.http1Port}`;
const headers = { authorization: "Bearer test", "x-request-id": "id-1" };

const transports: [name: string, protocol: string, open: () => Transport][] = [];
for (const useBinaryFormat of [true, false]) {
  const format = useBinaryFormat ? "proto" : "json";
  for (const sendCompression of [undefined, compressionGzip, compressionBrotli]) {
    const options = { useBinaryFormat, ...(sendCompression && { sendCompression, compressMinBytes: 1 }) };
    const name = `${format}, ${sendCompression?.name ?? "identity"}`;
    for (const httpVersion of ["1.1", "2"] as const) {
      transports.push([
        `Connect, HTTP/${httpVersion}, ${name}`,
        "connect",
        () => createConnectTransport({ baseUrl: url(httpVersion), httpVersion, ...options }),
      ]);
      transports.push([
        `gRPC-Web, HTTP/${httpVersion}, ${name}`,
        "grpc-web",
        () => createGrpcWebTransport({ baseUrl: url(httpVersion), httpVersion, ...options }),
      ]);
    }
    transports.push([`gRPC, ${name}`, "grpc", () => createGrpcTransport({ baseUrl: url("2"), ...options })]);
  }
}

describe.each(transports)("%s", (_, protocol, open) => {
  it("responds, with headers", async () => {
    const client = createClient(ApiKeysService, open());
    let received = new Headers();
    const onHeader = (sent: Headers): void => {
      received = sent;
    };
    const answer = await client.adminVerifyApiKey({ credential: "k1", requiredScopes: ["a", "b"] }, { headers, onHeader });
    expect(answer).toMatchObject({ isValid: true, keyId: "k1", scopes: ["a", "b"], actorId: protocol, issuer: "127.0.0.1" });
    expect([received.get("x-request-id"), received.get("cache-status")]).toEqual(["id-1", "keywright; hit"]);
  });

  it("fails with code, details and headers", async () => {
    const client = createClient(ApiKeysService, open());
    const error = await client.adminVerifyApiKey({ credential: "violation" }, { headers }).catch(ConnectError.from);
    if (!(error instanceof ConnectError)) throw new Error("the call must fail");
    expect([error.code, error.rawMessage]).toEqual([Code.InvalidArgument, "credential: must be 100 % printable – and é"]);
    expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "INVALID_REQUEST", domain: "keywright" }]);
    expect(error.findDetails(RequestInfoSchema)).toMatchObject([{ requestId: "id-1" }]);
    expect(error.findDetails(BadRequestSchema)).toMatchObject([{ fieldViolations: [{ field: "credential" }] }]);
    expect([error.metadata.get("x-request-id"), error.metadata.get("cache-status")]).toEqual(["id-1", "keywright; hit"]);
  });

  it("refuses a call without credentials", async () => {
    const error = await createClient(ApiKeysService, open()).adminVerifyApiKey({ credential: "k1" }).catch(ConnectError.from);
    expect(error).toMatchObject({ code: Code.Unauthenticated });
    expect((error as ConnectError).metadata.get("www-authenticate")).toBe("Bearer");
  });

  it("reports that a message is too large", async () => {
    const client = createClient(ApiKeysService, open());
    // Random, so that it is also too large when compressed.
    const credential = Buffer.from(crypto.getRandomValues(new Uint8Array(65_536)))
      .toString("hex")
      .repeat(9);
    const error = await client.adminVerifyApiKey({ credential }, { headers }).catch(ConnectError.from);
    expect(error).toMatchObject({ code: Code.ResourceExhausted });
    expect((error as ConnectError).findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "BODY_TOO_LARGE" }]);
    // The connection still works.
    expect(await client.adminVerifyApiKey({ credential: "k1" }, { headers })).toMatchObject({ keyId: "k1" });
  });
});

it.each(["1.1", "2"] as const)("Connect GET, HTTP/%s", async (httpVersion) => {
  for (const useBinaryFormat of [true, false]) {
    const transport = createConnectTransport({ baseUrl: url(httpVersion), httpVersion, useBinaryFormat, useHttpGet: true });
    const client = createClient(ApiKeysService, transport);
    expect(await client.adminGetIssuedApiKey({ keyId: "k1" }, { headers })).toMatchObject({ keyId: "k1" });
    const error = await client.adminListIssuedApiKeys({}, { headers }).catch(ConnectError.from);
    expect(error).toMatchObject({ code: Code.Unimplemented });
  }
});

describe("grpc-js", () => {
  function call(
    request: { credential: string },
    deadlineMs = 5000,
  ): Promise<{ answer: VerifyApiKeyResponse; header: Metadata; status: Metadata }> {
    const client = new Client(`127.0.0.1:${server.http2Port}`, credentials.createInsecure());
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
    return new Promise((resolve, reject) => {
      let header = new Metadata();
      let answer: VerifyApiKeyResponse;
      const running = client.makeUnaryRequest(
        verifyPath,
        (message: VerifyApiKeyRequest) => Buffer.from(toBinary(VerifyApiKeyRequestSchema, message)),
        (bytes) => fromBinary(VerifyApiKeyResponseSchema, bytes),
        create(VerifyApiKeyRequestSchema, request),
        metadata,
        { deadline: Date.now() + deadlineMs },
        (error, value) => {
          if (error !== null) reject(error);
          else answer = value as VerifyApiKeyResponse;
        },
      );
      running.on("metadata", (sent) => {
        header = sent;
      });
      running.on("status", (status) => {
        client.close();
        resolve({ answer, header, status: status.metadata });
      });
    });
  }

  it("responds, with headers", async () => {
    const { answer, header } = await call({ credential: "k1" });
    expect(answer).toMatchObject({ isValid: true, keyId: "k1", actorId: "grpc" });
    expect([header.get("x-request-id"), header.get("cache-status")]).toEqual([["id-1"], ["keywright; hit"]]);
  });

  it("fails with code, details and metadata", async () => {
    const error = (await call({ credential: "violation" }).catch((reason) => reason)) as ServiceError;
    expect([error.code, error.details]).toEqual([3, "credential: must be 100 % printable – and é"]);
    expect(error.metadata.get("x-request-id")).toEqual(["id-1"]);
    const [bytes] = error.metadata.get("grpc-status-details-bin");
    expect(fromBinary(StatusSchema, bytes as Buffer).details.map(({ typeUrl }) => typeUrl)).toEqual([
      "type.googleapis.com/google.rpc.ErrorInfo",
      "type.googleapis.com/google.rpc.RequestInfo",
      "type.googleapis.com/google.rpc.BadRequest",
    ]);
  });

  it("reports that a message is too large", async () => {
    await expect(call({ credential: "x".repeat(3_000_000) })).rejects.toMatchObject({ code: 8 });
  });

  it("respects the deadline", async () => {
    await expect(call({ credential: "slow" }, 50)).rejects.toMatchObject({ code: 4 });
  });
});

describe("fetch", () => {
  it("speaks Connect", async () => {
    const post = (body: string): Promise<Response> =>
      fetch(`${url("1.1")}${verifyPath}`, { method: "POST", headers: { ...headers, "content-type": "application/json" }, body });
    const answer = await post('{"credential":"k1"}');
    expect([answer.status, await answer.json()]).toMatchObject([200, { isValid: true, keyId: "k1", actorId: "connect" }]);
    const refused = await post(`{"credential":"${"x".repeat(3_000_000)}"}`);
    expect([refused.status, await refused.json()]).toMatchObject([
      429,
      { code: "resource_exhausted", details: [{ debug: { reason: "BODY_TOO_LARGE" } }, {}] },
    ]);
  });
});

describe("buf curl", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "keywright-connect-"));
    const files = new Map<string, DescFile>();
    const add = (file: DescFile): void => {
      file.dependencies.forEach(add);
      files.set(file.name, file);
    };
    add(ApiKeysService.file);
    const set = create(FileDescriptorSetSchema, { file: [...files.values()].map(({ proto }) => proto) });
    await writeFile(join(folder, "schema.binpb"), toBinary(FileDescriptorSetSchema, set));
  });
  afterAll(() => rm(folder, { recursive: true }));

  const curl = (protocol: string, credential: string) => {
    const isGrpc = protocol === "grpc";
    const data = JSON.stringify(toJson(VerifyApiKeyRequestSchema, create(VerifyApiKeyRequestSchema, { credential })));
    const schema = join(folder, "schema.binpb");
    const target = `${url(isGrpc ? "2" : "1.1")}${verifyPath}`;
    const version = isGrpc ? ["--http2-prior-knowledge"] : [];
    return promisify(execFile)("buf", [
      "curl",
      "--schema",
      schema,
      "--protocol",
      protocol,
      ...version,
      "-H",
      "authorization: Bearer test",
      "-d",
      data,
      target,
    ]);
  };

  it.each(["grpc", "grpcweb", "connect"])("--protocol %s", async (protocol) => {
    const { stdout } = await curl(protocol, "k1");
    expect(JSON.parse(stdout)).toMatchObject({ isValid: true, keyId: "k1", actorId: protocol === "grpcweb" ? "grpc-web" : protocol });
    const failed = (await curl(protocol, "violation").catch((reason) => reason)) as { stderr: string };
    expect(failed.stderr).toMatch(/invalid_argument|INVALID_REQUEST/);
    expect(failed.stderr).toContain("must be 100 % printable");
  });
});
