/** Traefik waits for Keywright for 30 s, which is too long for `npm test`. The row "Keywright is slow" of docs/gateways.md says so. */
import { expect, test } from "vitest";
import { gatewayProgram } from "../../scripts/test-gateways.ts";
import { ask } from "../gateways/ask.ts";
import { startLab } from "../gateways/lab.ts";
import { traefik } from "../gateways/traefik.ts";
import { needs } from "./support/needs.ts";

needs(() => gatewayProgram("traefik"));

test("if Keywright is slow, Traefik gives up after 30 s, and nothing passes", async () => {
  await using lab = await startLab(traefik);
  const { secret } = await lab.issue({ scopes: ["orders"] });
  const headers = { authorization: `Bearer ${secret}` };
  expect((await ask(lab.port, "/", { headers })).status).toBe(200);
  lab.network.set("silent");
  const begunMs = performance.now();
  const { status } = await ask(lab.port, "/", { headers });
  expect([status, lab.received.length]).toEqual([500, 1]);
  expect(Math.round((performance.now() - begunMs) / 5000) * 5).toBe(30);
  lab.network.set("pass");
  expect((await ask(lab.port, "/", { headers })).status).toBe(200);
});
