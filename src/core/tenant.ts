/** The only tenant today. Every operation of stores and caches takes the tenant as an argument nevertheless. */
export const defaultTenant = "default";
