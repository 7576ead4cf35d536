import type { DescField } from "@bufbuild/protobuf";
import { keyPrefixShape } from "../../src/core/credential-shape.ts";
import type { Json } from "./json-schema.ts";

/**
 * The formats of texts by the names of their fields, where `buf.validate` leaves them to the service. Formats that JSON Schema does not
 * define tell people what to expect, and tools ignore them.
 */
const formats: Readonly<Record<string, Json>> = {
  allowed_cidrs: { format: "cidr" },
  client_ip: { format: "ip" },
  filter: { format: "aip-160-filter" },
  host: { format: "hostname" },
  hosts: { format: "hostname" },
  // Empty: that of the installation.
  issuer: { pattern: "^$|^https?://" },
  // Empty: that of the installation.
  key_prefix: { pattern: `^$|${keyPrefixShape.source}` },
  order_by: { format: "aip-132-order" },
  page_token: { format: "page-token" },
  raw_key: { format: "raw-key" },
  raw_key_sha256: { format: "sha256" },
  tenant_id: { pattern: "^[a-z0-9-]{1,63}$" },
};

/** A field may differ from others of its name. */
const ofFields: Readonly<Record<string, Json>> = {
  "keywright.v2alpha1.ListAuditEventsRequest.filter": { format: "aip-160-audit-filter" },
};

export function formatOf(field: DescField): Json {
  return ofFields[`${field.parent.typeName}.${field.name}`] ?? formats[field.name] ?? {};
}
