import type { Scheduler } from "./scheduler.ts";

/** What the network between a process and a server does: carries, loses without a word, or refuses. */
export type LinkState = "open" | "silent" | "refused";

/** One way through the network between a process and a server, in both directions. */
export interface Link {
  readonly state: LinkState;
  /** Milliseconds that most messages take at most; some take up to 50 all the same. */
  slownessMs: number;
  /** Every message takes about that long. */
  isSteady: boolean;
  cut(state: "silent" | "refused"): void;
  /** What was held back while it was silent goes on, or is lost. */
  heal(): void;
  /** A message that arrives some time later, or when the network is back; `lost` runs where it never does. */
  carry(arrive: () => void, lost: () => void, lane?: Lane): void;
}

/** Messages of one lane arrive in the order in which they were sent, as on one TCP connection. */
export interface Lane {
  lastMs: number;
}

/** Where `isOrdered`, a silent time ends with all messages or with none, as TCP does it. */
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
