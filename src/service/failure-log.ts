import type { Log } from "../ports/log.ts";

/** Logs the first of failures in a row, and each whose cause is of another kind than the one before. */
export interface FailureLog {
  readonly isFailing: boolean;
  note(error: unknown): void;
  end(): void;
}

export function createFailureLog(log: Pick<Log, "warn">, message: string): FailureLog {
  let kind: string | null = null;
  return {
    get isFailing() {
      return kind !== null;
    },
    note(error) {
      const noted = kindOf(error);
      if (noted !== kind) log.warn({ error }, message);
      kind = noted;
    },
    end() {
      kind = null;
    },
  };
}

/** Names, codes and texts of an error and its causes, without what may differ each time, such as the number of a connection. */
function kindOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const { name, code, message, cause } = error as Error & { readonly code?: unknown };
  return `${name} ${code} ${message.replaceAll(/\w*\d\w*/g, "")}; ${cause === undefined ? "" : kindOf(cause)}`;
}
