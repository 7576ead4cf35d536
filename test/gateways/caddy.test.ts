import { expect, test } from "vitest";
import { ask } from "./ask.ts";
import { describeGateway } from "./cases.ts";

const stopped = {
  "# to https://keywright-2.internal:4430": "to https://127.0.0.1:1",
  "# lb_retries 1": "lb_retries 1",
  "# fail_duration 1s": "fail_duration 1s",
};

await describeGateway(
  {
    program: "caddy",
    files: ["Caddyfile"],
    arguments: (config) => ["run", "--config", config, "--adapter", "caddyfile"],
  },
  {
    dead: 502,
    slow: 504,
    twoHeaders: 401,
    longest: 15000,
    tooLong: 431,
    ownBody: false,
    showsLimits: true,
    upgrades: ["websocket"],
    stopped,
  },
  (lab) => {
    test("every header that begins like ours is removed", async () => {
      const { secret } = await lab().issue({ scopes: ["orders"] });
      const names = ["X-Keywright", "X_Keywright", "X-Keywright_Actor", "X_Keywright-Actor", "x-keywrightactor"];
      const headers = Object.fromEntries(names.map((name) => [name, "spoofed"]));
      const { status } = await ask(lab().port, "/", { headers: { ...headers, authorization: `Bearer ${secret}` } });
      expect(status, lab().output()).toBe(200);
      expect(JSON.stringify(lab().received.at(-1)?.headers)).not.toContain("spoofed");
    });
  },
);
