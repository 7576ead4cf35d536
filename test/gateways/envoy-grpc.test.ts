import { expect, test } from "vitest";
import { ask, askHttp2 } from "./ask.ts";
import { describeGateway } from "./cases.ts";
import { stoppedEnvoy } from "./envoy.ts";
import { type Recipe, startLab } from "./lab.ts";

const envoy: Recipe = {
  program: "envoy",
  files: ["envoy-grpc.yaml"],
  arguments: (config) => ["--config-path", config, "--concurrency", "1", "--disable-hot-restart", "--log-level", "warn"],
};

await describeGateway(
  envoy,
  {
    stopped: stoppedEnvoy,
    dead: 503,
    slow: 503,
    twoHeaders: 401,
    longest: 15000,
    tooLong: 401,
    ownBody: false,
    showsLimits: true,
    upgrades: [],
  },
  (lab) => {
    test("a gRPC client of an end user gets the status and the text of gRPC", async () => {
      const { secret } = await lab().issue({ scopes: ["orders"], rate_limit_policy: { quota: "1", window: "3600s" } });
      const call = (path: string) =>
        askHttp2(lab().port, path, { method: "POST", headers: { "content-type": "application/grpc", authorization: `Bearer ${secret}` } });
      expect((await call("/files/Get")).headers).toMatchObject({ "grpc-status": "7", "grpc-message": "a required scope is missing" });
      expect((await call("/orders.Orders/Get")).status).toBe(200);
      const { headers } = await call("/orders.Orders/Get");
      expect(headers).toMatchObject({ "grpc-status": "8", "grpc-message": "the key's rate limit is exhausted" });
      expect(headers["content-type"]).toBe("application/grpc");
    });
    test("with encode_raw_headers, keys pass, and two credentials or an end user's address do not", async () => {
      const raw = { "transport_api_version: V3": "transport_api_version: V3\n                      encode_raw_headers: true" };
      await using lab = await startLab({ ...envoy, replace: () => raw });
      const { keyId, secret } = await lab.issue({ scopes: ["orders"] });
      const far = await lab.issue({ scopes: ["orders"], ip_restriction: { allowed_cidrs: ["192.0.2.0/24"] } });
      const statusOf = async (headers: Record<string, string | string[]>) =>
        (await ask(lab.port, "/", { headers, localAddress: "127.0.0.2" })).status;

      expect(await statusOf({ authorization: `Bearer ${secret}` }), lab.output()).toBe(200);
      expect(lab.received[0]?.headers).toMatchObject({ "x-keywright-key-id": keyId });
      expect(await statusOf({ "x-api-key": secret })).toBe(200);
      expect(await statusOf({})).toBe(401);
      expect(await statusOf({ authorization: [`Bearer ${secret}`, "Bearer other"] })).toBe(401);
      expect(await statusOf({ authorization: `Bearer ${secret}`, "x-api-key": secret })).toBe(401);
      expect(await statusOf({ authorization: `Bearer ${far.secret}`, "x-forwarded-for": "192.0.2.7" })).toBe(403);
      expect(lab.received.length).toBe(2);
    });
  },
);
