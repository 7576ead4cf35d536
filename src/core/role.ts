/** What callers may do. `admin`: everything. `verifier`: verify, batch verify and derive. `auditor`: get and list. */
export const roles = ["admin", "verifier", "auditor"] as const;

export type Role = (typeof roles)[number];
