/** A number in JSON (RFC 8259), which proto3 JSON also accepts inside a string. */
const numeral = /^(-?)(0|[1-9]\d*)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;
/** Integers of 15 digits always fit a double. */
const safeDigits = 15;
/** No finite double needs more digits before its decimal point. Bounds the length of BigInts. */
const maxDigits = 400;

/** JSON.stringify writes doubles from this size on with an exponent. */
const minExponentForm = 1e21;

export function isNumeral(text: string): boolean {
  return numeral.test(text);
}

/** Returns the integer of a numeral as plain digits: `1e3` is `1000`. Undefined for fractions and for text that is not a numeral. */
export function integerText(text: string): string | undefined {
  const match = numeral.exec(text);
  if (match === null || text.length > maxDigits) return undefined;
  const [, sign = "", whole = "", fraction = "", exponent = "0"] = match;
  const digits = (whole + fraction).replace(/^0+/, "");
  const significant = digits.replace(/0+$/, "");
  if (significant === "") return "0";
  const zeros = digits.length - significant.length + Number(exponent) - fraction.length;
  if (zeros < 0 || zeros > maxDigits) return undefined;
  return sign + significant + "0".repeat(zeros);
}

/**
 * Whether JSON.parse changes the value of this numeral: it is an integer that no double holds, or is so close to an integer that a double
 * cannot tell the difference. Other fractions are rounded as everywhere (`0.1`), and so are numbers that JSON writes with an exponent.
 */
export function losesPrecision(text: string): boolean {
  const value = Number(text);
  const isPlain = /^-?\d+$/.test(text);
  if (isPlain && text.length <= safeDigits) return false;
  if (!isPlain && (!Number.isInteger(value) || Math.abs(value) >= minExponentForm)) return false;
  return !Number.isFinite(value) || integerText(text) !== BigInt(value).toString();
}
