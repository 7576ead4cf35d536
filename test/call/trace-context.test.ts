import { expect, test } from "vitest";
import { parseTraceparent } from "../../src/call/trace-context.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const spanId = "b7ad6b7169203331";

test("a traceparent is read as in W3C Trace Context", () => {
  expect(parseTraceparent(`00-${traceId}-${spanId}-01`)).toEqual({ traceId, spanId, isSampled: true });
  expect(parseTraceparent(`00-${traceId}-${spanId}-00`)).toEqual({ traceId, spanId, isSampled: false });
  // Unknown flags, and the additional text of a later version.
  expect(parseTraceparent(`cc-${traceId}-${spanId}-fb-what-comes-then`)).toEqual({ traceId, spanId, isSampled: true });
});

test.each([
  undefined,
  "",
  "x",
  `00-${traceId}-${spanId}`,
  `00-${traceId}-${spanId}-01-more`,
  `ff-${traceId}-${spanId}-01`,
  `00-${"0".repeat(32)}-${spanId}-01`,
  `00-${traceId}-${"0".repeat(16)}-01`,
  `00-${traceId.toUpperCase()}-${spanId}-01`,
  `00-${traceId}-${spanId}-1`,
  `01-${traceId}-${spanId}-01more`,
  ` 00-${traceId}-${spanId}-01`,
  `00-${traceId}-${spanId}-01, 00-${traceId}-${spanId}-01`,
])("an invalid one is ignored: %s", (text) => {
  expect(parseTraceparent(text)).toBeUndefined();
});
