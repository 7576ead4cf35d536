import { describe } from "vitest";
import { describeOnCluster } from "./describe-on-cluster.ts";
import { testLastUse } from "./last-use.ts";
import { testLeaseHolders } from "./lease-holders.ts";
import { testMetrics } from "./metrics.ts";
import { testRateLimits } from "./rate-limits.ts";

const options = {
  mongoMembers: 1,
  env: { KEYWRIGHT_METRICS_PORT: "0" },
  nodeEnv: [{}, {}, { KEYWRIGHT_RATE_LIMIT_OUTAGE: "closed" }],
} as const;

// One cluster, because starting it takes longer than most of the tests.
await describeOnCluster("three servers", options, (cluster) => {
  describe("metrics", () => testMetrics(cluster));
  describe("one rate limit", () => testRateLimits(cluster));
  // Last, because they end servers.
  describe("last_used_time", () => testLastUse(cluster));
  describe("holders of leases", () => testLeaseHolders(cluster));
});
