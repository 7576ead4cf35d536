import { Failure } from "../error/failure.ts";

const millisecondsPerUnit: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/** Grpc-Timeout: up to 8 digits and a unit (gRPC over HTTP/2). In milliseconds; undefined for no deadline. */
export function parseGrpcTimeout(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const match = /^(\d{1,8})([HMSmun])$/.exec(value);
  if (match === null)
    throw new Failure("INVALID_REQUEST", { message: "grpc-timeout must be 1 to 8 digits followed by one of H, M, S, m, u, n" });
  return Number(match[1]) * (millisecondsPerUnit[match[2] as string] as number);
}

/** Connect-Timeout-Ms: up to 10 digits (Connect protocol). In milliseconds; undefined for no deadline. */
export function parseConnectTimeout(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (!/^\d{1,10}$/.test(value)) throw new Failure("INVALID_REQUEST", { message: "connect-timeout-ms must be 1 to 10 digits" });
  return Number(value);
}
