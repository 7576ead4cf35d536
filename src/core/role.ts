/**
 * The built-in roles. `admin`: everything. `issuer`: issue, import, update, rotate and revoke. `verifier`: verify, batch verify and derive.
 * `auditor`: get and list. The configuration may add roles, each a list of methods.
 */
export const roles = ["admin", "issuer", "verifier", "auditor"] as const;

export type Role = (typeof roles)[number];
