/**
 * Why a call has no caller. `missing`: it shows nothing; `invalid`: its token does not hold; `unavailable`: the keys of the issuer are not
 * known; `unmatched`: the caller with this name is known, and no rule matches; `certificate`: its certificate does not hold, for this reason.
 */
export type Refusal = "missing" | "invalid" | "unavailable" | { readonly unmatched: string } | { readonly certificate: string };
