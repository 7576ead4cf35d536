import { describeGateway } from "./cases.ts";

await describeGateway(
  {
    program: "traefik",
    files: ["traefik.yaml", "traefik-routes.yaml"],
    arguments: (config) => [`--configFile=${config}`],
  },
  { dead: 500, slow: null, twoHeaders: 401, longest: 15000, tooLong: 431, showsLimits: false },
);
