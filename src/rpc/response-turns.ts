import type { DescMethodUnary, MessageShape } from "@bufbuild/protobuf";
import type { Call } from "../call/call.ts";
import type { Implementation } from "../call/methods.ts";
import { Failure } from "../error/failure.ts";
import { maxAnswerBytes } from "./answer-size.ts";
import { refuseNow } from "./rate-limit-headers.ts";

export interface ResponseBounds {
  /** Calls of one caller that run at the same time. */
  readonly maxRunning: number;
  /** Bytes of the responses of one caller that the client has not read. While a call runs, the largest response that it may have counts. */
  readonly maxUnreadBytes: number;
  /** Calls of one caller that wait. Further ones are refused. Their requests count against the memory for bodies (http/body-budget.ts). */
  readonly maxWaiting: number;
  /** A call that waits this long while so much is unread, and none of it is read, is refused: only the client can end the wait. */
  readonly maxWaitMs: number;
}

/** Runs the work after this time. Returns a function that cancels it. */
export type StartTimer = (delayMs: number, work: () => void) => () => void;

/** Without these bounds, one caller that reads no responses fills the memory of the process. Reading a list costs the store a lot. */
export const listBounds: ResponseBounds = { maxRunning: 4, maxUnreadBytes: 12 * maxAnswerBytes, maxWaiting: 1000, maxWaitMs: 2000 };
export const batchBounds: ResponseBounds = { maxRunning: Infinity, maxUnreadBytes: 24 * maxAnswerBytes, maxWaiting: 1000, maxWaitMs: 2000 };

const tooMuchUnread = "too many calls of this caller wait, or too many responses to it are unread; try again later";

/** The least cost of a response: its stream, its headers and its buffers. */
const minResponseBytes = 16 * 1024;

/** An implementation that may call `setBytes` once it knows the size of its response. Else the largest size counts. */
export type Bounded<M extends DescMethodUnary> = (
  request: MessageShape<M["input"]>,
  call: Call,
  setBytes: (bytes: number) => void,
) => ReturnType<Implementation<M>>;

/** Bounds the responses that one caller leaves unread. Further calls wait for those, in their order, or are refused. */
export type InTurn = <M extends DescMethodUnary>(
  method: Bounded<M>,
  /** The size of the largest response to this request. */
  maxBytesOf?: (request: MessageShape<M["input"]>) => number,
) => Implementation<M>;

interface Place {
  bytes: number;
  state: "running" | "unread" | "closed";
}

/** The calls of one caller. */
interface Share {
  /** Returns the place, or a promise if the call has to wait. Null: the client has to read first. */
  enter(call: Call, bytes: number): Place | null | Promise<Place | null>;
  setBytes(place: Place, bytes: number): void;
  leave(place: Place): void;
}

function createShare(bounds: ResponseBounds, startTimer: StartTimer, onEmpty: () => void): Share {
  const { maxRunning, maxUnreadBytes, maxWaiting, maxWaitMs } = bounds;
  let running = 0;
  /** Bytes of all places: of complete responses, and of the largest ones that running calls may have. */
  let takenBytes = 0;
  /** Bytes of the complete responses. */
  let unreadBytes = 0;
  /** Complete responses that were read. */
  let readCount = 0;
  const queue = new Map<() => void, number>();

  const hasRoom = (bytes: number): boolean => running < maxRunning && takenBytes + bytes <= maxUnreadBytes;
  const release = (): void => {
    for (const [start, bytes] of queue) {
      if (!hasRoom(bytes)) break;
      queue.delete(start);
      start();
    }
    if (running + takenBytes + queue.size === 0) onEmpty();
  };
  /** Takes a place to run, and one for the response until that is read or the client is gone. */
  const take = (call: Call, bytes: number): Place => {
    const place: Place = { bytes, state: "running" };
    running += 1;
    takenBytes += bytes;
    call.onClose(() => {
      takenBytes -= place.bytes;
      if (place.state === "unread") {
        unreadBytes -= place.bytes;
        readCount += 1;
      }
      place.state = "closed";
      release();
    });
    return place;
  };
  const waitForRoom = (call: Call, bytes: number): Promise<Place | null> =>
    new Promise((resolve) => {
      const start = (): void => {
        cancelTimer();
        resolve(take(call, bytes));
      };
      let readBefore = readCount;
      const refuseOrWait = (): void => {
        if (readCount > readBefore || unreadBytes + bytes <= maxUnreadBytes) {
          readBefore = readCount;
          cancelTimer = startTimer(maxWaitMs, refuseOrWait);
        } else {
          queue.delete(start);
          resolve(null);
          release();
        }
      };
      let cancelTimer = startTimer(maxWaitMs, refuseOrWait);
      queue.set(start, bytes);
    });

  return {
    enter(call, bytes) {
      if (queue.size === 0 && hasRoom(bytes)) return take(call, bytes);
      return queue.size < maxWaiting ? waitForRoom(call, bytes) : null;
    },
    setBytes(place, bytes) {
      if (place.state === "closed") return;
      takenBytes += bytes - place.bytes;
      place.bytes = bytes;
    },
    leave(place) {
      running -= 1;
      if (place.state === "running") {
        place.state = "unread";
        unreadBytes += place.bytes;
      }
      release();
    },
  };
}

export function createResponseTurns(bounds: ResponseBounds, startTimer: StartTimer): InTurn {
  const shares = new Map<string, Share>();

  const shareOf = (name: string): Share => {
    const share = shares.get(name) ?? createShare(bounds, startTimer, () => shares.delete(name));
    shares.set(name, share);
    return share;
  };

  return (method, maxBytesOf = () => maxAnswerBytes) =>
    async (request, call) => {
      const share = shareOf(call.caller?.name ?? "");
      const entry = share.enter(call, costOf(maxBytesOf(request)));
      const place = entry instanceof Promise ? await entry : entry;
      if (place === null) refuseNow(call, bounds.maxWaitMs, tooMuchUnread);
      try {
        if (entry instanceof Promise && call.signal.aborted) throw new Failure("CANCELLED");
        return await method(request, call, (bytes) => share.setBytes(place, costOf(bytes)));
      } finally {
        share.leave(place);
      }
    };
}

function costOf(bytes: number): number {
  return Math.max(minResponseBytes, Math.min(bytes, maxAnswerBytes));
}
