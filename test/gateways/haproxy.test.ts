import { expect, test } from "vitest";
import { ask } from "./ask.ts";
import { describeGateway } from "./cases.ts";

await describeGateway(
  {
    program: "haproxy",
    files: ["haproxy.cfg", "keywright.lua"],
    arguments: (config) => ["-db", "-f", config],
  },
  { dead: 503, slow: 503, twoHeaders: 401, longest: 15000, tooLong: 431, ownBody: false, showsLimits: true, upgrades: ["websocket"] },
  (lab) => {
    test("the frontend for Lua passes on only questions about requests, because it adds the gateway's token", async () => {
      const { secret } = await lab().issue({ scopes: ["orders"] });
      const headers = { authorization: `Bearer ${secret}` };
      expect((await ask(lab().otherPort, "/gateway/verify/scopes=orders", { headers })).status).toBe(200);
      for (const path of ["/", "/healthz", "/openapi.json", "/v2alpha1/admin/issuedApiKeys", "/gateway/verify"]) {
        expect((await ask(lab().otherPort, path, { headers })).status, path).toBe(403);
      }
    });
  },
);
