import { expect, it } from "vitest";
import { endInPieces } from "../../src/http/end-in-pieces.ts";
import type { HttpResponse } from "../../src/http/message.ts";

type Sent = (error?: Error | null) => void;

function fakeResponse() {
  const pieces: Uint8Array[] = [];
  const sent: Sent[] = [];
  const response = {
    destroyed: false,
    isEnded: false,
    write(piece: Uint8Array, done: Sent) {
      pieces.push(piece);
      sent.push(done);
      return false;
    },
    end(piece: Uint8Array) {
      pieces.push(piece);
      this.isEnded = true;
    },
  };
  return { response, pieces, sent };
}

const bytes = Buffer.from(Array.from({ length: 40_000 }, (_, index) => index % 251));

it("hands over each piece once the one before it was sent, and ends with the last", () => {
  const { response, pieces, sent } = fakeResponse();
  endInPieces(response as unknown as HttpResponse, bytes);
  expect(pieces.map(({ length }) => length)).toEqual([16_384]);
  sent[0]?.();
  expect([pieces.length, response.isEnded]).toEqual([2, false]);
  sent[1]?.(null);
  expect([pieces.length, response.isEnded]).toEqual([3, true]);
  expect(Buffer.concat(pieces).equals(bytes)).toBe(true);
});

it("ends a short response at once", () => {
  for (const length of [0, 1, 16_384]) {
    const { response, pieces } = fakeResponse();
    endInPieces(response as unknown as HttpResponse, bytes.subarray(0, length));
    expect([pieces.map((piece) => piece.length), response.isEnded]).toEqual([[length], true]);
  }
});

it("stops if a piece cannot be sent, or if the response was destroyed meanwhile", () => {
  const failed = fakeResponse();
  endInPieces(failed.response as unknown as HttpResponse, bytes);
  failed.sent[0]?.(new Error("gone"));
  expect(failed.pieces).toHaveLength(1);
  const destroyed = fakeResponse();
  endInPieces(destroyed.response as unknown as HttpResponse, bytes);
  destroyed.response.destroyed = true;
  destroyed.sent[0]?.();
  expect(destroyed.pieces).toHaveLength(1);
});
