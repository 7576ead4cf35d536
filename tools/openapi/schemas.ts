import type { DescEnum, DescField, DescMessage } from "@bufbuild/protobuf";
import { getOption } from "@bufbuild/protobuf";
import { FieldBehavior, field_behavior } from "../../gen/google/api/field_behavior_pb.ts";
import { isRequired } from "./bounds.ts";
import { commentOf, described } from "./comments.ts";
import { fieldSchema } from "./fields.ts";
import { type Json, schemaRef } from "./json-schema.ts";

export interface BodyOptions {
  readonly inPath: readonly DescField[];
  /** Whether fields that cannot be changed must have the values that they have. */
  readonly isUpdate: boolean;
}

/** Collects the schemas of the document. */
export interface Schemas {
  /** Refers to the schema of a message or an enum. */
  ref(desc: DescMessage | DescEnum): Json;
  /** Refers to the schema of a request body: a message without the fields in the path. An empty body is an empty message. */
  body(name: string, desc: DescMessage, options: BodyOptions): { schema: Json; isNeeded: boolean };
  /** The schema of one field, for a parameter. */
  ofField(field: DescField): Json;
  /** All of them by name, sorted. */
  all(): Json;
}

/**
 * `inRequests` contains the messages in requests. These are closed, because the server refuses unknown members. Others are open, so that
 * strict clients accept members that a later version adds.
 */
export function createSchemas(inRequests: ReadonlySet<DescMessage>): Schemas {
  const found = new Map<string, Json>();

  function ref(desc: DescMessage | DescEnum): Json {
    const { name } = desc;
    if (!found.has(name)) {
      found.set(name, {});
      found.set(name, desc.kind === "enum" ? enumSchema(desc) : messageSchema(desc, desc.fields));
    }
    return schemaRef(name);
  }

  function messageSchema(desc: DescMessage, fields: readonly DescField[], isBody = inRequests.has(desc)): Json {
    const required = fields.filter(isBody ? isRequired : isAlwaysSent).map(({ name }) => name);
    return {
      type: "object",
      ...described(desc),
      properties: Object.fromEntries(fields.map((field) => [field.name, fieldSchema(field, ref)])),
      ...(required.length === 0 ? {} : { required }),
      ...(isBody ? { additionalProperties: false } : {}),
    };
  }

  return {
    ref,
    body(name, desc, { inPath, isUpdate }) {
      const fields = desc.fields.filter((field) => !inPath.includes(field));
      const isOwn = inPath.length > 0 || !inRequests.has(desc);
      if (isOwn) found.set(name, isUpdate ? withReadOnly(messageSchema(desc, fields, true), fields) : messageSchema(desc, fields, true));
      return { schema: isOwn ? schemaRef(name) : ref(desc), isNeeded: fields.some(isRequired) };
    },
    ofField: (field) => fieldSchema(field, ref),
    all: () => Object.fromEntries([...found].sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

/** Marks what an update cannot change: it may be sent, but only as it is. */
function withReadOnly(schema: Json, fields: readonly DescField[]): Json {
  const properties = { ...(schema.properties as { [name: string]: Json }) };
  for (const field of fields.filter((each) => getOption(each, field_behavior).includes(FieldBehavior.IMMUTABLE))) {
    properties[field.name] = { ...properties[field.name], readOnly: true };
  }
  return { ...schema, properties };
}

function enumSchema(desc: DescEnum): Json {
  const values = desc.values.map((value) => ({ name: value.name, ...commentOf(value) }));
  const extensions = values.filter(({ isExtension }) => isExtension).map(({ name }) => name);
  const list = values.map(({ name, text }) => `- \`${name}\`: ${text}`).join("\n");
  const own = described(desc);
  return {
    type: "string",
    ...own,
    description: `${own.description}\n\n${list}`,
    enum: values.map(({ name }) => name),
    ...(extensions.length === 0 ? {} : { "x-keywright-extension-values": extensions }),
  };
}

/**
 * Returns whether every response with the message has the field: protojson/write.ts writes lists and `next_page_token` even if they are
 * empty.
 */
function isAlwaysSent(field: DescField): boolean {
  if (field.fieldKind === "list" || field.fieldKind === "map" || field.name === "next_page_token") return true;
  return getOption(field, field_behavior).includes(FieldBehavior.IDENTIFIER) || commentOf(field).text.includes("Always sent");
}
