/** The built-in roles. `src/rpc/methods.ts` has their methods. The configuration may add roles. */
export const roles = ["admin", "issuer", "verifier", "auditor"] as const;

export type Role = (typeof roles)[number];
