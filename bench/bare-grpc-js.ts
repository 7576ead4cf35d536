import { Server, ServerCredentials } from "@grpc/grpc-js";

/** A unary gRPC service of grpc-js that answers every call of `Check` with the bytes in the argument, which are in base64url. */
const answer = Buffer.from(process.argv[2] ?? "", "base64url");
const same = (bytes: Buffer) => bytes;
const check = {
  path: "/envoy.service.auth.v3.Authorization/Check",
  requestStream: false,
  responseStream: false,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
} as const;

const server = new Server();
server.addService({ check }, { check: (_call: unknown, callback: (error: null, bytes: Buffer) => void) => callback(null, answer) });
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  console.info(`listening on http://127.0.0.1:${port}`);
});
process.on("SIGTERM", () => process.exit(0));
