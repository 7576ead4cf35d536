import type { Log, LogFields } from "./ports/log.ts";

/** Maximum lines of one outage before its end. */
const maxKinds = 8;
const maxCauses = 5;
const maxTextLength = 200;

/** Logs failures in a row, which are one outage: each kind of failure once, and the end. */
export interface OutageLog {
  readonly isOn: boolean;
  /** The fields must say why. */
  failed(fields: LogFields, message: string): void;
  /** Call it after every success. Adds to the line how long the outage lasted. */
  over(fields: LogFields, message: string): void;
}

export function createOutageLog(log: Pick<Log, "info" | "warn">, monotonicMs: () => number): OutageLog {
  const kinds = new Set<string>();
  let startMs = 0;
  return {
    get isOn() {
      return kinds.size > 0;
    },
    failed(fields, message) {
      const kind = [message, ...Object.values(fields).map(kindOf)].join("; ");
      if (kinds.has(kind) || kinds.size === maxKinds) return;
      if (kinds.size === 0) startMs = monotonicMs();
      kinds.add(kind);
      log.warn(fields, message);
    },
    over(fields, message) {
      if (kinds.size === 0) return;
      kinds.clear();
      log.info({ ...fields, outageMs: Math.round(monotonicMs() - startMs) }, message);
    },
  };
}

/** Names, codes and texts of an error and its causes, without what may differ each time, such as the number of a connection. */
function kindOf(value: unknown): string {
  if (!(value instanceof Error)) return String(value);
  const kinds: string[] = [];
  for (let error: unknown = value; kinds.length < maxCauses && error instanceof Error; error = error.cause) {
    const { name, code, message } = error as Error & { readonly code?: unknown };
    kinds.push(`${name} ${code} ${message.slice(0, maxTextLength).replaceAll(/\w*\d\w*/g, "")}`);
  }
  return kinds.join("; ");
}
