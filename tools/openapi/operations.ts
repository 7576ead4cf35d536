import { type DescField, type DescMethod, type DescService, getOption } from "@bufbuild/protobuf";
import { http } from "../../gen/google/api/annotations_pb.ts";
import type { HttpRule } from "../../gen/google/api/http_pb.ts";
import type { Access, Success } from "../../src/rpc/methods.ts";
import { resolveFieldPath } from "../../src/transcode/field-path.ts";
import { parseTemplate } from "../../src/transcode/template-parser.ts";
import { isRequired } from "./bounds.ts";
import { commentOf, summarized } from "./comments.ts";
import type { Failures } from "./failures.ts";
import { requestHeaders, responseHeaders } from "./headers.ts";
import { extensionMark, type Json } from "./json-schema.ts";
import { samples } from "./samples.ts";
import type { Schemas } from "./schemas.ts";

/** The server's table entry of a method. */
export interface RowFacts {
  readonly access: Access;
  readonly isRead: boolean;
  readonly isOfInstallation: boolean;
  readonly success: Success<never>;
}

/** One way to call a method over HTTP. */
interface Binding {
  readonly verb: string;
  /** With the last name of a field path as the name of its variable: `{key_id}` for `{issued_api_key.key_id}`. */
  readonly path: string;
  readonly inPath: readonly DescField[];
  /** The field that is the body, or the whole request; undefined if there is no body. */
  readonly body: DescField | "all" | undefined;
}

export interface OperationContext {
  readonly service: DescService;
  readonly method: DescMethod;
  readonly row: RowFacts;
  readonly schemas: Schemas;
  readonly failures: Failures;
  /** True if the whole service is an extension. */
  readonly isExtension: boolean;
}

/** Adds the operations of a method to the paths of the document. */
export function addOperations(paths: Map<string, Json>, context: OperationContext): void {
  const rule = getOption(context.method, http);
  for (const [index, each] of [rule, ...rule.additionalBindings].entries()) {
    const binding = bindingOf(context.method, each);
    const item = paths.get(binding.path) ?? {};
    if (binding.verb in item) throw new Error(`${context.method}: another method has ${binding.verb} ${binding.path}`);
    item[binding.verb] = operationOf(binding, index, context);
    paths.set(binding.path, item);
  }
}

/** Returns the field that is the body of a method's requests, or "all" for the whole request; undefined if there is no body. */
export function bodyOf(method: DescMethod): DescField | "all" | undefined {
  return bindingOf(method, getOption(method, http)).body;
}

function bindingOf(method: DescMethod, { pattern, body }: HttpRule): Binding {
  if (pattern.case === undefined || pattern.case === "custom") throw new Error(`${method}: its google.api.http rule has no usual verb`);
  const variables = parseTemplate(pattern.value).variables.map(({ fieldPath }) => fieldPath);
  const lastOf = (fieldPath: string) => fieldPath.slice(fieldPath.lastIndexOf(".") + 1);
  const inPath = variables.map((fieldPath) => resolveFieldPath(method.input, fieldPath)?.at(-1) as DescField);
  const path = variables.reduce((text, fieldPath) => text.replace(`{${fieldPath}}`, `{${lastOf(fieldPath)}}`), pattern.value);
  const bodyField = body === "*" ? "all" : method.input.fields.find(({ name }) => name === body);
  return { verb: pattern.case, path, inPath, body: bodyField };
}

function operationOf(binding: Binding, index: number, context: OperationContext): Json {
  const { service, method, row, schemas, failures } = context;
  const comment = commentOf(method);
  const isPublic = row.access === "public";
  const parameters = [...parametersOf(binding, method, schemas), ...requestHeaders(method.name, !isPublic && !row.isOfInstallation)];
  return {
    operationId: `${method.localName}${index === 0 ? "" : index + 1}`,
    tags: [service.name],
    ...summarized(comment.text),
    ...(comment.isExtension || context.isExtension ? { [extensionMark]: true } : {}),
    ...(typeof row.access === "string" ? {} : { "x-keywright-roles": row.access }),
    security: isPublic ? [] : [{ bearerToken: [] }],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(binding.body === undefined ? {} : { requestBody: requestBody(binding, method, schemas) }),
    responses: {
      ...success(method, row, schemas),
      ...failures.of({
        method,
        hasBody: binding.body !== undefined,
        hasVariable: binding.inPath.length > 0,
        isPublic,
        isRead: row.isRead,
        isOfInstallation: row.isOfInstallation,
      }),
    },
  };
}

/** Variables of the path, and the fields of the request that are in neither the path nor the body. */
function parametersOf({ path, inPath, body }: Binding, method: DescMethod, schemas: Schemas): Json[] {
  const ofPath = inPath.map((field) => parameter(field, "path", { required: true, schema: { minLength: 1 } }, schemas));
  if (body === "all") return ofPath;
  const inQuery = method.input.fields.filter((field) => field !== body && !path.includes(`{${field.name}}`));
  return [...ofPath, ...inQuery.map((field) => parameter(field, "query", isRequired(field) ? { required: true } : {}, schemas))];
}

function parameter(field: DescField, where: "path" | "query", more: { required?: true; schema?: Json }, schemas: Schemas): Json {
  const { description, [extensionMark]: extension, readOnly: _, ...schema } = schemas.ofField(field);
  return {
    name: field.name,
    in: where,
    ...(more.required === undefined ? {} : { required: true }),
    description,
    ...(extension === undefined ? {} : { [extensionMark]: extension }),
    schema: { ...schema, ...more.schema },
  };
}

function requestBody({ verb, body, inPath }: Binding, method: DescMethod, schemas: Schemas): Json {
  const message = body === "all" || body === undefined ? method.input : body.message;
  if (message === undefined) throw new Error(`${method}: the body is no message`);
  const { schema, isNeeded } = schemas.body(`${method.name}Body`, message, { inPath, isUpdate: verb === "patch" });
  const example = samples[method.name];
  return {
    ...(isNeeded ? { required: true } : {}),
    content: { "application/json": { schema, ...(example === undefined ? {} : { example }) } },
  };
}

function success(method: DescMethod, { success: { status, location } }: RowFacts, schemas: Schemas): Json {
  const headers = responseHeaders(method.name, location !== undefined);
  const description = { 200: "The call succeeded.", 201: "The resource was created.", 204: "The call succeeded." }[status];
  if (status === 204) return { 204: { description, headers } };
  return { [status]: { description, headers, content: { "application/json": { schema: schemas.ref(method.output) } } } };
}
