import { describeGateway } from "./cases.ts";

await describeGateway(
  {
    program: "caddy",
    files: ["Caddyfile"],
    arguments: (config) => ["run", "--config", config, "--adapter", "caddyfile"],
  },
  { dead: 502, slow: 504, twoHeaders: 401, longest: 15000, tooLong: 431, showsLimits: true },
);
