import type { FaultLog } from "./faults.ts";
import type { Host } from "./host.ts";
import type { Link } from "./link.ts";
import type { Redis } from "./redis.ts";
import type { Fault } from "./scenario.ts";
import type { Scheduler } from "./scheduler.ts";
import type { ConnectedSharedCache } from "./shared-cache.ts";

export interface Machine {
  readonly host: Host;
  readonly links: { readonly store: Link; readonly commands: Link; readonly subscriber: Link };
  readonly shared: () => ConnectedSharedCache | null;
  /** Starts the process again. */
  readonly start: () => void;
}

const paths = {
  store: ["store"],
  commands: ["commands"],
  subscriber: ["subscriber"],
  redis: ["commands", "subscriber"],
  all: ["store", "commands", "subscriber"],
} as const;

/** Creates faults. Each returns a function that ends it. A fault does not end another in the same place: the later one is skipped. */
export function createSaboteur(scheduler: Scheduler, log: FaultLog, redis: Redis | null) {
  const busy = new Set<unknown>();

  /** Runs `begin` unless a fault of this kind is in progress. Returns a function that ends it. */
  const once = (place: unknown, begin: () => () => void): (() => void) => {
    if (busy.has(place)) return () => {};
    busy.add(place);
    const end = begin();
    return () => {
      if (busy.delete(place)) end();
    };
  };

  /** `feltForMs`: how much longer than the fault its effects on messages last. */
  const onLinks = (machine: Machine, path: keyof typeof paths, feltForMs: number, apply: (link: Link) => () => void) =>
    paths[path].map((name) =>
      once(machine.links[name], () => {
        const settle = log.begin(name === "store" ? "store" : "redis", machine.host.id);
        const end = apply(machine.links[name]);
        return () => {
          end();
          scheduler.after(feltForMs, settle);
        };
      }),
    );

  const endAll = (ends: readonly (() => void)[]) => () => {
    for (const end of ends) end();
  };

  const hurt = (machine: Machine, fault: Fault): (() => void)[] => {
    const { host } = machine;
    switch (fault.kind) {
      case "cut":
        return onLinks(machine, fault.path, 0, (link) => {
          link.cut(fault.loud ? "refused" : "silent");
          if (fault.loud) machine.shared()?.breakConnections(link);
          return () => link.heal();
        });
      case "slow":
        return onLinks(machine, fault.path, 2 * fault.slownessMs, (link) => {
          const before = link.slownessMs;
          link.slownessMs = fault.slownessMs;
          link.isSteady = fault.steady;
          return () => {
            link.slownessMs = before;
            link.isSteady = false;
          };
        });
      case "pause":
        return [
          once(host, () => {
            const settle = log.begin("process", host.id);
            host.pause();
            return () => {
              settle();
              host.resume();
            };
          }),
        ];
      case "stall":
        scheduler.after(fault.stillMs, endAll(hurt(machine, { kind: "pause" })));
        return hurt(machine, { kind: "cut", path: "store", loud: fault.loud });
      case "crash":
        return [
          once(host, () => {
            const settle = log.begin("process", host.id);
            host.crash();
            return () => {
              settle();
              machine.start();
            };
          }),
        ];
      default:
        return [];
    }
  };

  return (machines: readonly Machine[], fault: Fault, durationMs: number): void => {
    const ends = machines.flatMap((machine) => hurt(machine, fault));
    if (redis !== null && (fault.kind === "hang" || fault.kind === "restart" || fault.kind === "failover")) {
      ends.push(
        once(redis, () => {
          const settle = log.begin("redis", null);
          if (fault.kind === "hang") redis.hang();
          if (fault.kind === "restart") redis.restart(fault.snapshotAgeMs);
          if (fault.kind === "failover") {
            const staying = new Set(machines.map(({ host }) => host.id));
            redis.failOver((id) => staying.has(id));
            for (const machine of machines) staying.add(machine.host.id);
          }
          return () => {
            if (fault.kind === "hang") redis.goOn();
            if (fault.kind === "failover") redis.reunite();
            settle();
          };
        }),
      );
    }
    scheduler.after(durationMs, endAll(ends));
  };
}
