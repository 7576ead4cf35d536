/** The progress of an import at a moment. */
export interface Figures {
  /** Rows settled, in this run and earlier ones. */
  readonly rows: number;
  readonly failed: number;
  /** Bytes of input up to the last settled row. */
  readonly bytes: number;
  /** Bytes of the whole input; null for standard input. */
  readonly totalBytes: number | null;
}

export interface Progress {
  /** Shows the figures, unless it did so a moment ago. */
  update(figures: Figures): void;
  /** Writes a separate line, which stays. */
  note(text: string): void;
  /** Removes the bar. */
  end(): void;
}

export interface ProgressTarget {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

const barIntervalMs = 200;
const lineIntervalMs = 10_000;
/** Rate and remaining time are computed over this window. */
const windowMs = 15_000;
const barWidth = 24;

/** A bar that redraws itself on a terminal; otherwise a plain line now and then. `monotonicMs` is the clock. */
export function createProgress(target: ProgressTarget, monotonicMs: () => number): Progress {
  const isTerminal = target.isTTY === true;
  const intervalMs = isTerminal ? barIntervalMs : lineIntervalMs;
  const samples: { readonly atMs: number; readonly rows: number; readonly bytes: number }[] = [];
  let lastShownMs = isTerminal ? Number.NEGATIVE_INFINITY : monotonicMs();
  let shown = "";

  const clear = () => {
    if (shown !== "") target.write(`\r${" ".repeat(shown.length)}\r`);
    shown = "";
  };
  return {
    update(figures) {
      const nowMs = monotonicMs();
      samples.push({ atMs: nowMs, rows: figures.rows, bytes: figures.bytes });
      while (samples.length > 2 && nowMs - (samples[0]?.atMs ?? 0) > windowMs) samples.shift();
      if (nowMs - lastShownMs < intervalMs) return;
      lastShownMs = nowMs;
      const first = samples[0] ?? { atMs: nowMs, rows: figures.rows, bytes: figures.bytes };
      const seconds = Math.max(0.001, (nowMs - first.atMs) / 1000);
      const text = describe(figures, (figures.rows - first.rows) / seconds, (figures.bytes - first.bytes) / seconds);
      if (!isTerminal) {
        target.write(`${text}\n`);
        return;
      }
      clear();
      shown = (bar(figures) + text).slice(0, (target.columns ?? 80) - 1);
      target.write(shown);
    },
    note(text) {
      clear();
      target.write(`${text}\n`);
    },
    end: clear,
  };
}

function describe({ rows, failed, bytes, totalBytes }: Figures, rowsPerSecond: number, bytesPerSecond: number): string {
  const parts = [`${count(rows)} keys`, `${count(Math.round(rowsPerSecond))}/s`];
  if (totalBytes !== null) {
    parts.unshift(`${Math.floor((100 * bytes) / Math.max(1, totalBytes))} %`);
    if (bytesPerSecond > 0) parts.push(`${duration((totalBytes - bytes) / bytesPerSecond)} left`);
  }
  if (failed > 0) parts.push(`${count(failed)} failed`);
  return parts.join(", ");
}

function bar({ bytes, totalBytes }: Figures): string {
  if (totalBytes === null) return "";
  const filled = Math.round((barWidth * bytes) / Math.max(1, totalBytes));
  return `[${"#".repeat(filled)}${"-".repeat(barWidth - filled)}] `;
}

export function count(value: number): string {
  return value.toLocaleString("en-US");
}

function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes} min ${whole % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
