import { type DescField, type DescMessage, fromJson, type JsonValue, type MessageShape } from "@bufbuild/protobuf";
import { Failure, type FieldViolation } from "../error/failure.ts";
import { diagnose } from "./diagnose.ts";
import { maxDepth } from "./fields.ts";
import { createRewrites } from "./rewrite.ts";

export interface JsonReaderOptions {
  /** What becomes of members that are no fields. `ignore` also passes over enum values whose name is not known, as protobuf JSON has it. */
  readonly unknownFields: "reject" | "ignore";
  /** Messages with a field mask that is to name the members present in the JSON, unless the JSON carries the mask itself. */
  readonly presenceMasks: ReadonlyMap<DescMessage, DescField>;
}

export interface JsonReader {
  readonly unknownFields: "reject" | "ignore";
  /**
   * Reads what JSON.parse answered as a message: protobuf JSON, in both casings, plus durations as people write them (`1h30m`, `30d`) and
   * field masks in snake_case. Throws Failure INVALID_REQUEST with one violation per problem, fields in proto names below `path`. Fields
   * in `bound` come from elsewhere: presence masks leave them out.
   */
  read<S extends DescMessage>(schema: S, json: unknown, path?: string, bound?: ReadonlySet<DescField>): MessageShape<S>;
}

const nothingBound: ReadonlySet<DescField> = new Set();

export function createJsonReader(options: JsonReaderOptions): JsonReader {
  const rewriteOf = createRewrites(options.presenceMasks);
  const ignoreUnknownFields = options.unknownFields === "ignore";
  const nativeOptions = { ignoreUnknownFields, recursionLimit: maxDepth };
  return {
    unknownFields: options.unknownFields,
    read(schema, json, path = "", bound = nothingBound) {
      try {
        const rewrite = rewriteOf(schema);
        return fromJson(schema, (rewrite === undefined ? json : rewrite(json, 1, bound)) as JsonValue, nativeOptions);
      } catch {
        throw unreadable(diagnose(schema, json, path, ignoreUnknownFields, rewriteOf), schema, path);
      }
    },
  };
}

const maxShown = 5;

function unreadable(found: readonly FieldViolation[], schema: DescMessage, path: string): Failure {
  const violations = found.length > 0 ? found : [{ field: path, description: `cannot be read as ${schema.name}` }];
  return invalidFields(violations);
}

/** A 400 about several fields; the text names the first few. */
export function invalidFields(violations: readonly FieldViolation[]): Failure {
  const shown = violations.slice(0, maxShown).map((v) => `${v.field === "" ? "the request" : `${v.field}:`} ${v.description}`);
  if (violations.length > maxShown) shown.push(`and ${violations.length - maxShown} more`);
  return new Failure("INVALID_REQUEST", { message: shown.join("; "), violations });
}
