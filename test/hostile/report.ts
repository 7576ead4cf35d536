import { errorTable } from "../../src/error/table.ts";

/** A response to an attack, as far as it arrived. */
export interface Answer {
  readonly httpStatus: number;
  /** `grpc-status` of headers or trailers, if there is one. */
  readonly grpcStatus?: string | undefined;
  /** The `grpc-message` that belongs to it. */
  readonly grpcMessage?: string | undefined;
  readonly body: Buffer;
}

/** Responses that are correct for this attack and otherwise a fault. */
export interface Excuse {
  /** The specification of Connect requires `unimplemented`, which is HTTP 501. */
  readonly unimplemented?: boolean;
  /** It set a deadline itself. */
  readonly deadline?: boolean;
}

/** Results of the run: counts by attack and status, and every fault of the server. */
export interface Report {
  count(attack: string, requests: number): void;
  /** `request` describes what was sent, for the example of a fault. */
  judge(attack: string, answer: Answer, excuse?: Excuse, request?: string): void;
  fault(attack: string, text: string, example?: string): void;
  readonly requests: number;
  readonly requestsByAttack: ReadonlyMap<string, number>;
  readonly answersByStatus: ReadonlyMap<string, number>;
  /** Each kind of fault once, with its count and one example. */
  readonly faults: ReadonlyMap<string, { count: number; readonly example: string }>;
}

/** UNKNOWN, INTERNAL, UNAVAILABLE, DATA_LOSS. */
const grpcFaults = new Set(["2", "13", "14", "15"]);
const grpcTrailerInBody = /grpc-status: ?(\d+)/;
/** The specifications of gRPC and Connect require INTERNAL here. */
const undeclaredCompression = errorTable.UNDECLARED_COMPRESSION.text;

export function createReport(): Report {
  const requestsByAttack = new Map<string, number>();
  const answersByStatus = new Map<string, number>();
  const faults = new Map<string, { count: number; readonly example: string }>();
  let requests = 0;

  const fault = (attack: string, text: string, example = "") => {
    const name = `${attack}: ${text}`;
    const known = faults.get(name);
    if (known === undefined) faults.set(name, { count: 1, example });
    else known.count += 1;
  };

  return {
    count(attack, added) {
      requests += added;
      add(requestsByAttack, attack, added);
    },
    judge(attack, answer, excuse = {}, request = "") {
      const { httpStatus, body } = answer;
      const text = httpStatus === 200 && body.length > 65_536 ? "" : body.toString("latin1");
      const plainText = webTextDecoded(text);
      const grpcStatus = answer.grpcStatus ?? grpcTrailerInBody.exec(plainText)?.[1];
      add(answersByStatus, grpcStatus === undefined ? `HTTP ${httpStatus}` : `gRPC ${grpcStatus}`, 1);
      const isExcused = (httpStatus === 501 && excuse.unimplemented === true) || (httpStatus === 504 && excuse.deadline === true);
      if (httpStatus >= 500 && !isExcused) fault(attack, `answered HTTP ${httpStatus}`, `${text.slice(0, 300)} ${request}`);
      // A request that is not a call is refused with an HTTP status, which gRPC maps to UNKNOWN.
      const isRefusal = httpStatus >= 400 && httpStatus < 500 && grpcStatus === "2";
      const isUndeclared = grpcStatus === "13" && (answer.grpcMessage ?? plainText).includes(undeclaredCompression);
      if (grpcStatus !== undefined && grpcFaults.has(grpcStatus) && !isRefusal && !isUndeclared)
        fault(attack, `answered gRPC status ${grpcStatus}`, `${text.slice(0, 300)} ${request}`);
    },
    fault,
    get requests() {
      return requests;
    },
    requestsByAttack,
    answersByStatus,
    faults,
  };
}

/** grpc-web-text is base64 as a whole. */
function webTextDecoded(text: string): string {
  return /^[A-Za-z0-9+/]{8,}=*$/.test(text.slice(0, 64)) ? `${text}${Buffer.from(text, "base64").toString("latin1")}` : text;
}

function add(counts: Map<string, number>, name: string, added: number): void {
  counts.set(name, (counts.get(name) ?? 0) + added);
}
