import fc from "fast-check";

export type Operation =
  | "disable"
  | "enable"
  | "revoke"
  | "supersede"
  | "narrow"
  | "rotate"
  | "rotateInGrace"
  | "delete"
  | "import"
  | "issue"
  | "suspend"
  | "resume";

export type Path = "store" | "commands" | "subscriber" | "redis" | "all";

export type Fault =
  /** A network between a process and a server. */
  | { readonly kind: "cut"; readonly path: Path; readonly loud: boolean }
  | { readonly kind: "slow"; readonly path: Path; readonly slownessMs: number; readonly steady: boolean }
  | { readonly kind: "pause" }
  /** A process is paused for a moment, and its store is unavailable from then on. */
  | { readonly kind: "stall"; readonly stillMs: number; readonly loud: boolean }
  | { readonly kind: "crash" }
  /** Affects the cache server for all processes. */
  | { readonly kind: "hang" }
  | { readonly kind: "restart"; readonly snapshotAgeMs: number | null }
  | { readonly kind: "failover" };

export type Step =
  | {
      readonly do: "operate";
      readonly gapMs: number;
      readonly process: number;
      readonly slot: number;
      readonly operation: Operation;
      /** The same fault again in a process, after a gap. */
      readonly again: { readonly process: number; readonly gapMs: number } | null;
    }
  | {
      readonly do: "fail";
      readonly gapMs: number;
      readonly fault: Fault;
      /** One bit per process. */
      readonly processes: number;
      readonly durationMs: number;
    };

/** Everything about a run that shrinking can remove; the rest follows from the seed. */
export interface Scenario {
  readonly seed: number;
  readonly processes: number;
  readonly outage: "serve" | "refuse";
  readonly hasSharedCache: boolean;
  readonly cacheTtlMs: number;
  readonly storeTimeoutMs: number;
  /** Clock error of each process. */
  readonly skewsMs: readonly number[];
  readonly steps: readonly Step[];
}

/** Moments that are close to each other, which cause races. */
const gap = fc.oneof({ weight: 3, arbitrary: fc.nat(6) }, { weight: 2, arbitrary: fc.nat(120) }, { weight: 3, arbitrary: fc.nat(1800) });
const paths = ["store", "commands", "subscriber", "redis", "all"] as const;
const operations = [
  "disable",
  "enable",
  "revoke",
  "supersede",
  "narrow",
  "rotate",
  "rotateInGrace",
  "delete",
  "import",
  "issue",
  "suspend",
  "resume",
] as const;
const faultKinds = ["cut", "cut", "slow", "slow", "pause", "stall", "crash", "hang", "restart", "failover"] as const;

/** The elements of one scenario. A few kinds of events, many times each, interact in more ways than all kinds a few times. */
const themes = fc.record({
  paths: fc.subarray([...paths], { minLength: 1 }),
  faultKinds: fc.uniqueArray(fc.constantFrom(...faultKinds), { minLength: 1, maxLength: 4 }),
  operations: fc.subarray([...operations], { minLength: 1 }),
  slots: fc.constantFrom([0], [2], [0, 0, 2, 2, 1]),
});
type Theme = typeof themes extends fc.Arbitrary<infer T> ? T : never;

function faultOf(theme: Theme): fc.Arbitrary<Fault> {
  const path = fc.constantFrom(...theme.paths);
  const byKind: { readonly [K in Fault["kind"]]: fc.Arbitrary<Fault> } = {
    cut: fc.record({ kind: fc.constant("cut" as const), path, loud: fc.boolean() }),
    slow: fc.record({
      kind: fc.constant("slow" as const),
      path,
      steady: fc.boolean(),
      slownessMs: fc.oneof(fc.integer({ min: 10, max: 600 }), fc.integer({ min: 600, max: 3000 })),
    }),
    pause: fc.record({ kind: fc.constant("pause" as const) }),
    stall: fc.record({ kind: fc.constant("stall" as const), stillMs: fc.integer({ min: 300, max: 3000 }), loud: fc.boolean() }),
    crash: fc.record({ kind: fc.constant("crash" as const) }),
    hang: fc.record({ kind: fc.constant("hang" as const) }),
    restart: fc.record({ kind: fc.constant("restart" as const), snapshotAgeMs: fc.constantFrom(null, 0, 500, 3000) }),
    failover: fc.record({ kind: fc.constant("failover" as const) }),
  };
  return fc.oneof(...theme.faultKinds.map((kind) => byKind[kind]));
}

function stepOf(theme: Theme): fc.Arbitrary<Step> {
  return fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant("operate" as const),
        gapMs: gap,
        process: fc.nat(3),
        slot: fc.constantFrom(...theme.slots),
        // A key can be revoked once; without new keys there would be nothing left to do.
        operation: fc.constantFrom<Operation>(...theme.operations, ...theme.operations, ...theme.operations, "narrow", "issue"),
        again: fc.option(fc.record({ process: fc.nat(3), gapMs: gap }), { nil: null, freq: 3 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant("fail" as const),
        gapMs: gap,
        fault: faultOf(theme),
        processes: fc.integer({ min: 1, max: 15 }),
        durationMs: fc.oneof(fc.nat(150), fc.nat(1500), fc.nat(7000)),
      }),
    },
  );
}

const randomSteps = themes.chain((theme) => fc.array(stepOf(theme), { minLength: 2, maxLength: 24 }));

/** Scenarios with certain steps and certain settings. */
export function scenariosOf(steps: fc.Arbitrary<Step[]>, fixed: Partial<Scenario> = {}): fc.Arbitrary<Scenario> {
  const random = fc.record({
    seed: fc.nat(),
    processes: fc.integer({ min: 2, max: 4 }),
    outage: fc.constantFrom("serve", "refuse"),
    hasSharedCache: fc.oneof({ weight: 9, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
    cacheTtlMs: fc.constantFrom(1500, 60_000),
    storeTimeoutMs: fc.constantFrom(800, 2500),
    skewsMs: fc.array(fc.integer({ min: -2000, max: 2000 }), { minLength: 4, maxLength: 4 }),
    steps,
  });
  return random.map((scenario) => ({ ...scenario, ...fixed }));
}

export const scenarios = scenariosOf(randomSteps);
