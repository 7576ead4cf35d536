import { maxJwtChars } from "../core/token/jwt.ts";
import { maxMacaroonLength } from "../core/token/macaroon-format.ts";

/** Limits on the body of a request. */
export interface BodyBounds {
  /** Before and after inflating. */
  readonly maxBytes: number;
  /** Maximum values (objects, arrays, strings, numbers, literals) in JSON, because small ones cost far more than their bytes. */
  readonly maxJsonValues: number;
}

/** A key with the largest metadata, 100 scopes and 100 ranges has some 2,500. */
const maxJsonValues = 4096;

/** A batch holds 100 of the largest credentials that verify reads, each with 32 KiB for its scopes and other fields. */
const maxVerifications = 100;
const maxVerificationBytes = Math.max(maxJwtChars, maxMacaroonLength) + 32 * 1024;

/** For methods that anyone may call. */
export const publicBody: BodyBounds = { maxBytes: 16 * 1024, maxJsonValues };
export const usualBody: BodyBounds = { maxBytes: 1024 * 1024, maxJsonValues };
/** 100 required scopes for each of 100 verifications are 10,700 values. */
export const batchVerifyBody: BodyBounds = { maxBytes: maxVerifications * maxVerificationBytes, maxJsonValues: 16_384 };
/** 262 values for each of 1000 imports. */
export const batchImportBody: BodyBounds = { maxBytes: 16 * 1024 * 1024, maxJsonValues: 262_144 };

/** Bound of each message of a stream. Only health and reflection have streams. */
export const maxStreamMessageBytes = publicBody.maxBytes;
