import type { MessageShape } from "@bufbuild/protobuf";
import type { FieldMask } from "@bufbuild/protobuf/wkt";
import type { ImportedApiKeySchema } from "../../../gen/keywright/v2alpha1/imported_api_key_pb.ts";
import type { IssuedApiKeySchema } from "../../../gen/keywright/v2alpha1/issued_api_key_pb.ts";
import { KeyVisibility } from "../../../gen/keywright/v2alpha1/key_policy_pb.ts";
import type { Call } from "../../call/call.ts";
import type { KeyKind, KeyRecord } from "../../core/key.ts";
import { attributeFields } from "../../core/key-fields.ts";
import { invalidField } from "../../error/failure.ts";
import type { KeyService } from "../../service/key-service.ts";
import { updateKey } from "../../service/update.ts";
import { attributesNamed } from "../attributes.ts";
import { contextOf } from "../context.ts";
import { fieldsToWrite } from "../field-mask.ts";
import { keyToMessage, visibilityToMessage } from "../message.ts";
import { ceilingOf, checkChange } from "../scope-ceiling.ts";

type KeySchema = typeof IssuedApiKeySchema | typeof ImportedApiKeySchema;

const writable = Object.values(attributeFields);

/** The kind of key that a request updates, and how the request holds it. */
interface UpdateForm {
  readonly kind: KeyKind;
  readonly schema: KeySchema;
  /** The field of the request that holds the resource. */
  readonly field: string;
}

/** Updates a key and returns its resource. Writes the attributes that fieldsToWrite names. Refuses those that the caller may not grant. */
export async function updateFromRequest(
  service: KeyService,
  call: Call,
  { kind, schema, field }: UpdateForm,
  resource: MessageShape<KeySchema> | undefined,
  updateMask: FieldMask | undefined,
) {
  if (resource === undefined || resource.keyId === "") throw invalidField(`${field}.key_id`, "must not be empty");
  const { keyId } = resource;
  const attributes = attributesNamed(resource, fieldsToWrite(resource, updateMask, "update_mask", schema, writable), `${field}.`);
  const check = (record: KeyRecord) => {
    checkChange(ceilingOf(call), record, attributes, `${field}.`);
    checkImmutable(resource, record, field);
  };
  const { tenant, origin } = contextOf(call);
  return keyToMessage(await updateKey(service, tenant, origin(), { kind, keyId, attributes, check }), service.clock());
}

/** Refuses an actor or a visibility that differs from the key's, because ignoring it silently would mislead the caller. */
function checkImmutable({ actorId, visibility }: MessageShape<KeySchema>, record: KeyRecord, field: string): void {
  if (actorId !== "" && actorId !== record.actorId) throw invalidField(`${field}.actor_id`, "cannot be changed");
  if (visibility !== KeyVisibility.UNSPECIFIED && visibility !== visibilityToMessage[record.visibility]) {
    throw invalidField(`${field}.visibility`, "cannot be changed; rotate the key instead");
  }
}
