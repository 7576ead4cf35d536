import { isAbsolute, resolve } from "node:path";
import ipaddr from "ipaddr.js";
import { parseRange } from "../core/cidr.ts";
import { isIssuer } from "../core/tenant.ts";

/** A setting as it was given: text from the environment, or a tree of texts from YAML. */
export type RawValue = string | readonly RawValue[] | { readonly [name: string]: RawValue };

/** The problem with a value. `text` continues after the setting's name and never quotes the value, which may be a secret. */
export class MalformedError extends Error {
  /** Place inside the value, appended to the setting's YAML path: `[1].roles`. */
  readonly at: string;
  /** Problems of other parts of the value. */
  readonly others: readonly MalformedError[];

  constructor(text: string, at = "", others: readonly MalformedError[] = []) {
    super(text);
    this.at = at;
    this.others = others;
  }
}

export type Parser<T> = (raw: RawValue) => T;

/** Parses a single text. */
export function text<T>(parse: (text: string) => T): Parser<T> {
  return (raw) => {
    if (typeof raw !== "string") throw new MalformedError("must be a single value");
    return parse(raw.trim());
  };
}

/** Parses texts separated by commas, or a YAML sequence, whose items may contain commas. An empty text is an empty list. */
export function list<T>(parseItem: (text: string) => T): Parser<T[]> {
  return (raw) => {
    if (typeof raw === "string") {
      const items = raw.trim() === "" ? [] : raw.split(",");
      return items.map((item, index) => atPlace(items.length > 1 ? `item ${index + 1} ` : "", () => parseItem(item.trim())));
    }
    if (!Array.isArray(raw)) throw new MalformedError("must be a list");
    return raw.map((item, index) => atPlace(`item ${index + 1} `, () => text(parseItem)(item)));
  };
}

export function oneOf<const T extends string>(...allowed: readonly T[]): (text: string) => T {
  return (text) => {
    const found = allowed.find((item) => item === text);
    if (found === undefined) throw new MalformedError(`must be ${allowed.join(" or ")}`);
    return found;
  };
}

export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d{1,15}$/.test(text) || value < min || value > max) throw new MalformedError(`must be a whole number from ${min} to ${max}`);
    return value;
  };
}

const maxWorkers = 256;
const wholeWorkers = wholeNumber(1, maxWorkers);

/** The number of workers; `auto` means one per CPU. */
export function workerCount(text: string): number | "auto" {
  if (text === "auto") return "auto";
  try {
    return wholeWorkers(text);
  } catch {
    throw new MalformedError(`must be auto or a whole number from 1 to ${maxWorkers}`);
  }
}

export function share(text: string): number {
  if (!/^\d{1,3}(\.\d{1,15})?$/.test(text) || Number(text) > 1) throw new MalformedError("must be a number from 0 to 1 such as 0.01");
  return Number(text);
}

/** A file or folder, made absolute from the working directory. */
export function filePath(text: string): string {
  if (text === "" || text.includes("\0")) throw new MalformedError("must be a path");
  return isAbsolute(text) ? text : resolve(text);
}

export function hostName(text: string): string {
  if (!/^[A-Za-z0-9_.:%-]{1,253}$/.test(text) || (text.includes(":") && !ipaddr.isValid(text))) {
    throw new MalformedError("must be a host name or an IP address");
  }
  return text;
}

/** A range in CIDR notation. The range to write instead is not a secret, so the problem names it. */
export function cidr(text: string): string {
  const range = parseRange(text);
  if (typeof range === "string") throw new MalformedError(range);
  return text;
}

/** An origin as browsers write it (RFC 6454): scheme, host, and port unless it is the default one. */
export function origin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.origin !== text) {
    throw new MalformedError("must be an origin such as https://console.example.com, without a path or a slash at the end");
  }
  return text;
}

export function issuer(text: string): string {
  if (!isIssuer(text)) throw new MalformedError("must be an http or https URL without query, fragment and user name");
  return text;
}

/** Runs a parser for a part of a value, and adds the part's place to its errors. */
export function atPlace<T>(place: string, parse: () => T, at = ""): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    const placed = ({ message, at: within, others }: MalformedError): MalformedError =>
      new MalformedError(`${place}${message}`, `${at}${within}`, others.map(placed));
    throw placed(error);
  }
}

/** Parses the items of a list. Throws the problems of all of them together. */
export function eachOf<T>(items: readonly RawValue[], at: string, parse: (item: RawValue, at: string) => T): T[] {
  const problems: MalformedError[] = [];
  const parsed = items.flatMap((item, index) => {
    try {
      return [parse(item, `${at}[${index}]`)];
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      problems.push(error, ...error.others);
      return [];
    }
  });
  const [first, ...others] = problems;
  if (first !== undefined) throw new MalformedError(first.message, first.at, others);
  return parsed;
}

/** The members of a YAML mapping. */
export function membersOf(raw: RawValue, what: string, at = ""): { readonly [name: string]: RawValue } {
  if (typeof raw !== "object" || Array.isArray(raw)) throw new MalformedError(`must be ${what}`, at);
  return raw as { readonly [name: string]: RawValue };
}

/**
 * Reads members of a YAML mapping by name; refuses members that are not in `known`. A missing member has the value `otherwise`, or an empty
 * text if that is null.
 */
export function memberParser(raw: RawValue, known: readonly string[], at: string) {
  const members = membersOf(raw, `a mapping of ${known.join(", ")}`, at);
  const unknown = Object.keys(members).find((name) => !known.includes(name));
  if (unknown !== undefined) throw new MalformedError(`unknown member; must be ${known.join(", ")}`, `${at}.${unknown}`);
  return <T>(name: string, parse: Parser<T>, missing: { readonly otherwise: T } | null): T => {
    const value = members[name];
    if (value === undefined && missing !== null) return missing.otherwise;
    return atPlace("", () => parse(value ?? ""), `${at}.${name}`);
  };
}
