import type { HttpHandler } from "../../http/message.ts";
import { targetOf } from "../../http/target.ts";
import { answerFor, sendError, sendJson } from "../error-answer.ts";
import type { HealthState } from "./health-state.ts";

const ok = JSON.stringify({ status: "ok" });
const unavailable = JSON.stringify({ status: "unavailable" });
const noStore = { "cache-control": "no-store" };

/**
 * Probes over plain HTTP, without authentication. `/health/alive` returns 200 while the process answers. `/health/ready` asks the store and
 * returns 503 while the store does not answer, and from the beginning of a drain.
 */
export function createHealthHttp(state: HealthState): HttpHandler {
  return (request, response) => {
    if (request.method !== "GET" && request.method !== "HEAD") {
      sendError(response, answerFor("METHOD_NOT_ALLOWED"), { ...noStore, allow: "GET, HEAD" });
      return;
    }
    if (targetOf(request).path === "/health/alive") {
      sendJson(response, 200, ok, noStore);
      return;
    }
    void (state.draining ? Promise.resolve(false) : state.check()).then((isReady) => {
      if (isReady) sendJson(response, 200, ok, noStore);
      else sendJson(response, 503, unavailable, noStore);
    });
  };
}
