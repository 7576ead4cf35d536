/** The one tenant until hosts are configured. Every store and cache operation names its tenant all the same. */
export const defaultTenant = "default";
