/**
 * Assigns test files to vitest projects. `servers` has every file that neither `unit` nor `processes` names, so that a new file is in one
 * project without being listed. test/projects.test.ts checks the lists.
 */

/** No sockets, no databases, no child processes. */
export const unit: readonly string[] = [
  "test/adapters/{memory,none}/**/*.test.ts",
  "test/adapters/mongo/{document,group-insert,group-read}.test.ts",
  "test/adapters/redis/{encoding,uri}.test.ts",
  "test/{cache,core,model,service,validation,workers}/**/*.test.ts",
  "test/call/trace-context.test.ts",
  "test/config/{load,settings-text}.test.ts",
  "test/connect/{compression,wire-check}.test.ts",
  "test/http/**/*.test.ts",
  "test/protojson/{duration,json-position,parse-json}.test.ts",
  "test/rpc/{answer-size,create-request,custom-roles,lasting-answers,message,remembered-callers}.test.ts",
  "test/server/distinguished-name.test.ts",
  "test/telemetry/registry.test.ts",
  "test/tools/import/{checker,csv,ndjson,options,progress,run}.test.ts",
  "test/tools/openapi/**/*.test.ts",
  "test/transcode/{percent,template}.test.ts",
  "test/{architecture,closing,outage-log,projects}.test.ts",
];

/** Processes that are killed, drained, attacked or compared, and third-party programs that call a server. */
export const processes: readonly string[] = [
  "test/{clients,cluster,docs,holders,hostile,process}/**/*.test.ts",
  "test/adapters/sqlite/durability.test.ts",
  "test/config/bootstrap.test.ts",
  "test/protocol/{curl,python}.test.ts",
  "test/rpc/{audit-durability,batch-import-crash}.test.ts",
  "test/telemetry/log.test.ts",
  "test/tools/import/import.test.ts",
  "test/{deploy,main}.test.ts",
];

/** Also run on MongoDB and Redis. */
export const onMongo: readonly string[] = ["test/rpc/**/*.test.ts"];

/**
 * Not run on MongoDB. Who may call, what is counted in the process, and the shapes of credentials are decided before any store is asked;
 * what fits into a page of tenants after it.
 * The table of methods and the audit trail are the same on every store, and fourteen clients for each method take a minute.
 */
export const storeless: readonly string[] = ["test/rpc/{every-method,foreign-credentials,guess-limits,jwt-callers,list-tenants}.test.ts"];

/** Files that take longer than 10 s, or 5 s in `unit`, the slowest first (support/slowest-first.ts). */
export const slowest: readonly string[] = [
  "test/model/mutants.test.ts",
  "test/model/cache-protocol.test.ts",
  "test/adapters/mongo/failures.test.ts",
  "test/adapters/mongo/key-store.test.ts",
  "test/rpc/every-method.test.ts",
  "test/adapters/redis/sentinel.test.ts",
  "test/adapters/mongo/failover.test.ts",
  "test/adapters/redis/cluster.test.ts",
  "test/adapters/mongo/shared-key-store.test.ts",
  "test/adapters/redis/faults.test.ts",
  "test/telemetry/traces.test.ts",
  "test/adapters/redis/ledger.test.ts",
  "test/limit/outage.test.ts",
  "test/tools/import/import.test.ts",
  "test/cluster/bound.test.ts",
  "test/cluster/several-servers.test.ts",
  "test/process/workers.test.ts",
  "test/hostile/bodies.test.ts",
  "test/hostile/connections.test.ts",
  "test/hostile/addresses.test.ts",
  "test/hostile/hostile.test.ts",
  "test/process/kill.test.ts",
  "test/docs/commands.test.ts",
  "test/rpc/batch-import-crash.test.ts",
  "test/cluster/primary-killed.test.ts",
  "test/cluster/store-outage.test.ts",
  "test/process/bundled-start.test.ts",
  "test/hostile/json-values.test.ts",
  "test/process/drain.test.ts",
];
