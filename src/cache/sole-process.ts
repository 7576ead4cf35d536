import type { CacheTrust } from "./trust.ts";

/** Trust where no other process can change a key: the store is this process's own, so its cache misses nothing. */
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
