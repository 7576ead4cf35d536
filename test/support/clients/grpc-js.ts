import { fromBinary, fromJson, toBinary, toJson } from "@bufbuild/protobuf";
import { type ClientUnaryCall, credentials, Client as GrpcClient, Metadata, type ServiceError } from "@grpc/grpc-js";
import { StatusSchema } from "../../../gen/google/rpc/status_pb.ts";
import {
  asObject,
  type ClientKind,
  codeName,
  detailJson,
  headersOf,
  methodNamed,
  pathOf,
  type Refusal,
  type Reply,
  refusalFrom,
} from "./client.ts";

/** gRPC with the library that most Node programs use. */
export const grpcJs: ClientKind = {
  name: "gRPC, grpc-js",
  wire: { httpVersion: "2", contentType: /^application\/grpc(\+proto)?$/, readsByGet: false },
  sendsAnyJson: false,
  open(url, defaultToken, tls) {
    const { createSsl, createInsecure } = credentials;
    const client = new GrpcClient(new URL(url).host, tls === undefined ? createInsecure() : createSsl(tls.ca, tls.key, tls.cert));
    return {
      name: grpcJs.name,
      call(methodName, request, options = {}) {
        const method = methodNamed(methodName);
        const metadata = new Metadata();
        for (const [name, value] of Object.entries(headersOf(defaultToken, options))) metadata.set(name, value);
        return new Promise<Reply>((resolve) => {
          let leading = new Metadata();
          const call: ClientUnaryCall = client.makeUnaryRequest(
            pathOf(method),
            (bytes: Uint8Array) => Buffer.from(bytes),
            (bytes: Buffer) => fromBinary(method.output, bytes),
            toBinary(method.input, fromJson(method.input, request)),
            metadata,
            (error, message) => {
              if (error !== null) resolve(refusalOf(error, leading));
              else if (message === undefined) throw new Error("neither an error nor a message");
              else {
                const response = asObject(toJson(method.output, message, { useProtoFieldName: true }));
                resolve({ ok: true, response, headers: headersFrom(leading) });
              }
            },
          );
          call.on("metadata", (received: Metadata) => {
            leading = received;
          });
        });
      },
      async [Symbol.asyncDispose]() {
        client.close();
      },
    };
  },
};

function refusalOf(error: ServiceError, leading: Metadata): Refusal {
  const [packed] = error.metadata.get("grpc-status-details-bin");
  const details = packed instanceof Buffer ? fromBinary(StatusSchema, packed).details : [];
  const headers = headersFrom(leading);
  for (const [name, value] of headersFrom(error.metadata)) headers.set(name, value);
  return refusalFrom({
    code: codeName(error.code),
    details: details.map(({ typeUrl, value }) => detailJson(typeUrl.slice(typeUrl.lastIndexOf("/") + 1), value)),
    message: error.details,
    headers,
  });
}

function headersFrom(metadata: Metadata): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(metadata.getMap())) {
    headers.set(name, typeof value === "string" ? value : value.toString("base64"));
  }
  return headers;
}
