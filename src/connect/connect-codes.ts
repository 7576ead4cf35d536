interface ConnectCode {
  /** Connect's own name for the code. */
  readonly name: string;
  /** The HTTP status of a unary error with this code. */
  readonly httpStatus: number;
}

/** By the number of google.rpc.Code (Connect protocol, "Error Codes"). */
export const connectCodes: ReadonlyMap<number, ConnectCode> = new Map([
  [1, { name: "canceled", httpStatus: 499 }],
  [2, { name: "unknown", httpStatus: 500 }],
  [3, { name: "invalid_argument", httpStatus: 400 }],
  [4, { name: "deadline_exceeded", httpStatus: 504 }],
  [5, { name: "not_found", httpStatus: 404 }],
  [6, { name: "already_exists", httpStatus: 409 }],
  [7, { name: "permission_denied", httpStatus: 403 }],
  [8, { name: "resource_exhausted", httpStatus: 429 }],
  [9, { name: "failed_precondition", httpStatus: 400 }],
  [10, { name: "aborted", httpStatus: 409 }],
  [11, { name: "out_of_range", httpStatus: 400 }],
  [12, { name: "unimplemented", httpStatus: 501 }],
  [13, { name: "internal", httpStatus: 500 }],
  [14, { name: "unavailable", httpStatus: 503 }],
  [15, { name: "data_loss", httpStatus: 500 }],
  [16, { name: "unauthenticated", httpStatus: 401 }],
]);
