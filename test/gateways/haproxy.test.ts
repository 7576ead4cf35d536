import { expect, test } from "vitest";
import { ask } from "./ask.ts";
import { describeGateway } from "./cases.ts";
import { type Recipe, startLab } from "./lab.ts";

const haproxy: Recipe = {
  program: "haproxy",
  files: ["haproxy.cfg", "keywright.lua"],
  arguments: (config) => ["-db", "-f", config],
};

await describeGateway(
  haproxy,
  {
    dead: 503,
    slow: 503,
    twoHeaders: 401,
    longest: 15000,
    tooLong: 431,
    ownBody: false,
    showsLimits: true,
    upgrades: ["websocket"],
    stopped: { "  option redispatch 1\n": "  option redispatch 1\n  server stopped 127.0.0.1:1 ssl verify none\n" },
  },
  (lab) => {
    test("a burst of requests opens at most 64 connections to Keywright, because each costs a TLS handshake", async () => {
      await using burst = await startLab(haproxy);
      const { secret } = await burst.issue({ scopes: ["orders"] });
      const headers = { authorization: `Bearer ${secret}` };
      const answers = await Promise.all(Array.from({ length: 200 }, () => ask(burst.port, "/", { headers })));
      expect(answers.some(({ status }) => status === 200)).toBe(true);
      expect(burst.network.connections).toBeGreaterThan(0);
      expect(burst.network.connections).toBeLessThanOrEqual(64);
    });

    test("the frontend for Lua passes on only questions about requests, because it adds the gateway's token", async () => {
      const { secret } = await lab().issue({ scopes: ["orders"] });
      const headers = { authorization: `Bearer ${secret}` };
      expect((await ask(lab().otherPort, "/gateway/verify/scopes=orders", { headers })).status).toBe(200);
      for (const path of ["/", "/healthz", "/openapi.json", "/v2alpha1/admin/issuedApiKeys", "/gateway/verify"]) {
        expect((await ask(lab().otherPort, path, { headers })).status, path).toBe(403);
      }
    });

    test("an error in Lua lets no request pass", async () => {
      const line = "  local response = core.httpclient()";
      const replace = () => ({ [line]: `if headers["x-fail"] ~= nil then error("test") end\n${line}` });
      await using failing = await startLab({ ...haproxy, replace });
      const { secret } = await failing.issue({ scopes: ["orders"] });
      const statusOf = async (headers: Record<string, string>) =>
        (await ask(failing.port, "/", { headers: { authorization: `Bearer ${secret}`, ...headers } })).status;
      expect([await statusOf({}), await statusOf({ "x-fail": "1" }), failing.received.length]).toEqual([200, 503, 1]);
    });
  },
);
