import type { DescMessage, DescMethod } from "@bufbuild/protobuf";
import { services } from "../../src/rpc/methods.ts";
import { Everything } from "../protojson/sample.ts";

/** Every message that a call sends or returns, and one with every kind of field. */
export const schemas: readonly DescMessage[] = [
  ...new Set([
    Everything,
    ...services.flatMap(({ methods }) => methods as readonly DescMethod[]).flatMap(({ input, output }): DescMessage[] => [input, output]),
  ]),
];
