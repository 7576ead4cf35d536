import type { MessageShape } from "@bufbuild/protobuf";
import type { FieldMask } from "@bufbuild/protobuf/wkt";
import type { ImportedApiKeySchema } from "../../../gen/keywright/v2alpha1/imported_api_key_pb.ts";
import type { IssuedApiKeySchema } from "../../../gen/keywright/v2alpha1/issued_api_key_pb.ts";
import { KeyVisibility } from "../../../gen/keywright/v2alpha1/key_policy_pb.ts";
import type { Call } from "../../call/call.ts";
import type { KeyAttributes, KeyRecord } from "../../core/key.ts";
import { attributeFields } from "../../core/key-fields.ts";
import { invalidField } from "../../error/failure.ts";
import { attributesNamed } from "../attributes.ts";
import { fieldsToWrite } from "../field-mask.ts";
import { visibilityToMessage } from "../message.ts";
import { ceilingOf, checkChange } from "../scope-ceiling.ts";

type KeySchema = typeof IssuedApiKeySchema | typeof ImportedApiKeySchema;

const writable = Object.values(attributeFields);

/** The fields that an update writes: see fieldsToWrite. `path` is where the request holds the resource. */
export function attributesToWrite(
  schema: KeySchema,
  resource: MessageShape<KeySchema>,
  updateMask: FieldMask | undefined,
  path: string,
): Partial<KeyAttributes> {
  return attributesNamed(resource, fieldsToWrite(resource, updateMask, "update_mask", schema, writable), path);
}

/**
 * Checks an update against the key. Refuses attributes that the caller may not grant. Refuses an actor or a visibility that differs from
 * the key's, because ignoring it silently would mislead the caller.
 */
export function checkUpdate(
  call: Pick<Call, "caller">,
  attributes: Partial<KeyAttributes>,
  prefix: string,
  resource: MessageShape<KeySchema>,
): (record: KeyRecord) => void {
  return (record) => {
    checkChange(ceilingOf(call), record, attributes, `${prefix}.`);
    if (resource.actorId !== "" && resource.actorId !== record.actorId) throw invalidField(`${prefix}.actor_id`, "cannot be changed");
    if (resource.visibility !== KeyVisibility.UNSPECIFIED && resource.visibility !== visibilityToMessage[record.visibility]) {
      throw invalidField(`${prefix}.visibility`, "cannot be changed; rotate the key instead");
    }
  };
}
