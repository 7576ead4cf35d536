/** Keeps the results of the steps, so that no step is optimised away. */
export let kept: unknown;

const runs = 9;

/** Prints the median CPU time of a step over nine warm runs, in microseconds. */
export function report(name: string, rounds: number, step: () => unknown): void {
  const run = (): number => {
    const start = process.cpuUsage();
    for (let i = 0; i < rounds; i++) kept = step();
    return microsecondsSince(start) / rounds;
  };
  run();
  print(name, Array.from({ length: runs }, run));
}

/** As `report`, for a step that returns a promise. `inFlight` steps run at the same time. */
export async function reportAsync(name: string, rounds: number, inFlight: number, step: () => Promise<unknown>): Promise<void> {
  const run = async (): Promise<number> => {
    const start = process.cpuUsage();
    const lane = async () => {
      for (let i = 0; i < rounds / inFlight; i++) kept = await step();
    };
    await Promise.all(Array.from({ length: inFlight }, lane));
    return microsecondsSince(start) / rounds;
  };
  await run();
  const measured: number[] = [];
  for (let i = 0; i < runs; i++) measured.push(await run());
  print(name, measured);
}

export function title(text: string): void {
  console.info(`\n${text}`);
}

function microsecondsSince(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return user + system;
}

function print(name: string, measured: number[]): void {
  const median = measured.sort((a, b) => a - b)[Math.floor(runs / 2)] as number;
  console.info(`${name.padEnd(66)} ${median.toFixed(2).padStart(10)} us`);
}
