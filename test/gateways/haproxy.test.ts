import { describeGateway } from "./cases.ts";

await describeGateway(
  {
    program: "haproxy",
    files: ["haproxy.cfg", "keywright.lua"],
    arguments: (config) => ["-db", "-f", config],
  },
  { dead: 503, slow: 503, twoHeaders: 401, longest: 15000, tooLong: 431, showsLimits: true },
);
