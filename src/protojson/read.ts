import { type DescField, type DescMessage, fromJson, type JsonValue, type Message, type MessageShape } from "@bufbuild/protobuf";
import { Failure, type FieldViolation, invalidRequest } from "../error/failure.ts";
import type { Turns } from "../turns.ts";
import { diagnose, diagnoseInTurns } from "./diagnose.ts";
import type { PresenceMask } from "./field-mask.ts";
import { maxDepth } from "./fields.ts";
import { parseJson, parseJsonInTurns } from "./parse-json.ts";
import { readInTurns } from "./read-in-turns.ts";
import { compilePlainReader, type ReadPlain } from "./read-plain.ts";
import { createRewrites } from "./rewrite.ts";

export interface JsonReaderOptions {
  /** How to treat unknown members. `ignore` also ignores enum values with unknown names, as protobuf JSON does. */
  readonly unknownFields: "reject" | "ignore";
  /** Messages with a field mask that names the members present in the JSON, unless the JSON has the mask itself. */
  readonly presenceMasks: ReadonlyMap<DescMessage, PresenceMask>;
  /** Largest number of values (objects, arrays, strings, numbers, literals) in the JSON of a request message. Default: 16384. */
  readonly maxValues?: (schema: DescMessage) => number;
}

export interface JsonReader {
  readonly unknownFields: "reject" | "ignore";
  /** Parses the JSON text of a request message. Throws as parseJson does. */
  parse(schema: DescMessage, bytes: Uint8Array): unknown;
  /** The same in several turns of the event loop, for long texts. */
  parseInTurns(schema: DescMessage, bytes: Uint8Array, turns: Turns): Promise<unknown>;
  /**
   * Reads the value that `parse` returned as a message: protobuf JSON, in both casings, plus human-readable durations (`1h30m`, `30d`) and
   * field masks in snake_case. Throws Failure INVALID_REQUEST with one violation per problem, with fields in proto names below `path`.
   * Fields in `bound` have another source, and presence masks omit them.
   */
  read<S extends DescMessage>(schema: S, json: unknown, path?: string, bound?: ReadonlySet<DescField>): MessageShape<S>;
  /** The same in several turns of the event loop, for long lists of messages. */
  readInTurns(schema: DescMessage, json: unknown, turns: Turns, bound?: ReadonlySet<DescField>): Promise<Message>;
}

const nothingBound: ReadonlySet<DescField> = new Set();
const defaultMaxValues = 16_384;

export function createJsonReader(options: JsonReaderOptions): JsonReader {
  const rewriteOf = createRewrites(options.presenceMasks);
  const ignoreUnknown = options.unknownFields === "ignore";
  const nativeOptions = { ignoreUnknownFields: ignoreUnknown, recursionLimit: maxDepth };
  const { maxValues = () => defaultMaxValues } = options;

  const plainReaders = new Map<DescMessage, ReadPlain>();
  const plainReaderOf = (schema: DescMessage): ReadPlain => {
    // A mask depends on which members are present.
    const read = (options.presenceMasks.has(schema) ? undefined : compilePlainReader(schema)) ?? (() => undefined);
    plainReaders.set(schema, read);
    return read;
  };

  function readNative<S extends DescMessage>(schema: S, json: unknown, bound: ReadonlySet<DescField>): MessageShape<S> {
    return fromJson(schema, rewriteOf(schema)(json, 1, bound) as JsonValue, nativeOptions);
  }
  function isReadable(schema: DescMessage, json: unknown): boolean {
    try {
      readNative(schema, json, nothingBound);
      return true;
    } catch {
      return false;
    }
  }

  const diagnosis = { ignoreUnknown, isReadable };

  function read<S extends DescMessage>(schema: S, json: unknown, path: string, bound: ReadonlySet<DescField>): MessageShape<S> {
    const plain = (plainReaders.get(schema) ?? plainReaderOf(schema))(json);
    if (plain !== undefined) return plain as MessageShape<S>;
    try {
      return readNative(schema, json, bound);
    } catch {
      throw unreadable(diagnose(diagnosis, schema, json, path), schema, path);
    }
  }

  return {
    unknownFields: options.unknownFields,
    parse: (schema, bytes) => parseJson(bytes, { maxValues: maxValues(schema), schema }),
    parseInTurns: (schema, bytes, turns) => parseJsonInTurns(bytes, { maxValues: maxValues(schema), schema }, turns),
    read: (schema, json, path = "", bound = nothingBound) => read(schema, json, path, bound),
    readInTurns: async (schema, json, turns, bound = nothingBound) => {
      try {
        return await readInTurns(schema, json, (part) => readNative(schema, part, bound), turns);
      } catch (error) {
        // The call is over.
        if (error instanceof Failure) throw error;
        throw unreadable(await diagnoseInTurns(diagnosis, schema, json, turns), schema, "");
      }
    },
  };
}

function unreadable(found: readonly FieldViolation[], schema: DescMessage, path: string): Failure {
  return invalidRequest(found.length > 0 ? found : [{ field: path, description: `cannot be read as ${schema.name}` }]);
}
