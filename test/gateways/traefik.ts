import type { Recipe } from "./lab.ts";

export const traefik: Recipe = {
  program: "traefik",
  files: ["traefik.yaml", "traefik-routes.yaml"],
  arguments: (config) => [`--configFile=${config}`],
};
