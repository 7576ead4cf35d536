import type { CacheTrust } from "./trust.ts";

/** Trust for a process that is alone on its store: no other process can change a key, so its cache misses no change. */
export const soleProcessTrust: CacheTrust = {
  mode: () => "leased",
  localUse: () => "first",
  generationOf: () => null,
  epoch: 0,
  settle: async () => {},
  confirm: async () => {},
  judgeOutage: async () => {},
  onBeat: () => {},
  onGap: () => {},
  tick: async () => {},
};
