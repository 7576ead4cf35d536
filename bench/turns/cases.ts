import { createHash } from "node:crypto";
import { type DescMessage, fromJson, type JsonValue, toBinary } from "@bufbuild/protobuf";
import { BatchImportApiKeysRequestSchema } from "../../gen/keywright/v2alpha1/imported_api_key_pb.ts";
import { BatchVerifyApiKeysRequestSchema } from "../../gen/keywright/v2alpha1/verification_pb.ts";

/** A request as it is sent. */
export interface Wire {
  readonly protocol: "http" | "grpc";
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** A kind of request, in the largest size that the limits allow. */
export interface Case {
  readonly name: string;
  /** The request for a round, which differs from those of other rounds. */
  readonly wire: (round: number) => Wire;
}

/** The stored records that the cases use. */
export interface Estate {
  readonly secrets: readonly string[];
  readonly macaroons: readonly string[];
}

const admin = "/v2alpha1/admin";
const service = "/keywright.v2alpha1.ApiKeysService";
type Form = "JSON" | "protobuf" | "gRPC";

const batch = (count: number, item: (index: number) => object) => ({ requests: Array.from({ length: count }, (_, index) => item(index)) });
const text = (length: number, index: number) => `${index}_`.padEnd(length, "x");

export function cases({ secrets, macaroons }: Estate): Case[] {
  return [
    ...imports(),
    ...verifications("100 cached keys", 100, (index) => ({ credential: secrets[index % secrets.length] })),
    ...verifications("100 keys, 100 scopes each", 100, (index) => ({
      credential: secrets[index % secrets.length],
      required_scopes: Array.from({ length: 100 }, (_, scope) => text(256, scope)),
    })),
    ...verifications("100 largest macaroons", 100, (index) => ({ credential: macaroons[index % macaroons.length] })),
    ...verifications("100 longest texts", 100, (index) => ({ credential: text(65_000, index) })),
    ...verifications("100 invalid items", 100, () => ({ credential: "", client_ip: text(60, 0), cost: 9_999_999 })),
    { name: "list of 1000 keys", wire: () => get(`${admin}/importedApiKeys?page_size=1000`) },
    { name: "list of 1000 keys of an actor", wire: () => get(`${admin}/importedApiKeys?page_size=1000&filter=actor_id%3D%22large%22`) },
    { name: "list of 1000 events", wire: () => get(`${admin}/auditEvents?page_size=1000`) },
    { name: "issue, largest", wire: (round) => json("POST", `${admin}/issuedApiKeys`, { ...largest(round), raw_key: undefined }) },
    {
      name: "derive a JWT, largest",
      wire: () => json("POST", `${admin}/apiKeys:derive`, { credential: secrets[0], custom_claims: { claim: text(3900, 0) } }),
    },
    {
      name: "self-revoke 100 longest texts",
      wire: () =>
        json("POST", "/v2alpha1/apiKeys:batchSelfRevoke", {
          credentials: Array.from({ length: 100 }, (_, index) => text(150, index)),
          reason: "REVOCATION_REASON_SUPERSEDED",
        }),
    },
    { name: "signing keys", wire: () => get("/.well-known/jwks.json") },
    { name: "OpenAPI document", wire: () => get("/openapi.json") },
  ];
}

function imports(): Case[] {
  const path = `${admin}/importedApiKeys:batchImport`;
  const inAllForms = (name: string, item: (index: number, round: number) => object): Case[] =>
    (["JSON", "protobuf", "gRPC"] as const).map((form) => ({
      name: `import ${name}, ${form}`,
      wire: (round) => {
        const body = batch(1000, (index) => item(index, round * 3 + ["JSON", "protobuf", "gRPC"].indexOf(form)));
        return inForm(form, path, "AdminBatchImportApiKeys", BatchImportApiKeysRequestSchema, body);
      },
    }));
  return [
    ...inAllForms("1000 usual keys", usual),
    ...inAllForms("1000 keys of 262 values", manyValues),
    ...inAllForms("1000 keys of 15 KiB", (index, round) => largest(index, round)),
    ...inAllForms("1000 stored keys", (index) => usual(index, -1)),
    ...inAllForms("1000 invalid items", (index) => ({ raw_key: `invalid-${index}`, name: text(300, index), ttl: "0.5s", scopes: ["a b"] })),
    {
      name: "import cut off at the end, JSON",
      wire: (round) =>
        cutOff(
          path,
          batch(1000, (index) => manyValues(index, round)),
        ),
    },
    {
      name: "import with a wrong type at the end, JSON",
      wire: (round) =>
        json(
          "POST",
          path,
          batch(1000, (index) => (index < 999 ? manyValues(index, round) : { raw_key: 7 })),
        ),
    },
  ];
}

function verifications(name: string, count: number, item: (index: number) => object): Case[] {
  return (["JSON", "protobuf"] as const).map((form) => ({
    name: `verify ${name}, ${form}`,
    wire: () =>
      inForm(form, `${admin}/apiKeys:batchVerify`, "AdminBatchVerifyApiKeys", BatchVerifyApiKeysRequestSchema, batch(count, item)),
  }));
}

export function usual(index: number, round: number) {
  return {
    name: `key ${index}`,
    actor_id: `user-${index}`,
    raw_key: rawKey("usual", index, round),
    scopes: ["invoices:read", "invoices:write"],
    metadata: { team: "billing", stage: "production", number: index },
  };
}

function manyValues(index: number, round: number) {
  return {
    name: `key ${index}`,
    actor_id: "many",
    raw_key: rawKey("many", index, round),
    scopes: Array.from({ length: 100 }, (_, scope) => `invoices:${scope}`),
    metadata: { numbers: Array.from({ length: 145 }, (_, number) => number) },
  };
}

/** About 15 KiB, so that 1000 of them fill the body. */
export function largest(index: number, round = 0) {
  return {
    name: text(255, index),
    actor_id: "large",
    raw_key: rawKey("large", index, round).padEnd(4000, "x"),
    scopes: Array.from({ length: 24 }, (_, scope) => text(256, scope)),
    metadata: { team: text(4000, index) },
  };
}

function rawKey(kind: string, index: number, round: number): string {
  return `live_${kind}_${createHash("sha256").update(`${kind} ${index} ${round}`).digest("hex")}`;
}

function inForm(form: Form, path: string, method: string, schema: DescMessage, body: object): Wire {
  if (form === "JSON") return json("POST", path, body);
  const bytes = toBinary(schema, fromJson(schema, body as JsonValue));
  if (form === "protobuf") {
    return {
      protocol: "http",
      method: "POST",
      path: `${service}/${method}`,
      headers: typed("application/proto"),
      body: Buffer.from(bytes),
    };
  }
  const envelope = Buffer.alloc(5);
  envelope.writeUInt32BE(bytes.length, 1);
  const headers = { ...typed("application/grpc"), te: "trailers" };
  return { protocol: "grpc", method: "POST", path: `${service}/${method}`, headers, body: Buffer.concat([envelope, bytes]) };
}

function json(method: string, path: string, body: object): Wire {
  return { protocol: "http", method, path, headers: typed("application/json"), body: Buffer.from(JSON.stringify(body)) };
}

function cutOff(path: string, body: object): Wire {
  const wire = json("POST", path, body);
  return { ...wire, body: wire.body.subarray(0, -2) };
}

function get(path: string): Wire {
  return { protocol: "http", method: "GET", path, headers: {}, body: Buffer.alloc(0) };
}

function typed(type: string): Record<string, string> {
  return { "content-type": type };
}
