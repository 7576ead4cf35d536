import type { Message } from "@bufbuild/protobuf";
import type { ImportApiKeyRequest } from "../../gen/keywright/v2alpha1/imported_api_key_pb.ts";
import { KeyVisibility } from "../../gen/keywright/v2alpha1/key_policy_pb.ts";
import { UsageError } from "./problems.ts";
import { contentFromJson } from "./request-json.ts";
import { notUtf8, type Row, replacementCharacter } from "./rows.ts";

type Json = Record<string, unknown>;

/** Puts a cell that is not empty into the request. Returns what is wrong with it. */
type Column = (request: Json, cell: string) => string | undefined;

const words = /[\s,]+/;

/** The fields that a row may set: all but `request_id`, because the batch has one. */
type ImportField = Exclude<keyof ImportApiKeyRequest, keyof Message | "requestId">;

const columnsOfFields: Readonly<Record<ImportField, Readonly<Record<string, Column>>>> = {
  name: { name: text("name") },
  actorId: { actor_id: text("actor_id") },
  rawKey: { raw_key: text("raw_key") },
  rawKeySha256: { raw_key_sha256: text("raw_key_sha256") },
  scopes: { scopes },
  ttl: { ttl: text("ttl") },
  metadata: { metadata },
  rateLimitPolicy: {
    rate_limit_quota: rateLimit("quota"),
    rate_limit_window: rateLimit("window"),
    rate_limit_unit: rateLimit("unit"),
  },
  ipRestriction: { allowed_cidrs: allowedCidrs },
  visibility: { visibility },
};

/** The possible columns of a CSV file, by their names in the header. */
const columns: Readonly<Record<string, Column>> = Object.assign({}, ...Object.values(columnsOfFields));

export const columnNames = Object.keys(columns);

function text(field: string): Column {
  return (request, cell) => {
    request[field] = cell;
    return undefined;
  };
}

function scopes(request: Json, cell: string): undefined {
  request.scopes = cell.trim().split(/\s+/);
}

function metadata(request: Json, cell: string): string | undefined {
  try {
    request.metadata = JSON.parse(cell);
    return undefined;
  } catch {
    // Omits the parser's message, because it quotes the cell.
    return "metadata: is not valid JSON";
  }
}

function allowedCidrs(request: Json, cell: string): undefined {
  request.ip_restriction = { allowed_cidrs: cell.trim().split(words) };
}

function visibility(request: Json, cell: string): string | undefined {
  const name = Object.keys(KeyVisibility).find((each) => each !== "UNSPECIFIED" && each.toLowerCase() === cell);
  if (name === undefined) return "visibility: must be secret or public";
  request.visibility = `KEY_VISIBILITY_${name}`;
  return undefined;
}

function rateLimit(field: string): Column {
  return (request, cell) => {
    request.rate_limit_policy = { ...(request.rate_limit_policy as Json | undefined), [field]: cell };
    return undefined;
  };
}

/**
 * Returns the function that makes a request from a row's cells. Throws UsageError with everything that is wrong with the header. The error
 * names columns by position, because if the header was forgotten, a key stands in its place.
 */
export function columnsOf(header: readonly string[]): (cells: readonly string[]) => Row["content"] {
  const names = header.map((name) => name.trim());
  const problems = names.flatMap((name, index) => {
    if (!Object.hasOwn(columns, name)) return [`column ${index + 1} is unknown`];
    return names.indexOf(name) < index ? [`column ${index + 1} (${name}) is a duplicate`] : [];
  });
  const missing = ["name", "actor_id"].filter((name) => !names.includes(name));
  if (!names.includes("raw_key") && !names.includes("raw_key_sha256")) missing.push("raw_key or raw_key_sha256");
  problems.push(...missing.map((name) => `column ${name} is missing`));
  if (problems.length > 0) {
    throw new UsageError(`line 1 must name the columns: ${problems.join("; ")}. Known columns: ${columnNames.join(", ")}`);
  }
  const setters = names.map((name) => columns[name] as Column);

  return (cells) => {
    if (cells.length !== setters.length) return { problem: `has ${cells.length} columns, but line 1 has ${setters.length}` };
    const request: Json = {};
    for (const [index, cell] of cells.entries()) {
      if (cell === "") continue;
      if (cell.includes(replacementCharacter)) return { problem: `${names[index]}: ${notUtf8}` };
      const problem = (setters[index] as Column)(request, cell);
      if (problem !== undefined) return { problem };
    }
    return contentFromJson(request);
  };
}
