/** `00` to `99`. */
const twoDigits = Array.from({ length: 100 }, (_, i) => String(i).padStart(2, "0"));
const minSeconds = -62_135_596_800;
const maxSeconds = 253_402_300_799;

/**
 * Returns a google.protobuf.Timestamp as RFC 3339 in UTC with 0, 3, 6 or 9 digits of fraction, as in protobuf JSON. Every verification
 * writes two, and using Date takes several times as long (bench/micro.ts). Throws if it is outside the years 1 to 9999.
 */
export function timestampText(seconds: number, nanos: number): string {
  if (!(seconds >= minSeconds && seconds <= maxSeconds && nanos >= 0 && nanos <= 999_999_999)) throw new Error("timestamp out of range");
  const days = Math.floor(seconds / 86_400);
  const second = seconds - days * 86_400;
  // Days to a date of the proleptic Gregorian calendar: eras of 400 years that begin on 1 March.
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.trunc(
    (dayOfEra - Math.trunc(dayOfEra / 1460) + Math.trunc(dayOfEra / 36_524) - Math.trunc(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.trunc(yearOfEra / 4) - Math.trunc(yearOfEra / 100));
  const monthFromMarch = Math.trunc((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.trunc((153 * monthFromMarch + 2) / 5) + 1;
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  const date = `${two(Math.trunc(year / 100))}${two(year % 100)}-${two(month)}-${two(day)}`;
  const time = `${two(Math.trunc(second / 3600))}:${two(Math.trunc(second / 60) % 60)}:${two(second % 60)}`;
  return `${date}T${time}${fractionText(nanos)}Z`;
}

function two(value: number): string {
  return twoDigits[value] as string;
}

function fractionText(nanos: number): string {
  if (nanos === 0) return "";
  const digits = nanos % 1_000_000 === 0 ? 3 : nanos % 1000 === 0 ? 6 : 9;
  return `.${String(nanos).padStart(9, "0").slice(0, digits)}`;
}
