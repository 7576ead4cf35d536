import type { Message } from "@bufbuild/protobuf";

/** A frozen message with most fields of an answer. Encoders may remember what they made of it. */
export interface LastingPart {
  readonly message: Message;
  /** The other fields, by their names in TypeScript. */
  readonly otherFields: readonly string[];
}

/** Whether a message is the answer of many calls, or the lasting part of many answers. Only such messages are frozen. */
export function isLasting(message: Message): boolean {
  return Object.isFrozen(message);
}

const lastingPart = Symbol("lasting part");

export function setLastingPart(answer: Message, part: LastingPart): void {
  (answer as Message & { [lastingPart]?: LastingPart })[lastingPart] = part;
}

export function lastingPartOf(answer: Message): LastingPart | undefined {
  return (answer as Message & { [lastingPart]?: LastingPart })[lastingPart];
}
