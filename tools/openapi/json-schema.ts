/** A JSON Schema, or another object of the document. Its members are written in the order in which they were set. */
export type Json = { [name: string]: unknown };

/** Marks elements that the reference (Ory's OpenAPI document) does not have. */
export const extensionMark = "x-keywright-extension";

export function schemaRef(name: string): Json {
  return { $ref: `#/components/schemas/${name}` };
}
