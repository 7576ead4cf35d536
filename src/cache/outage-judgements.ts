import type { StoreContact } from "./store-contact.ts";

/** Readers that wait after a failure of the store until it is clear what the failure means. */
export interface OutageJudgements {
  /** Resolves once the store is lost, has answered a later question, or has had enough time. */
  next(): Promise<void>;
  /** Call it after every answer and every tick. */
  settle(): void;
}

/** After this many ticks the lease of the store's last answer has ended too. */
const maxTicks = 6;

/** `isGone`: the store is lost, and its last answer is older than the lease. */
export function createOutageJudgements(contact: StoreContact, isGone: () => boolean): OutageJudgements {
  let waiting: { readonly sinceTick: number; readonly resolve: () => void }[] = [];
  const isJudged = ({ sinceTick }: (typeof waiting)[number]) =>
    isGone() || contact.answeredTick > sinceTick || contact.ticks - sinceTick >= maxTicks;
  return {
    next: () => new Promise((resolve) => waiting.push({ sinceTick: contact.ticks, resolve })),
    settle() {
      const judged = waiting.filter(isJudged);
      if (judged.length === 0) return;
      waiting = waiting.filter((judgement) => !isJudged(judgement));
      for (const { resolve } of judged) resolve();
    },
  };
}
