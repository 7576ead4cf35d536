/**
 * Why a call has no caller. `missing`: it has no credential; `invalid`: its token is invalid; `unavailable`: the keys of the issuer are
 * unknown; `unmatched`: the caller with this name is known, and no rule matches; `certificate`: its certificate is invalid for this reason.
 */
export type Refusal = "missing" | "invalid" | "unavailable" | { readonly unmatched: string } | { readonly certificate: string };
