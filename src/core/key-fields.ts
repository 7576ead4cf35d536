import type { KeyAttributes, KeyOverrides } from "./key.ts";

/** The attributes of a key by their names in proto. They define what a create reads and what an update mask may name. */
export const attributeFields = {
  name: "name",
  scopes: "scopes",
  metadata: "metadata",
  rateLimitPolicy: "rate_limit_policy",
  allowedCidrs: "ip_restriction",
} as const satisfies Record<keyof KeyAttributes, string>;

/** The fields that a rotation may override, by their names in proto. The audit trail names changes of these fields. */
export const overridableFields = {
  ...attributeFields,
  visibility: "visibility",
} as const satisfies Record<keyof KeyOverrides, string>;

export type OverridableField = (typeof overridableFields)[keyof typeof overridableFields];
