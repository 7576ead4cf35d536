import { readFileSync } from "node:fs";
import { hasOption } from "@bufbuild/protobuf";
import { createEcmaScriptPlugin } from "@bufbuild/protoplugin";
import { http } from "../../gen/google/api/annotations_pb.ts";
import { documentOf } from "./document.ts";

/**
 * Makes one OpenAPI document of all services in the proto folder that have HTTP paths. Its sources are the protos and the server's own
 * tables: methods (src/rpc/methods.ts) for statuses and security, errors (src/error/table.ts) for the responses of failures.
 */
export const openApiPlugin = createEcmaScriptPlugin({
  name: "protoc-gen-keywright-openapi",
  version: "v1",
  generateTs(schema) {
    const services = schema.files
      .flatMap((file) => file.services)
      .filter((service) => service.methods.some((method) => hasOption(method, http)))
      .sort((a, b) => (a.typeName < b.typeName ? -1 : 1));
    if (services.length === 0) return;
    schema.generateFile("openapi.json").print(JSON.stringify(documentOf(services, packageVersion()), null, 2));
  },
});

function packageVersion(): string {
  return (JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string }).version;
}
