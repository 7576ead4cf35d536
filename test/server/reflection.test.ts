import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { create, createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code, createClient } from "@connectrpc/connect";
import { connectNodeAdapter, createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Health } from "../../gen/grpc/health/v1/health_pb.ts";
import { ServerReflection, type ServerReflectionResponse } from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as AlphaServerReflection } from "../../gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import { createReflection } from "../../src/server/reflection.ts";
import { serve, type TestServer } from "./support.ts";

const buf = join(import.meta.dirname, "../../node_modules/.bin/buf");
const names = [
  "grpc.health.v1.Health",
  "grpc.reflection.v1.ServerReflection",
  "grpc.reflection.v1alpha.ServerReflection",
  "keywright.v2alpha1.ApiKeysService",
];

let server: TestServer;
let base: string;

beforeAll(async () => {
  const reflection = createReflection({ services: [ApiKeysService, Health], otherFiles: [], isAllowed: async () => true });
  const routes = connectNodeAdapter({
    routes(router) {
      reflection(router);
      router.rpc(ApiKeysService.method.getJwks, () => ({}));
    },
  });
  server = await serve(routes, { requestTimeoutMs: 30_000 });
  base = `http://127.0.0.1:${server.port}`;
});
afterAll(() => server[Symbol.asyncDispose]());

type Question = NonNullable<Parameters<ReturnType<typeof client>["serverReflectionInfo"]>[0] extends AsyncIterable<infer R> ? R : never>;
type Response = ServerReflectionResponse["messageResponse"];

function client() {
  return createClient(ServerReflection, createGrpcTransport({ baseUrl: base }));
}

async function askAll(questions: Question[]): Promise<ServerReflectionResponse[]> {
  const answers: ServerReflectionResponse[] = [];
  for await (const answer of client().serverReflectionInfo(
    (async function* () {
      yield* questions;
    })(),
  )) {
    answers.push(answer);
  }
  return answers;
}

async function ask(messageRequest: NonNullable<Question["messageRequest"]>): Promise<Response> {
  const [answer] = await askAll([{ messageRequest }]);
  return (answer as ServerReflectionResponse).messageResponse;
}

function filesOf(response: Response): FileDescriptorProto[] {
  if (response.case !== "fileDescriptorResponse") throw new Error(`no files but ${JSON.stringify(response)}`);
  return response.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
}

const notFound = { case: "errorResponse", value: { errorCode: Code.NotFound } };
const service = "keywright/v2alpha1/api_keys_service.proto";
const issued = "keywright/v2alpha1/issued_api_key.proto";

describe("server reflection", () => {
  it("lists the services and itself, and returns the request", async () => {
    const request = { host: "keys.example", messageRequest: { case: "listServices", value: "*" } } as const;
    const [answer] = await askAll([request]);
    expect(answer).toMatchObject({ validHost: "keys.example", originalRequest: request });
    expect(answer?.messageResponse).toMatchObject({ case: "listServicesResponse", value: { service: names.map((name) => ({ name })) } });
  });

  it("returns a file with all its dependencies, each once and before its own dependencies", async () => {
    const files = filesOf(await ask({ case: "fileByFilename", value: service }));
    const fileNames = files.map(({ name }) => name);
    expect(fileNames[0]).toBe(service);
    expect(new Set(fileNames).size).toBe(fileNames.length);
    expect(fileNames).toEqual(
      expect.arrayContaining([issued, "google/api/annotations.proto", "google/protobuf/descriptor.proto", "buf/validate/validate.proto"]),
    );
    for (const { dependency } of files) for (const name of dependency) expect(fileNames).toContain(name);
    const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: files.reverse() }));
    expect(registry.getService(ApiKeysService.typeName)?.methods.length).toBe(ApiKeysService.methods.length);
  });

  it("finds the file of every kind of symbol", async () => {
    const symbols: Record<string, string> = {
      "keywright.v2alpha1.ApiKeysService": service,
      "keywright.v2alpha1.ApiKeysService.AdminVerifyApiKey": service,
      "keywright.v2alpha1.IssuedApiKey": issued,
      "keywright.v2alpha1.IssuedApiKey.key_id": issued,
      "google.protobuf.Value.kind": "google/protobuf/struct.proto",
      "google.protobuf.NullValue": "google/protobuf/struct.proto",
      "google.protobuf.NULL_VALUE": "google/protobuf/struct.proto",
      "google.protobuf.FieldDescriptorProto.Type": "google/protobuf/descriptor.proto",
      "google.protobuf.FieldDescriptorProto.TYPE_BOOL": "google/protobuf/descriptor.proto",
      "google.protobuf.DescriptorProto.ExtensionRange.start": "google/protobuf/descriptor.proto",
      "google.api.http": "google/api/annotations.proto",
      "grpc.health.v1.HealthCheckResponse.ServingStatus": "grpc/health/v1/health.proto",
    };
    for (const [symbol, file] of Object.entries(symbols)) {
      expect([symbol, filesOf(await ask({ case: "fileContainingSymbol", value: symbol }))[0]?.name]).toEqual([symbol, file]);
    }
  });

  it("finds extensions and their numbers", async () => {
    const options = "google.protobuf.MethodOptions";
    const http = await ask({ case: "fileContainingExtension", value: { containingType: options, extensionNumber: 72295728 } });
    expect(filesOf(http)[0]?.name).toBe("google/api/annotations.proto");
    expect(await ask({ case: "allExtensionNumbersOfType", value: options })).toMatchObject({
      case: "allExtensionNumbersResponse",
      value: { baseTypeName: options, extensionNumber: [72295728] },
    });
    const fieldOptions = await ask({ case: "allExtensionNumbersOfType", value: "google.protobuf.FieldOptions" });
    expect(fieldOptions.case === "allExtensionNumbersResponse" && fieldOptions.value.extensionNumber).toEqual([1052, 1159, 1160]);
    const none = await ask({ case: "allExtensionNumbersOfType", value: "keywright.v2alpha1.IssuedApiKey" });
    expect(none.case === "allExtensionNumbersResponse" && none.value.extensionNumber).toEqual([]);
  });

  it("returns NOT_FOUND on a stream that continues", async () => {
    const answers = await askAll([
      { messageRequest: { case: "fileByFilename", value: "no/such.proto" } },
      { messageRequest: { case: "fileContainingSymbol", value: "no.Such" } },
      { messageRequest: { case: "fileContainingSymbol", value: "__proto__" } },
      {
        messageRequest: { case: "fileContainingExtension", value: { containingType: "google.protobuf.MethodOptions", extensionNumber: 1 } },
      },
      { messageRequest: { case: "allExtensionNumbersOfType", value: "no.Such" } },
      {},
      { messageRequest: { case: "listServices", value: "" } },
    ]);
    expect(answers.slice(0, 5).map(({ messageResponse }) => messageResponse)).toMatchObject([
      notFound,
      notFound,
      notFound,
      notFound,
      notFound,
    ]);
    expect(answers[5]?.messageResponse).toMatchObject({ case: "errorResponse", value: { errorCode: Code.InvalidArgument } });
    expect(answers[6]?.messageResponse.case).toBe("listServicesResponse");
  });

  it("sends each file once on a stream", async () => {
    const answers = await askAll([
      { messageRequest: { case: "fileByFilename", value: issued } },
      { messageRequest: { case: "fileContainingSymbol", value: "keywright.v2alpha1.ApiKeysService" } },
      { messageRequest: { case: "fileContainingSymbol", value: "keywright.v2alpha1.IssuedApiKey" } },
      { messageRequest: { case: "fileByFilename", value: service } },
    ]);
    const names = answers.map(({ messageResponse }) => filesOf(messageResponse).map(({ name }) => name));
    expect(names[0]?.[0]).toBe(issued);
    expect(names[1]?.[0]).toBe(service);
    expect(names.slice(2)).toEqual([[], []]);
    expect(new Set(names.flat()).size).toBe(names.flat().length);
    expect(
      filesOf(await ask({ case: "fileByFilename", value: service }))
        .map(({ name }) => name)
        .sort(),
    ).toEqual(names.flat().sort());
  });

  it("supports v1alpha in the same way", async () => {
    const request = { messageRequest: { case: "fileContainingSymbol", value: "keywright.v2alpha1.IssuedApiKey" } } as const;
    const alpha = createClient(AlphaServerReflection, createGrpcTransport({ baseUrl: base }));
    const questions = (async function* () {
      yield request;
    })();
    for await (const { originalRequest, messageResponse } of alpha.serverReflectionInfo(questions)) {
      expect(originalRequest).toMatchObject(request);
      expect(filesOf(messageResponse as Response)[0]?.name).toBe(issued);
    }
  });
});

describe("buf curl, with no schema given", () => {
  const run = async (...args: string[]): Promise<string> =>
    (await promisify(execFile)(buf, ["curl", "--http2-prior-knowledge", ...args])).stdout;

  it("lists methods with v1 and v1alpha", async () => {
    for (const protocol of ["grpc-v1", "grpc-v1alpha"]) {
      const methods = await run("--reflect", "--reflect-protocol", protocol, "--list-methods", base);
      expect(methods).toContain("keywright.v2alpha1.ApiKeysService/AdminVerifyApiKey");
      expect(methods).toContain("grpc.health.v1.Health/Watch");
    }
  });

  it("calls a method", async () => {
    for (const protocol of ["grpc", "grpcweb", "connect"]) {
      expect(JSON.parse(await run("--protocol", protocol, `${base}/keywright.v2alpha1.ApiKeysService/GetJwks`))).toEqual({});
    }
  });
});
