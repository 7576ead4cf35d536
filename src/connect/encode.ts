import { type DescMessage, type Message, type Registry, toJson } from "@bufbuild/protobuf";
import { isLasting } from "../call/lasting-part.ts";
import { createBinaryWriter } from "../protobinary/write.ts";
import type { Codec } from "./codec.ts";
import { envelopeHeaderBytes, setEnvelopeHeader } from "./envelope.ts";

type Form = Pick<Codec, "binary" | "enveloped">;

/** Encodes a message in protobuf or JSON, in its envelope if the form has one. Throws if the message cannot be encoded. */
export type EncodeMessage = (schema: DescMessage, message: Message, form: Form) => Buffer;

/** Larger answers are encoded each time. The bound of all that is remembered is at `rememberedAnswers` (rpc/lasting-answers.ts). */
const maxRememberedBytes = 4096;

/**
 * `registry` has the types that a google.protobuf.Any in a message may contain. A frozen message is the answer of many calls
 * (rpc/lasting-answers.ts), so its bytes are remembered.
 */
export function createMessageEncoder(registry: Registry | undefined): EncodeMessage {
  const { write } = createBinaryWriter();
  const encode: EncodeMessage = (schema, message, { binary, enveloped }) => {
    const headerBytes = enveloped ? envelopeHeaderBytes : 0;
    const bytes = binary ? write(schema, message, headerBytes) : jsonBytes(schema, message, headerBytes, registry);
    return enveloped ? setEnvelopeHeader(bytes, 0) : bytes;
  };
  const remembered = new WeakMap<Message, Buffer[]>();
  return (schema, message, form) => {
    const index = (form.binary ? 1 : 0) + (form.enveloped ? 2 : 0);
    const known = remembered.get(message)?.[index];
    if (known !== undefined) return known;
    const bytes = encode(schema, message, form);
    if (bytes.length > maxRememberedBytes || !isLasting(message)) return bytes;
    // A copy, because small Buffers retain a pool of 8 KiB.
    const own = Buffer.allocUnsafeSlow(bytes.length);
    own.set(bytes);
    const forms = remembered.get(message) ?? [];
    forms[index] = own;
    remembered.set(message, forms);
    return own;
  };
}

function jsonBytes(schema: DescMessage, message: Message, headerBytes: number, registry: Registry | undefined): Buffer {
  const text = JSON.stringify(toJson(schema, message, registry && { registry }));
  const bytes = Buffer.allocUnsafe(headerBytes + Buffer.byteLength(text));
  bytes.write(text, headerBytes);
  return bytes;
}
