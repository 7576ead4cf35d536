import type { DescMethodUnary } from "@bufbuild/protobuf";
import type { Call } from "../call/call.ts";
import type { Implementation } from "../call/methods.ts";
import { Failure } from "../error/failure.ts";

export interface ListBounds {
  /** Lists of one caller that are read at the same time. */
  readonly maxRunning: number;
  /** Lists of one caller whose responses the client has not read. A response has at most 4 MiB. */
  readonly maxUnread: number;
}

/** Without them, one caller that reads no responses fills the memory of the process with those of its lists. */
export const defaultListBounds: ListBounds = { maxRunning: 4, maxUnread: 12 };

/** Bounds the lists that one caller has in progress. Further ones wait for those, in their order. */
export type BoundList = <M extends DescMethodUnary>(list: Implementation<M>) => Implementation<M>;

interface Share {
  running: number;
  unread: number;
  readonly waiting: (() => void)[];
}

export function createListTurns({ maxRunning, maxUnread }: ListBounds): BoundList {
  const shares = new Map<string, Share>();

  const hasRoom = ({ running, unread }: Share): boolean => running < maxRunning && unread < maxUnread;
  const release = (name: string, share: Share): void => {
    while (share.waiting.length > 0 && hasRoom(share)) share.waiting.shift()?.();
    if (share.running + share.unread + share.waiting.length === 0) shares.delete(name);
  };
  const shareOf = (name: string): Share => {
    const share = shares.get(name) ?? { running: 0, unread: 0, waiting: [] };
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

  return (list) => async (request, call) => {
    const name = call.caller?.name ?? "";
    const share = shareOf(name);
    if (hasRoom(share)) enter(name, share, call);
    else {
      await new Promise<void>((resolve) => {
        share.waiting.push(() => {
          enter(name, share, call);
          resolve();
        });
      });
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
