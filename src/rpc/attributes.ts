import type { RotateIssuedApiKeyRequest } from "../../gen/keywright/v2alpha1/issued_api_key_pb.ts";
import type { KeyAttributes } from "../core/key.ts";
import { attributeFields, type OverridableField } from "../core/key-fields.ts";
import { checkMetadata } from "../core/metadata.ts";
import { scopeSet } from "../core/scopes.ts";
import { cidrsFromMessage, type FieldsOf, rateLimitPolicyFromMessage } from "./message.ts";

/**
 * The fields that hold attributes, in requests to create and rotate keys and in the keys of update requests: everything that a rotation
 * accepts.
 */
export type AttributesMessage = Omit<
  FieldsOf<RotateIssuedApiKeyRequest>,
  "keyId" | "visibility" | "overrideMask" | "gracePeriod" | "requestId" | "ttl"
>;

/** How each attribute is read. `path` is prepended to the names of invalid fields. */
const readers: { readonly [Name in keyof KeyAttributes]: (message: AttributesMessage, path: string) => KeyAttributes[Name] } = {
  name: ({ name }) => name ?? "",
  scopes: ({ scopes }) => scopeSet(scopes),
  metadata: ({ metadata }) => (metadata === undefined ? null : checkMetadata(metadata)),
  rateLimitPolicy: ({ rateLimitPolicy }) => rateLimitPolicyFromMessage(rateLimitPolicy),
  allowedCidrs: ({ ipRestriction }, path) => cidrsFromMessage(ipRestriction, path),
};

const attributeNames = Object.keys(readers) as (keyof KeyAttributes)[];

/** Reads all attributes of a message. Throws INVALID_REQUEST for values that are not valid. */
export function attributesFrom(message: AttributesMessage): KeyAttributes {
  return {
    name: readers.name(message, ""),
    scopes: readers.scopes(message, ""),
    metadata: readers.metadata(message, ""),
    rateLimitPolicy: readers.rateLimitPolicy(message, ""),
    allowedCidrs: readers.allowedCidrs(message, ""),
  };
}

/** Reads the named attributes and no others. */
export function attributesNamed(message: AttributesMessage, fields: ReadonlySet<OverridableField>, path = ""): Partial<KeyAttributes> {
  const named = attributeNames.filter((name) => fields.has(attributeFields[name]));
  return Object.fromEntries(named.map((name) => [name, readers[name](message, path)]));
}
