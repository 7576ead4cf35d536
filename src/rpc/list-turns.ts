import type { DescMethodUnary } from "@bufbuild/protobuf";
import type { Call } from "../call/call.ts";
import type { Implementation } from "../call/methods.ts";
import { Failure } from "../error/failure.ts";
import { refuseFor } from "./rate-limit-headers.ts";

export interface ListBounds {
  /** Lists of one caller that are read at the same time. */
  readonly maxRunning: number;
  /** Lists of one caller whose responses the client has not read. A response has at most 4 MiB. */
  readonly maxUnread: number;
  /** A list that waits this long while so many are unread is refused: only the client can end the wait. */
  readonly maxWaitMs: number;
}

/** Runs the work after this time. Returns a function that cancels it. */
export type StartTimer = (delayMs: number, work: () => void) => () => void;

/** Without them, one caller that reads no responses fills the memory of the process with those of its lists. */
export const defaultListBounds: ListBounds = { maxRunning: 4, maxUnread: 12, maxWaitMs: 2000 };

/** Bounds the lists that one caller has in progress. Further ones wait for those, in their order, or are refused. */
export type BoundList = <M extends DescMethodUnary>(list: Implementation<M>) => Implementation<M>;

interface Share {
  running: number;
  unread: number;
  readonly waiting: Set<() => void>;
}

export function createListTurns({ maxRunning, maxUnread, maxWaitMs }: ListBounds, startTimer: StartTimer): BoundList {
  const shares = new Map<string, Share>();

  const hasRoom = ({ running, unread }: Share): boolean => running < maxRunning && unread < maxUnread;
  const release = (name: string, share: Share): void => {
    for (const start of share.waiting) {
      if (!hasRoom(share)) break;
      share.waiting.delete(start);
      start();
    }
    if (share.running + share.unread + share.waiting.size === 0) shares.delete(name);
  };
  const shareOf = (name: string): Share => {
    const share = shares.get(name) ?? { running: 0, unread: 0, waiting: new Set<() => void>() };
    shares.set(name, share);
    return share;
  };
  /** Takes a place to read a list, and one for its response until that is read or the client is gone. */
  const enter = (name: string, share: Share, call: Call): void => {
    share.running += 1;
    share.unread += 1;
    call.onClose(() => {
      share.unread -= 1;
      release(name, share);
    });
  };

  /** Resolves with whether the list has its place. */
  const waitForRoom = (name: string, share: Share, call: Call): Promise<boolean> =>
    new Promise((resolve) => {
      const start = (): void => {
        cancelTimer();
        enter(name, share, call);
        resolve(true);
      };
      const check = (): void => {
        if (share.unread < maxUnread) cancelTimer = startTimer(maxWaitMs, check);
        else if (share.waiting.delete(start)) resolve(false);
      };
      let cancelTimer = startTimer(maxWaitMs, check);
      share.waiting.add(start);
    });

  return (list) => async (request, call) => {
    const name = call.caller?.name ?? "";
    const share = shareOf(name);
    if (hasRoom(share)) enter(name, share, call);
    else if (!(await waitForRoom(name, share, call))) {
      refuseFor(call, maxWaitMs, "too many responses to lists of this caller are unread; try again later");
    }
    try {
      if (call.signal.aborted) throw new Failure("CANCELLED");
      return await list(request, call);
    } finally {
      share.running -= 1;
      release(name, share);
    }
  };
}
