import { once } from "node:events";
import { setImmediate } from "node:timers/promises";
import { beforeEach, describe, expect, it } from "vitest";
import type { HttpHandler, HttpRequest, HttpResponse } from "../../src/http/message.ts";
import { askHttp1, longTimes, raw, serve, until } from "./support.ts";

/** What was carried out: the targets of all requests. */
const handled: string[] = [];
beforeEach(() => {
  handled.length = 0;
});

/** `late` in a target: answers some turns later. `read`: reads the body first. */
async function answer(request: HttpRequest, response: HttpResponse): Promise<void> {
  const target = request.url ?? "";
  handled.push(target);
  if (target.includes("late")) for (let turn = 0; turn < 5; turn += 1) await setImmediate();
  if (target.includes("read")) await once(request.resume(), "end");
  response.end("ok");
}
const handler: HttpHandler = (request, response) => void answer(request, response);

const get = (target: string, headers = "", version = "1.1") => `GET ${target} HTTP/${version}\r\nHost: a\r\n${headers}\r\n`;
const expecting = "Expect: 100-continue\r\n";
const statuses = (bytes: Buffer) => bytes.toString().match(/HTTP\/1.1 (\d+)/g);
const last = get("/last", "Connection: close\r\n");

describe("requests in one packet with one before them", () => {
  it.each([
    ["that was never asked for its body", get("/first", expecting)],
    ["that will not be asked for its body", get("/late", expecting)],
    ["whose response over HTTP/1.0 has no length", get("/late", "Connection: keep-alive\r\n", "1.0")],
    ["that is refused", get("/late", "Host: b\r\n")],
  ])("are not carried out behind one %s", async (_what, first) => {
    await using server = await serve(handler, longTimes);
    const answers = statuses(await raw(server.port, first + get("/second") + get("/third") + last).closed());
    expect(answers).toHaveLength(1);
    // Whatever is carried out later than that, is so before this.
    await askHttp1(server.port, "/other");
    expect(handled.filter((target) => target !== "/other").length).toBeLessThanOrEqual(1);
    expect(handled).not.toContain("/second");
    expect(handled).not.toContain("/third");
  });
  it.each([
    ["is asked for its body", get("/read", expecting), "100"],
    ["is asked for its body late", get("/late-read", expecting), "100"],
    ["comes over HTTP/1.1", get("/late"), undefined],
  ])("are answered in their order if that %s", async (_what, first, interim) => {
    await using server = await serve(handler, longTimes);
    const answers = statuses(await raw(server.port, first + get("/second") + last).closed());
    expect(answers?.filter((line) => !line.endsWith("100"))).toEqual(Array(3).fill("HTTP/1.1 200"));
    expect(answers?.includes(`HTTP/1.1 ${interim}`)).toBe(interim !== undefined);
    expect(handled.toSorted()).toEqual([first.split(" ")[1], "/second", "/last"].toSorted());
  });
});

describe("a request with a bad chunk in its body", () => {
  const chunked = get("/first", "Transfer-Encoding: chunked\r\n").replace("GET", "POST");
  it("has no second response if it was answered before", async () => {
    await using server = await serve(handler, longTimes);
    const client = raw(server.port, chunked);
    await until(() => client.received().length > 0);
    client.socket.write("zz\r\n");
    expect(statuses(await client.closed())).toEqual(["HTTP/1.1 200"]);
    await until(() => server.listener.connectionCount() === 0);
  });
  it.each(["", get("/before")])("is not carried out if all is in one packet: %j before it", async (before) => {
    await using server = await serve(handler, longTimes);
    const answers = statuses(await raw(server.port, `${before}${chunked}zz\r\n`).closed());
    expect(answers?.length).toBe(before === "" ? 1 : 2);
    if (before === "") expect(handled).toEqual([]);
  });
});
