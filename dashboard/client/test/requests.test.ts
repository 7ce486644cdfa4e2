/** REST, and the decisions that wait for it. */

import { describe, expect, test } from "vitest";
import { Problem, QueueFull, Unreachable } from "../src/index.js";
import * as fakes from "./fakes.js";
import { settled, tokenOf } from "./fakes.js";
import { client, clock, connected, desk, json, last, make, problem } from "./stage.js";

describe("REST", () => {
  test("tells a refusal from no answer", async () => {
    make();
    desk.answer = () => problem(409, "already-decided", { signal: fakes.signal("A") });
    const refused = await client.rest.approve("a", { status: "BUY" }).catch((error) => error);
    expect(refused).toBeInstanceOf(Problem);
    expect(refused).toMatchObject({ status: 409, slug: "already-decided" });
    expect(refused.body.signal.symbol).toBe("A");
    expect(desk.requests[0]).toMatchObject({
      method: "POST",
      path: "/api/v1/signals/a/approve",
      bearer: `Bearer ${tokenOf("alice")}`,
    });

    desk.answer = () => new Response("<h1>Bad gateway</h1>", { status: 502 });
    await expect(client.rest.city()).rejects.toMatchObject({ status: 502, slug: "" });
    desk.answer = () => new Response("<h1>Hotel Wi-Fi</h1>");
    await expect(client.rest.city()).rejects.toBeInstanceOf(Unreachable);
    desk.answer = undefined;
    await expect(client.rest.city()).rejects.toBeInstanceOf(Unreachable);
  });

  test("writes its addresses safely, and can be given up", async () => {
    make();
    await client.rest.bars("../x?", { from: "2026-01-01", limit: 2 });
    expect(desk.requests[0]?.path).toBe("/api/v1/symbols/..%2Fx%3F/bars?from=2026-01-01&limit=2");
    const signal = AbortSignal.abort(new Error("left the page"));
    await expect(client.rest.city({ signal })).rejects.toThrow("left the page");
    expect(desk.requests).toHaveLength(1);
  });

  test("changes the watchlist", async () => {
    make();
    desk.answer = () => json({ symbols: ["SPY"], source: "desk" });
    await client.rest.setSymbols(["SPY"]);
    await client.rest.addSymbol("^VIX");
    await client.rest.removeSymbol("BRK-B");
    await client.rest.resetSymbols();
    await client.rest.symbols({ limit: 500 });
    await client.rest.runs({ cursor: "c" });
    expect(desk.requests.map(({ method, path, body }) => [method, path, body])).toEqual([
      ["PUT", "/api/v1/symbols", { symbols: ["SPY"] }],
      ["PUT", "/api/v1/symbols/%5EVIX", null],
      ["DELETE", "/api/v1/symbols/BRK-B", null],
      ["DELETE", "/api/v1/symbols", null],
      ["GET", "/api/v1/symbols?limit=500", null],
      ["GET", "/api/v1/runs?cursor=c", null],
    ]);
  });

  test("gives up after 15 s", async () => {
    make({
      fetch: (_, init) =>
        new Promise((_, reject) => {
          init?.signal?.addEventListener("abort", () => reject(new Error("given up")));
        }),
    });
    const asked = client.rest.city().catch((error: unknown) => error);
    await clock.pass(15_000);
    expect(await asked).toBeInstanceOf(Unreachable);
  });
});

describe("decisions", () => {
  const id = "A:2026-11-20:1";
  const done = { approval: fakes.approval("alice", "BUY", id), room: null, feed: null };
  const buy = { status: "BUY", signal_id: id } as const;
  const approves = () => desk.requests.filter((it) => it.method === "POST");

  test("go out at once, one after the other", async () => {
    make();
    desk.answer = () => json(done);
    const waiting: number[] = [];
    client.onQueueChange((queued) => waiting.push(queued));
    await Promise.all([client.approve("A", buy), client.approve("B", { status: "RISK" })]);
    expect(approves().map((it) => it.path)).toEqual([
      "/api/v1/signals/A/approve",
      "/api/v1/signals/B/approve",
    ]);
    expect(approves()[0]?.body).toEqual(buy);
    expect(waiting).toEqual([]);
  });

  test("wait for the server, in order and bounded", async () => {
    make({ queueLimit: 2 });
    desk.answer = undefined;
    const first = client.approve("A", buy);
    await settled();
    expect(client.queued).toBe(1);
    const second = client.approve("B", { ...buy, signal_id: "B:2026-11-20:1" });
    await expect(client.approve("C", { ...buy, signal_id: "C" })).rejects.toBeInstanceOf(QueueFull);
    expect(client.queued).toBe(2);
    desk.requests = [];
    desk.answer = () => json(done);
    await clock.pass(4500);
    expect(await first).toEqual(done);
    await second;
    expect(approves().map((it) => it.path.split("/")[4])).toEqual(["A", "B"]);
    expect(client.queued).toBe(0);
  });

  test("are sent when the socket is back", async () => {
    const socket = await connected();
    desk.answer = undefined;
    socket.end(1006);
    const result = client.approve("A", buy);
    await clock.pass(1000);
    desk.answer = () => json(done);
    last().open();
    expect(await result).toEqual(done);
  });

  test("that name no signal do not wait", async () => {
    make();
    desk.answer = undefined;
    await expect(client.approve("A", { status: "BUY" })).rejects.toBeInstanceOf(Unreachable);
    void client.approve("A", buy).catch(() => undefined);
    await settled();
    await expect(client.approve("A", { status: "BUY" })).rejects.toBeInstanceOf(Unreachable);
    expect(client.queued).toBe(1);
  });

  test("whose answer was lost get it", async () => {
    make();
    desk.answer = undefined;
    const result = client.approve("A", buy);
    await settled();
    desk.answer = (request) =>
      request.method === "POST"
        ? problem(409, "stale-signal", { signal: fakes.signal("A", 2) })
        : json({ approvals: [fakes.approval("alice", "BUY", id)], next_cursor: null });
    await clock.pass(4500);
    expect(await result).toEqual(done);
    const keys = new Set(approves().map((it) => it.key));
    expect(approves()).toHaveLength(2);
    expect(keys.size).toBe(1);
  });

  test.each([
    ["of somebody else", fakes.approval("bob", "BUY", id)],
    ["that was another", fakes.approval("alice", "RISK", id)],
    ["on another signal", fakes.approval("alice", "BUY", "A:2026-11-19:1")],
  ])("lose against one %s", async (_, approval) => {
    make();
    desk.answer = () => new Response("", { status: 503 });
    const result = client.approve("A", buy).catch((error: unknown) => error);
    await settled();
    desk.answer = (request) =>
      request.method === "POST"
        ? problem(409, "already-decided", { signal: fakes.signal("A") })
        : json({ approvals: [approval], next_cursor: null });
    await clock.pass(4500);
    expect(await result).toMatchObject({ status: 409 });
  });

  test("answered with a conflict at once are not looked into", async () => {
    make();
    desk.answer = () => problem(409, "already-decided", { signal: fakes.signal("A") });
    await expect(client.approve("A", buy)).rejects.toMatchObject({ slug: "already-decided" });
    expect(desk.requests).toHaveLength(1);
  });

  test("are sent by nobody else", async () => {
    make();
    desk.answer = undefined;
    const result = client.approve("A", buy).catch((error: unknown) => error);
    await settled();
    desk.token = () => null;
    desk.answer = () => json(done);
    await clock.pass(4500);
    expect(client.queued).toBe(1);
    desk.token = () => tokenOf("bob");
    await clock.pass(60_000);
    expect(await result).toBeInstanceOf(Unreachable);
    expect(approves()).toHaveLength(1);
  });

  test("are given up at the end", async () => {
    make();
    desk.answer = undefined;
    const result = client.approve("A", buy).catch((error: unknown) => error);
    await settled();
    client.disconnect();
    expect(await result).toBeInstanceOf(Unreachable);
    expect(client.queued).toBe(0);
    desk.answer = () => json(done);
    await clock.pass(100_000);
    expect(approves()).toHaveLength(1);
  });

  test("given up while they are asked about leave those after them alone", async () => {
    const answers: ((response: Response) => void)[] = [];
    make({ fetch: () => new Promise((resolve) => answers.push(resolve)) });
    const first = client.approve("A", buy).catch((error: unknown) => error);
    await settled();
    client.disconnect();
    const second = client.approve("B", buy);
    answers[0]?.(json({ of: "A" }));
    await settled();
    answers[1]?.(json(done));
    expect(await first).toBeInstanceOf(Unreachable);
    expect(await second).toEqual(done);
  });
});
