import { describeGateway } from "./cases.ts";
import { traefik } from "./traefik.ts";

await describeGateway(traefik, {
  dead: 500,
  slow: null,
  twoHeaders: 401,
  longest: 15000,
  tooLong: 431,
  ownBody: false,
  showsLimits: false,
  upgrades: ["websocket", "other"],
});
