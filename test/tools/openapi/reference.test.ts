/**
 * Compares gen/openapi.json with the two versions of the reference, field by field, in both directions: everything in the reference must be
 * present and equal, and everything else must be marked as an extension.
 */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";

type Json = { [name: string]: unknown };

interface Document {
  readonly paths: Record<string, Record<string, Json>>;
  readonly components: { readonly schemas: Record<string, Json> };
}

const here = new URL("./reference/", import.meta.url);
const ours = JSON.parse(readFileSync(new URL("../../../gen/openapi.json", import.meta.url), "utf8")) as Document;
const references = [
  { version: "1.22.43", count: 17 },
  // Revocation has one path per kind of key.
  { version: "1.22.66", count: 18 },
].map(({ version, count }) => ({
  version,
  count,
  document: parse(readFileSync(new URL(`openapi-apikeys-${version}.yaml`, here), "utf8")) as Document,
}));

const mark = "x-keywright-extension";

/** Intentional differences, by their place in our document. */
const decided: Readonly<Record<string, string>> = {
  "GetJwksResponse.jwks": "the reference lists some members of JSON Web Keys; ours are any",
};

function resolve(document: Document, schema: Json): Json {
  const { $ref, ...siblings } = schema;
  if (typeof $ref !== "string") return schema;
  const name = $ref.slice("#/components/schemas/".length);
  return { ...resolve(document, document.components.schemas[name] as Json), ...siblings, name };
}

function members(value: unknown): Record<string, Json> {
  return (value ?? {}) as Record<string, Json>;
}

/** Returns how two schemas differ, including what is inside them. `place` is a path such as `IssuedApiKey.status`. */
function compare(place: string, reference: { document: Document; schema: Json }, schema: Json, seen: Set<string>): string[] {
  const theirs = resolve(reference.document, reference.schema);
  const own = resolve(ours, schema);
  const label = String(own.name ?? place);
  if (seen.has(label)) return [];
  if (own.name !== undefined) seen.add(label);
  const found: string[] = [];
  if (theirs.type !== own.type) found.push(`${label}: type ${own.type}, not ${theirs.type}`);
  // Formats that the reference does not state are more precise; the stated ones must be equal.
  if (theirs.format !== undefined && theirs.format !== own.format) found.push(`${label}: format ${own.format}, not ${theirs.format}`);
  if (theirs.enum !== undefined) found.push(...compareEnums(label, theirs.enum as string[], own));
  if (theirs.items !== undefined) {
    const items = { document: reference.document, schema: theirs.items as Json };
    found.push(...compare(`${label}[]`, items, (own.items ?? {}) as Json, seen));
  }
  return [...found, ...compareProperties(label, { document: reference.document, schema: theirs }, own, seen)];
}

function compareEnums(label: string, theirs: readonly string[], own: Json): string[] {
  const extensions = (own["x-keywright-extension-values"] ?? []) as string[];
  const unmarked = ((own.enum ?? []) as string[]).filter((value) => !extensions.includes(value));
  return JSON.stringify(unmarked) === JSON.stringify(theirs) ? [] : [`${label}: unmarked values ${unmarked}, not ${theirs}`];
}

function compareProperties(label: string, theirs: { document: Document; schema: Json }, own: Json, seen: Set<string>): string[] {
  const found: string[] = [];
  const ownProperties = members(own.properties);
  if (own.additionalProperties === true && own.properties === undefined) return found;
  const theirProperties = members(theirs.schema.properties);
  for (const [name, schema] of Object.entries(theirProperties)) {
    const place = `${label}.${name}`;
    const property = ownProperties[name];
    if (property === undefined) found.push(`${place}: missing`);
    else if (property[mark] === true) found.push(`${place}: marked as an extension, but the reference has it`);
    else if (decided[place] === undefined) found.push(...compare(place, { document: theirs.document, schema }, property, seen));
  }
  for (const [name, property] of Object.entries(ownProperties)) {
    const place = `${label}.${name}`;
    if (theirProperties[name] === undefined && property[mark] !== true && decided[place] === undefined) {
      found.push(`${place}: not in the reference, and not marked`);
    }
  }
  return found;
}

function jsonSchemaOf(body: unknown): Json | undefined {
  return (body as { content?: Record<string, { schema: Json }> } | undefined)?.content?.["application/json"]?.schema;
}

function compareOperation(place: string, theirs: { document: Document; operation: Json }, own: Json): string[] {
  const { document, operation } = theirs;
  const found: string[] = [];
  // 1.22.43 writes `AdminIssueAPIKey`, 1.22.66 `adminIssueApiKey`.
  if (String(operation.operationId).toLowerCase() !== String(own.operationId).toLowerCase())
    found.push(`${place}: operationId ${own.operationId}, not ${operation.operationId}`);
  const isOpen = (security: unknown) => !Array.isArray(security) || security.length === 0;
  if (isOpen(operation.security) !== isOpen(own.security)) found.push(`${place}: another security`);
  found.push(...compareParameters(place, theirs, own));
  const compareBodies = (where: string, their: Json | undefined, our: Json | undefined) => {
    if ((their === undefined) !== (our === undefined)) found.push(`${where}: only one has a body`);
    else if (their !== undefined) found.push(...compare(where, { document, schema: their }, our as Json, new Set()));
  };
  compareBodies(`${place} request`, jsonSchemaOf(operation.requestBody), jsonSchemaOf(own.requestBody));
  const [status, response] = Object.entries(members(operation.responses)).find(([name]) => name !== "default") ?? [];
  const ourResponse = members(own.responses)[String(status)];
  // A 204 has no body (RFC 9110, section 15.3.5), although 1.22.43 gives it one.
  if (status === "204" && jsonSchemaOf(ourResponse) === undefined) return found;
  if (ourResponse === undefined) found.push(`${place}: no response ${status}`);
  else compareBodies(`${place} ${status}`, jsonSchemaOf(response), jsonSchemaOf(ourResponse));
  return found;
}

function compareParameters(place: string, { document, operation }: { document: Document; operation: Json }, own: Json): string[] {
  const found: string[] = [];
  const shared = (ours as unknown as { components: { parameters: Record<string, Json> } }).components.parameters;
  const ownParameters = ((own.parameters ?? []) as Json[]).map((each) =>
    typeof each.$ref === "string" ? (shared[each.$ref.split("/").at(-1) as string] as Json) : each,
  );
  const theirParameters = (operation.parameters ?? []) as Json[];
  const nameOf = (parameter: Json) => `${parameter.in} ${parameter.name}`;
  for (const parameter of theirParameters) {
    const same = ownParameters.find((other) => nameOf(other) === nameOf(parameter));
    const where = `${place} ${nameOf(parameter)}`;
    if (same === undefined) found.push(`${where}: missing`);
    else if ((parameter.required ?? false) !== (same.required ?? false)) found.push(`${where}: required differs`);
    else found.push(...compare(where, { document, schema: parameter.schema as Json }, same.schema as Json, new Set()));
  }
  for (const parameter of ownParameters) {
    const isTheirs = theirParameters.some((other) => nameOf(other) === nameOf(parameter));
    if (isTheirs === (parameter[mark] === true)) found.push(`${place} ${nameOf(parameter)}: ${isTheirs ? "marked" : "not marked"}`);
  }
  return found;
}

test.each(references)(
  "the document contains everything in version $version of the reference unchanged, and marks the rest",
  ({ document, count }) => {
    const operations = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([verb, operation]) => ({ path, verb, operation })),
    );
    expect(operations).toHaveLength(count);
    const differences = operations.flatMap(({ path, verb, operation }) => {
      const own = ours.paths[path]?.[verb];
      const place = `${verb} ${path}`;
      if (own === undefined) return [`${place}: missing`];
      return [...compareOperation(place, { document, operation }, own), ...(own[mark] === true ? [`${place}: marked`] : [])];
    });
    expect([...new Set(differences)]).toEqual([]);
  },
);

test("operations that neither version of the reference has are marked as extensions", () => {
  const isTheirs = (path: string, verb: string) => references.some(({ document }) => document.paths[path]?.[verb] !== undefined);
  const unmarked = Object.entries(ours.paths).flatMap(([path, item]) =>
    Object.entries(item).flatMap(([verb, operation]) => (isTheirs(path, verb) || operation[mark] === true ? [] : [`${verb} ${path}`])),
  );
  // The same operation at the path where clients look for key sets (RFC 8615).
  expect(unmarked).toEqual(["get /.well-known/jwks.json"]);
});
