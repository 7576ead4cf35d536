import { describeGateway } from "./cases.ts";
import { stoppedEnvoy } from "./envoy.ts";

await describeGateway(
  {
    program: "envoy",
    files: ["envoy-http.yaml"],
    arguments: (config) => ["--config-path", config, "--concurrency", "1", "--disable-hot-restart", "--log-level", "warn"],
  },
  {
    stopped: stoppedEnvoy,
    dead: 503,
    slow: 503,
    twoHeaders: 401,
    longest: 15000,
    tooLong: 431,
    ownBody: false,
    showsLimits: true,
    upgrades: [],
  },
);
