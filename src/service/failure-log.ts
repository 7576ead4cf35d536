import type { Log } from "../ports/log.ts";

/** Kinds of one outage that are remembered. */
const maxKinds = 8;
const maxCauses = 5;
const maxTextLength = 200;

/** Logs failures in a row: once for each kind of cause. */
export interface FailureLog {
  readonly isFailing: boolean;
  note(error: unknown): void;
  end(): void;
}

export function createFailureLog(log: Pick<Log, "warn">, message: string): FailureLog {
  const kinds = new Set<string>();
  return {
    get isFailing() {
      return kinds.size > 0;
    },
    note(error) {
      const kind = kindOf(error);
      if (kinds.has(kind) || kinds.size === maxKinds) return;
      kinds.add(kind);
      log.warn({ error }, message);
    },
    end: () => kinds.clear(),
  };
}

/** Names, codes and texts of an error and its causes, without what may differ each time, such as the number of a connection. */
function kindOf(failure: unknown): string {
  const kinds: string[] = [];
  let error = failure;
  for (let depth = 0; depth < maxCauses && error instanceof Error; depth += 1) {
    const { name, code, message, cause } = error as Error & { readonly code?: unknown };
    kinds.push(`${name} ${code} ${message.slice(0, maxTextLength).replaceAll(/\w*\d\w*/g, "")}`);
    error = cause;
  }
  return kinds.join("; ");
}
