import { randomBytes } from "node:crypto";
import { openIssuerKeys } from "../adapters/open.ts";
import type { Admission } from "../call/call.ts";
import type { CertificateOf } from "../call/client-certificate.ts";
import { noteKnownConnections } from "../call/known-connection.ts";
import { defaultTenant } from "../core/tenant.ts";
import type { AuditTrail } from "../ports/audit-trail.ts";
import { auditRefusals } from "../rpc/admission/audit-refusals.ts";
import { authenticate, type Callers, isAdmin } from "../rpc/admission/authenticate.ts";
import { createTenantResolver, resolveTenant } from "../rpc/admission/resolve-tenant.ts";
import { createSampler, logCalls } from "../rpc/log-calls.ts";
import { isOfCaller, isOfInstallation, isRead } from "../rpc/method-table.ts";
import type { Connections } from "../server/connections.ts";
import { createRefusalRecorder, type RefusalRecorder } from "../service/refusal-recorder.ts";
import type { TenantDirectory } from "../service/tenants/tenant-directory.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { type CallersConfig, callersOf } from "./callers.ts";
import type { Given } from "./given.ts";

/** The current callers. A new configuration replaces them. */
export interface CurrentCallers {
  current(): Callers;
  /** Throws ConfigError, and changes nothing, if the settings have a problem. */
  replace(settings: CallersConfig): void;
  isAdmin(authorization: string | undefined): Promise<boolean>;
}

/** `certificateOf` is undefined if clients are not asked for certificates. */
export function openCallers({ config, secrets, log, clock, monotonicMs }: Given, certificateOf: CertificateOf | undefined): CurrentCallers {
  const sources = { keysOf: openIssuerKeys(config, { log, monotonicMs }), certificateOf, clock };
  let callers = callersOf({ ...config, ...secrets }, sources);
  return {
    current: () => callers,
    replace(settings) {
      callers = callersOf(settings, sources);
    },
    isAdmin: (authorization) => isAdmin(callers, authorization, clock),
  };
}

/** Limits on refused calls in the audit trail. */
const refusalBounds = { maxPerMinute: 10, maxCounts: 1000, maxBuffered: 1000 };

export interface AdmissionParts {
  readonly callers: CurrentCallers;
  readonly directory: TenantDirectory;
  readonly audit: AuditTrail;
  readonly connections: Connections;
  readonly telemetry: Telemetry;
}

export interface AppAdmission {
  readonly admit: Admission;
  /** The two halves of `admit`, for calls whose tenant is known only later. */
  readonly ofGateways: { readonly admit: Admission; readonly resolveTenant: Admission };
  /** Records the calls that a further step refuses. */
  readonly audited: (admit: Admission) => Admission;
  readonly refusals: RefusalRecorder;
}

/** Authenticates calls, records refused ones, and observes all of them until they end. */
export function createAdmission(given: Given, parts: AdmissionParts): AppAdmission {
  const { config, log, clock, monotonicMs, closing } = given;
  const { callers, directory, audit, connections, telemetry } = parts;
  const refusals = createRefusalRecorder({ audit, tenant: defaultTenant, clock, monotonicMs, randomBytes, log, ...refusalBounds });
  const authenticated = authenticate(callers.current, clock);
  const resolve = createTenantResolver(directory, { isOfInstallation, isOfCaller });
  const isSampled = createSampler(config.logSampling, Math.random);
  const atEnd = (work: () => void) => closing.defer(work);
  const logged = logCalls({ log, monotonicMs, atEnd, isRead, isSampled, traceIdOf: telemetry.traceIdOf });
  const audited = (admit: Admission): Admission => auditRefusals(refusals, admit);
  const observed = (admit: Admission): Admission => noteKnownConnections(connections.setKnown, telemetry.admission(audited(admit), logged));
  return {
    admit: observed(resolveTenant(resolve, authenticated)),
    ofGateways: { admit: observed(authenticated), resolveTenant: audited(resolve) },
    audited,
    refusals,
  };
}
