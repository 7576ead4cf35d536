import type { KeyAttributes, KeyOverrides } from "./key.ts";

/** The attributes of a key by their names in proto. What a create reads and an update mask may name follows from this table. */
export const attributeFields = {
  name: "name",
  scopes: "scopes",
  metadata: "metadata",
  rateLimitPolicy: "rate_limit_policy",
  allowedCidrs: "ip_restriction",
} as const satisfies Record<keyof KeyAttributes, string>;

/** What a rotation may override, likewise. The audit trail names the changes of these fields. */
export const overridableFields = {
  ...attributeFields,
  visibility: "visibility",
} as const satisfies Record<keyof KeyOverrides, string>;

export type OverridableField = (typeof overridableFields)[keyof typeof overridableFields];
