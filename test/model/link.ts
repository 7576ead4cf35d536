import type { Scheduler } from "./scheduler.ts";

/** The state of the network between a process and a server: it delivers messages, loses them silently, or refuses them. */
export type LinkState = "open" | "silent" | "refused";

/** One network path between a process and a server, in both directions. */
export interface Link {
  readonly state: LinkState;
  /** Maximum milliseconds that most messages take; some still take up to 50. */
  slownessMs: number;
  /** True if every message takes about that long. */
  isSteady: boolean;
  cut(state: "silent" | "refused"): void;
  /** Messages held back while it was silent are delivered or lost. */
  heal(): void;
  /** Sends a message that arrives some time later, or when the network is back. Runs `lost` if it never arrives. */
  carry(arrive: () => void, lost: () => void, lane?: Lane): void;
}

/** Messages of one lane arrive in the order in which they were sent, as on one TCP connection. */
export interface Lane {
  lastMs: number;
}

/** If `isOrdered`, all messages of a silent period arrive or none does, as with TCP. */
export function createLink({ nowMs, after, between, chance }: Scheduler, { isOrdered }: { readonly isOrdered: boolean }): Link {
  let state: LinkState = "open";
  let held: { readonly arrive: () => void; readonly lost: () => void; readonly lane: Lane | undefined }[] = [];
  const link: Link = {
    get state() {
      return state;
    },
    slownessMs: 4,
    isSteady: false,
    cut(to) {
      state = to;
    },
    heal() {
      state = "open";
      const waiting = held;
      held = [];
      const goesOn = chance(0.5);
      for (const message of waiting) {
        if (isOrdered ? goesOn : chance(0.5)) link.carry(message.arrive, message.lost, message.lane);
        else message.lost();
      }
    },
    carry(arrive, lost, lane) {
      const mostMs = chance(0.9) ? link.slownessMs : Math.max(link.slownessMs, 50);
      let atMs = nowMs() + between(link.isSteady ? 0.7 * link.slownessMs : 0.2, mostMs);
      if (lane !== undefined) {
        atMs = Math.max(atMs, lane.lastMs);
        lane.lastMs = atMs;
      }
      after(atMs - nowMs(), () => {
        if (state === "open") arrive();
        else if (state === "silent") held.push({ arrive, lost, lane });
        else lost();
      });
    },
  };
  return link;
}
