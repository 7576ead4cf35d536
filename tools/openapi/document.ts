import { type DescMessage, type DescMethod, type DescService, hasOption } from "@bufbuild/protobuf";
import { http } from "../../gen/google/api/annotations_pb.ts";
import { accessOf, isOfInstallation, isRead, successes, tableMethods } from "../../src/rpc/method-table.ts";
import { commentOf } from "./comments.ts";
import { createFailures, failureSchemas } from "./failures.ts";
import { headerComponents, parameterComponents } from "./headers.ts";
import { extensionMark, type Json } from "./json-schema.ts";
import { addOperations, bodyOf, type RowFacts } from "./operations.ts";
import { createSchemas } from "./schemas.ts";

/** The service of the reference. All other services are extensions. */
const referenceService = "ApiKeysService";

const introduction = `Issues, imports, verifies, rotates and revokes API keys, and derives short-lived tokens from them.

Names are snake_case in answers; requests may use camelCase too. 64-bit integers are strings, in requests also numbers. Members that are
not set are left out; requests may write them as \`null\`.
A bad credential is not an error: verify answers 200 with \`is_valid\` false. Errors carry a \`google.rpc.ErrorInfo\` with a \`reason\`.
What \`x-keywright-extension\` marks is not in the reference, the OpenAPI document of Ory's API keys.`;

/** The OpenAPI document of services. Their methods have comments; the server's behaviour comes from its own tables. */
export function documentOf(services: readonly DescService[], version: string): Json {
  const methods = services.flatMap((service) => service.methods.filter((method) => hasOption(method, http)));
  const schemas = createSchemas(new Set(methods.flatMap(bodyMessages)));
  const failures = createFailures();
  const paths = new Map<string, Json>();
  for (const service of services) {
    const isExtension = service.name !== referenceService;
    for (const method of service.methods) {
      if (hasOption(method, http)) addOperations(paths, { service, method, row: rowOf(method), schemas, failures, isExtension });
    }
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Keywright",
      version,
      summary: "API keys as a service.",
      description: introduction,
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    // Relative to the document, which a proxy may serve below a path of its own.
    servers: [{ url: ".", description: "The server that this document comes from." }],
    security: [{ bearerToken: [] }],
    tags: services.map(tagOf),
    paths: Object.fromEntries([...paths].sort(([a], [b]) => (a < b ? -1 : 1))),
    components: {
      securitySchemes: {
        bearerToken: {
          type: "http",
          scheme: "bearer",
          description: "A token of the configuration, or a JWT of a configured issuer (docs/callers.md).",
        },
      },
      schemas: { ...schemas.all(), ...failureSchemas },
      parameters: parameterComponents,
      headers: headerComponents,
      responses: failures.responses(),
      examples: failures.examples(),
    },
  };
}

function tagOf(service: DescService): Json {
  const { text, isExtension } = commentOf(service);
  const isOurs = isExtension || service.name !== referenceService;
  return { name: service.name, description: text, ...(isOurs ? { [extensionMark]: true } : {}) };
}

/** The server's methods are those of gen/, because the plugin's methods are different objects. */
function rowOf(method: DescMethod): RowFacts {
  const served = tableMethods.find(({ name, parent }) => name === method.name && parent.typeName === method.parent.typeName);
  const access = served === undefined ? undefined : accessOf(served);
  const success = successes.get(served as DescMethod & { methodKind: "unary" });
  if (served === undefined || access === undefined || success === undefined) {
    throw new Error(`${method} has no row in src/rpc/methods.ts: add it, then run \`npm run generate\` again`);
  }
  return { access, success, isRead: isRead(served), isOfInstallation: isOfInstallation(served) };
}

/** The messages in the body of a method's requests, except a message whose place another body takes. */
function bodyMessages(method: DescMethod): DescMessage[] {
  const body = bodyOf(method);
  if (body === undefined) return [];
  const found = new Set<DescMessage>();
  if (body === "all") collect(method.input, found);
  else for (const { message } of body.message?.fields ?? []) if (message !== undefined) collect(message, found);
  return [...found];
}

function collect(message: DescMessage, found: Set<DescMessage>): void {
  if (found.has(message)) return;
  found.add(message);
  for (const field of message.fields) if (field.message !== undefined) collect(field.message, found);
}
