import { expect, it } from "vitest";
import type { HttpHandler } from "../../src/http/message.ts";
import { targetOf } from "../../src/http/target.ts";
import { createCors } from "../../src/server/cors.ts";
import { createDispatcher } from "../../src/server/dispatch.ts";
import { askHttp1, askHttp2, raw, serve } from "./support.ts";

const named =
  (name: string): HttpHandler =>
  (request, response) => {
    const { path, query } = targetOf(request);
    response.end(`${name} ${path}${query && `?${query}`}`);
  };
const parts = {
  rpc: named("rpc"),
  health: named("health"),
  transcoder: named("transcoder"),
  isRpc: (path: string) => path === "/a.B/C",
};

it("picks the handler by the raw path without the query", async () => {
  await using server = await serve(createDispatcher(parts));
  const picked: Record<string, string> = {
    "/a.B/C": "rpc /a.B/C",
    "/a.B/C?x=/health/alive": "rpc /a.B/C?x=/health/alive",
    "/a.B/%43": "transcoder /a.B/%43",
    "/x/../a.B/C": "transcoder /x/../a.B/C",
    "//a.B/C": "transcoder //a.B/C",
    "/health/alive": "health /health/alive",
    "/health/ready?verbose": "health /health/ready?verbose",
    "/health/": "transcoder /health/",
    "/health/alive/x": "transcoder /health/alive/x",
    "/": "transcoder /",
  };
  for (const [path, answer] of Object.entries(picked)) {
    expect((await askHttp1(server.port, path)).body).toBe(answer);
    expect((await askHttp2(server.port, path)).body).toBe(answer);
  }
});

it("accepts targets in absolute form, and leaves others to the transcoder", async () => {
  await using server = await serve(createDispatcher(parts));
  const ask = async (target: string, method = "GET"): Promise<string> =>
    (await raw(server.port, `${method} ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`).closed())
      .toString()
      .split("\r\n\r\n")[1] ?? "";
  expect(await ask("http://keys.example/a.B/C")).toContain("rpc /a.B/C");
  expect(await ask("HTTP://keys.example:80/a.B/C?x=1")).toContain("rpc /a.B/C?x=1");
  expect(await ask("http://keys.example")).toContain("transcoder /");
  expect(await ask("http://keys.example?x=1")).toContain("transcoder /?x=1");
  expect(await ask("*", "OPTIONS")).toContain("transcoder *");
});

it("sends no CORS headers if no origin is configured", async () => {
  expect(createCors([])).toBeUndefined();
  await using server = await serve(createDispatcher(parts));
  const answer = await askHttp1(server.port, "/a.B/C", "OPTIONS", { origin: "https://a.example", "access-control-request-method": "POST" });
  expect(answer.body).toBe("rpc /a.B/C");
  expect(Object.keys(answer.headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
});

it("answers only the preflights of the configured origins", async () => {
  await using server = await serve(createDispatcher({ ...parts, cors: createCors(["https://a.example", "https://b.example:8443"]) }));
  const preflight = (origin: string) =>
    askHttp1(server.port, "/v2alpha1/x", "OPTIONS", { origin, "access-control-request-method": "PATCH" });
  for (const origin of ["https://a.example", "https://b.example:8443"]) {
    const { status, headers, body } = await preflight(origin);
    expect({ status, body }).toEqual({ status: 204, body: "" });
    expect(headers).toMatchObject({ "access-control-allow-origin": origin, vary: "origin", "access-control-max-age": "7200" });
    const methods = String(headers["access-control-allow-methods"]).split(", ");
    expect(methods).toEqual(expect.arrayContaining(["GET", "POST", "PATCH", "DELETE"]));
    const names = String(headers["access-control-allow-headers"]).toLowerCase().split(", ");
    const wanted = [
      "authorization",
      "content-type",
      "connect-protocol-version",
      "x-grpc-web",
      "grpc-timeout",
      "x-request-id",
      "cache-control",
      "pragma",
      "keywright-tenant",
      "traceparent",
    ];
    expect(names).toEqual(expect.arrayContaining(wanted));
  }
  for (const origin of ["https://a.example.evil", "http://a.example", "null", "https://A.example"]) {
    const { status, headers } = await preflight(origin);
    expect({ status, vary: headers.vary }).toEqual({ status: 204, vary: "origin" });
    expect(Object.keys(headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
  }
});

it("exposes the headers of a response, never allows credentials, and varies by origin", async () => {
  await using exact = await serve(createDispatcher({ ...parts, cors: createCors(["https://a.example"]) }));
  const { headers, body } = await askHttp1(exact.port, "/a.B/C", "GET", { origin: "https://a.example" });
  expect(body).toBe("rpc /a.B/C");
  expect(headers["access-control-allow-origin"]).toBe("https://a.example");
  expect(headers["access-control-allow-credentials"]).toBeUndefined();
  const exposed = String(headers["access-control-expose-headers"]).toLowerCase().split(", ");
  const wanted = [
    "location",
    "retry-after",
    "cache-status",
    "x-request-id",
    "www-authenticate",
    "grpc-status",
    "grpc-message",
    "grpc-status-details-bin",
  ];
  expect(exposed).toEqual(expect.arrayContaining(wanted));
  expect((await askHttp1(exact.port, "/a.B/C")).headers).toMatchObject({ vary: "origin" });

  await using all = await serve(createDispatcher({ ...parts, cors: createCors(["*"]) }));
  const open = await askHttp2(all.port, "/a.B/C", { origin: "https://any.example" });
  expect(open.headers["access-control-allow-origin"]).toBe("*");
  expect(open.headers["access-control-allow-credentials"]).toBeUndefined();
});

it("leaves OPTIONS that are not a preflight to the route", async () => {
  await using server = await serve(createDispatcher({ ...parts, cors: createCors(["*"]) }));
  expect((await askHttp1(server.port, "/x", "OPTIONS", { origin: "https://a.example" })).body).toBe("transcoder /x");
});
