/**
 * Collects the third-party `.proto` files that `proto/` imports into `.cache/protos`, which git ignores. They come from npm packages, so
 * `buf` needs no network: google/api and google/rpc from google-gax, health from grpc-health-check, reflection from @grpc/reflection,
 * Envoy's authorization from @grpc/grpc-js-xds. buf/validate is printed from the descriptor that @bufbuild/protovalidate embeds, because no
 * npm package has its source.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { file_buf_validate_validate } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { printProto2 } from "./print-proto.ts";

const targetDir = join(import.meta.dirname, "..", ".cache", "protos");
const packageDir = (name: string): string => join(import.meta.dirname, "..", "node_modules", name);

const copied: Record<string, string> = {
  "google/api/annotations.proto": "google-gax/build/protos/google/api/annotations.proto",
  "google/api/field_behavior.proto": "google-gax/build/protos/google/api/field_behavior.proto",
  "google/api/http.proto": "google-gax/build/protos/google/api/http.proto",
  "google/rpc/error_details.proto": "google-gax/build/protos/google/rpc/error_details.proto",
  "google/rpc/status.proto": "google-gax/build/protos/google/rpc/status.proto",
  "grpc/health/v1/health.proto": "grpc-health-check/proto/health/v1/health.proto",
  "grpc/reflection/v1/reflection.proto": "@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto",
  "grpc/reflection/v1alpha/reflection.proto": "@grpc/reflection/build/proto/grpc/reflection/v1alpha/reflection.proto",
};

/** Envoy's external authorization and its imports. */
const envoyRoots = ["envoy-api", "xds", "protoc-gen-validate"].map((name) => `@grpc/grpc-js-xds/deps/${name}`);
copyWithImports("envoy/service/auth/v3/external_auth.proto");

/** Adds a file of Envoy and its imports to `copied`. Imports from elsewhere are already in it, or come with buf. */
function copyWithImports(target: string): void {
  if (target in copied) return;
  const source = envoyRoots.map((root) => `${root}/${target}`).find((path) => existsSync(packageDir(path)));
  if (source === undefined) return;
  copied[target] = source;
  const text = readFileSync(packageDir(source), "utf8");
  for (const [, imported = ""] of text.matchAll(/^import (?:public )?"(.+)";/gm)) copyWithImports(imported);
}

rmSync(targetDir, { recursive: true, force: true });
for (const [target, source] of Object.entries(copied)) {
  mkdirSync(dirname(join(targetDir, target)), { recursive: true });
  copyFileSync(packageDir(source), join(targetDir, target));
}

const validateProto = join(targetDir, "buf/validate/validate.proto");
mkdirSync(dirname(validateProto), { recursive: true });
writeFileSync(validateProto, printProto2(file_buf_validate_validate.proto));
