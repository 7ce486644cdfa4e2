/** The client around its machine: sockets, filter, polling, the window. */

import { beforeEach, describe, expect, test, vi } from "vitest";
import { Unreachable } from "../src/index.js";
import * as fakes from "./fakes.js";
import { settled, tokenOf } from "./fakes.js";
import {
  client,
  clock,
  connected,
  desk,
  heard,
  json,
  last,
  make,
  problem,
  sockets,
  states,
} from "./stage.js";

describe("a connection", () => {
  test("carries its token as a subprotocol, never in its address", async () => {
    const socket = await connected({ symbols: ["spy", "^VIX"], city: true });
    expect(socket.protocols).toEqual(["signalroom.v1", `bearer.${tokenOf("alice")}`]);
    expect(socket.address.href).toBe("wss://desk.example/ws?symbols=SPY%2C%5EVIX&topics=city");
    expect(client.isConnected()).toBe(true);
    expect(states).toEqual(["connecting", "open"]);
    expect(client.heardAt).toBe(clock.now());
  });

  test("resumes, with a token asked for anew", async () => {
    (await connected()).tell(fakes.event(6));
    desk.token = () => tokenOf("alice", 1);
    last().end(1012);
    expect(client.state).toEqual({ phase: "waiting", until: clock.now() + 1000, attempt: 1 });
    await clock.pass(1000);
    expect(last().protocols[1]).toBe(`bearer.${tokenOf("alice", 1)}`);
    expect(last().address.search).toBe("?epoch=e&since=6");
    last().open();
    last().tell(fakes.welcome("e", 8), fakes.event(6), fakes.event(7), fakes.resumed(true));
    expect(heard.flatMap((it) => ("seq" in it ? [it.seq] : []))).toEqual([6, 7]);
  });

  test("of before is heard no more", async () => {
    const old = await connected();
    const { onmessage, onclose } = old;
    last().tell({});
    expect(old.left).toBe(true);
    expect([old.onmessage, old.onclose]).toEqual([null, null]);
    expect([onmessage, onclose]).not.toContain(null);
  });

  test("that never opened is looked into over REST", async () => {
    desk.answer = () => problem(401, "unauthorized");
    make().connect();
    await settled();
    last().end(1006);
    await settled();
    expect(desk.requests[0]?.path).toBe("/api/v1/signals?limit=1");
    // The provider has no other token.
    expect(client.state).toEqual({ phase: "stopped", reason: "sign-in" });
    client.connect();
    await settled();
    expect(sockets).toHaveLength(2);
  });

  test("that failed with an error and no close has failed all the same", async () => {
    make().connect();
    await settled();
    last().onerror?.();
    await settled();
    expect(client.state.phase).toBe("waiting");
    expect(last().onclose).toBeNull();
    await clock.pass(5000);
    last().open();
    last().onerror?.();
    expect(client.state.phase).toBe("open");
  });

  test("refused with 401 is tried with a fresh token once", async () => {
    desk.answer = () => problem(401, "unauthorized");
    let serial = 0;
    desk.token = () => tokenOf("alice", serial);
    make().connect();
    await settled();
    serial = 1;
    last().end(1006);
    await clock.pass(5000);
    expect(last().protocols[1]).toBe(`bearer.${tokenOf("alice", 1)}`);
    last().end(1006);
    await settled();
    expect(client.state).toEqual({ phase: "stopped", reason: "sign-in" });
  });

  test.each([null, "", "two words", "a,b"])("needs a token, which %j is not", async (none) => {
    desk.token = () => none;
    make().connect();
    await settled();
    expect(sockets).toEqual([]);
    expect(client.state).toEqual({ phase: "stopped", reason: "sign-in" });
  });

  test("whose provider fails comes back", async () => {
    desk.token = () => Promise.reject(new Error("the identity provider is down"));
    make().connect();
    await settled();
    expect(client.state.phase).toBe("waiting");
    desk.token = () => tokenOf("alice");
    await clock.pass(5000);
    expect(sockets).toHaveLength(1);
  });

  test("renews its token before it expires", async () => {
    const socket = await connected();
    const soon = fakes.message("token_expiring", { expires_at: "2026-11-23T06:25:40.000Z" });
    socket.tell(soon);
    await settled();
    expect(socket.said).toEqual([]);
    desk.token = async () => tokenOf("alice", 1);
    socket.tell(soon);
    await settled();
    expect(socket.said).toEqual([{ type: "authenticate", data: { token: tokenOf("alice", 1) } }]);
  });

  test("closed for good stays so", async () => {
    (await connected()).end(4500);
    expect(client.state).toEqual({ phase: "stopped", reason: "refused", code: 4500 });
    await clock.pass(1_000_000);
    expect(sockets).toHaveLength(1);
  });

  test("that somebody ended starts anew", async () => {
    const socket = await connected();
    const asked = client.ping();
    client.disconnect();
    await expect(asked).rejects.toBeInstanceOf(Unreachable);
    expect(socket.left).toBe(true);
    expect(client.state).toEqual({ phase: "stopped", reason: "disconnected" });
    await clock.pass(1_000_000);
    client.connect();
    await settled();
    expect(last().address.search).toBe("");
  });

  test("ended by a handler delivers nothing more", async () => {
    const socket = await connected();
    client.onMessage("new_signal", () => client.disconnect());
    const before = heard.length;
    socket.tell(fakes.event(6), fakes.event(7));
    expect(heard).toHaveLength(before + 1);
  });

  test("survives a clock that is set back", async () => {
    const socket = await connected();
    clock.jump(-3_600_000);
    await clock.pass(2000);
    expect(socket.sent).toEqual(["ping"]);
    socket.end(1012);
    await clock.pass(1000);
    expect(sockets).toHaveLength(2);
  });
});

describe("handlers", () => {
  test("hear their type until they are undone, and one that throws stops no other", async () => {
    const socket = await connected();
    const thrown = vi.fn();
    vi.stubGlobal("queueMicrotask", thrown);
    client.onMessage("new_signal", () => {
      throw new Error("of the page");
    });
    const symbols: unknown[] = [];
    const undo = client.onMessage("new_signal", (data, meta) => symbols.push(data.symbol, meta));
    socket.tell(fakes.event(6, "A"));
    undo();
    socket.tell(fakes.event(7, "B"));
    expect(symbols).toEqual(["A", { timestamp: fakes.event(6).timestamp, seq: 6 }]);
    expect(thrown).toHaveBeenCalledTimes(2);
  });

  test("of the state see the newest one", async () => {
    const seen: string[] = [];
    make();
    client.onStateChange(({ phase }) => phase === "open" && client.disconnect());
    client.onStateChange(({ phase }) => seen.push(phase));
    client.connect();
    await settled();
    last().open();
    expect(seen.at(-1)).toBe("stopped");
  });
});

describe("the filter", () => {
  test("is told to the open socket, and named at the next connect", async () => {
    const socket = await connected();
    client.subscribeToSymbol(["spy", "QQQ"]);
    client.unsubscribeFromSymbol("SPY");
    client.subscribeToCityState();
    client.subscribeToCityState();
    client.send("subscribe_market", {});
    client.unsubscribeFromMarket();
    client.subscribeToMarket();
    expect(socket.said).toEqual([
      { type: "subscribe_symbol", data: { symbols: ["SPY", "QQQ"] } },
      { type: "unsubscribe_symbol", data: { symbols: ["SPY"] } },
      { type: "subscribe_city_state", data: {} },
      { type: "subscribe_market", data: {} },
      { type: "unsubscribe_market", data: {} },
      { type: "subscribe_market", data: {} },
    ]);
    // What was on its way when it was left.
    const before = heard.length;
    socket.tell(fakes.event(6, "SPY"), fakes.event(7, "QQQ"));
    expect(heard).toHaveLength(before + 1);
    socket.end(1012);
    await clock.pass(1000);
    expect(last().address.search).toBe("?symbols=QQQ&topics=city%2Cmarket&epoch=e&since=7");
  });

  test("that changes while connecting is put right", async () => {
    make({ symbols: ["SPY"] }).connect();
    await settled();
    client.subscribeToAll();
    last().open();
    expect(last().said).toEqual([{ type: "subscribe_all", data: {} }]);
  });

  test("of nothing lets nothing through", async () => {
    const socket = await connected({ symbols: [] });
    expect(socket.address.search).toBe("?symbols=0-0");
    client.subscribeToAll();
    client.send("subscribe_symbol", { symbol: "SPY" });
    client.send("unsubscribe_symbol", { symbol: "SPY" });
    expect(socket.said.map((it) => it.type)).toEqual([
      "subscribe_all",
      "subscribe_symbol",
      "unsubscribe_symbol",
    ]);
  });

  test("refuses what the server would", () => {
    make();
    expect(() => client.subscribeToSymbol("A B")).toThrow(TypeError);
    const many = Array.from({ length: 501 }, (_, index) => `S${index}`);
    expect(() => client.subscribeToSymbol(many)).toThrow(RangeError);
    client.subscribeToSymbol(many.slice(1));
    expect(() => client.subscribeToSymbol("ONE")).toThrow(RangeError);
  });
});

test("a ping is answered by its own pong", async () => {
  const socket = await connected();
  const [first, second] = [client.ping(), client.ping()];
  const echoes = socket.said.map((it) => it.data["timestamp"]);
  socket.tell(fakes.pong("e", 5, echoes[0]), fakes.pong("e", 9, echoes[1]));
  expect([(await first).seq, (await second).seq]).toEqual([5, 9]);
  const third = client.ping();
  socket.end(1012);
  await expect(third).rejects.toBeInstanceOf(Unreachable);
  await expect(client.ping()).rejects.toBeInstanceOf(Unreachable);
  expect(client.send("ping", {})).toBe(false);
});

describe("while no socket can be had", () => {
  const list = (...symbols: string[]) =>
    json({ signals: symbols.map((it) => fakes.signal(it)), next_cursor: null });
  const serve = (...symbols: string[]) => {
    desk.answer = ({ url }) => {
      if (url.endsWith("/city")) return json(fakes.city);
      return url.endsWith("/fear-greed") ? json(fakes.market) : list(...symbols);
    };
  };

  /** Lets connects fail until REST is polled. */
  async function blocked(): Promise<void> {
    client.connect();
    for (let attempt = 0; attempt < 5; attempt++) {
      await settled();
      last().end(1006);
      await settled();
      const { state } = client;
      if (attempt < 4 && state.phase === "waiting") await clock.pass(state.until - clock.now());
    }
    await settled();
  }

  test("REST is polled, and what changed comes as a snapshot", async () => {
    serve("A", "B");
    make({ symbols: ["A", "C"], pollIntervalMs: 1000 });
    await blocked();
    expect(client.state).toMatchObject({ phase: "polling", attempt: 5 });
    expect(heard.map((it) => it.type)).toEqual(["snapshot"]);
    expect(heard[0]?.data).toEqual({
      signals: [fakes.signal("A")],
      city: fakes.city,
      market: fakes.market,
    });
    await clock.pass(2500);
    expect(heard).toHaveLength(1);
    serve("A", "B", "C");
    await clock.pass(1000);
    expect(heard).toHaveLength(2);
    expect(client.heardAt).toBeGreaterThan(clock.now() - 1000);

    // And back: the socket is tried all along.
    const { state } = client;
    if (state.phase !== "polling") throw new Error(state.phase);
    await clock.pass(state.until - clock.now());
    expect(client.state.phase).toBe("polling");
    last().open();
    last().tell(fakes.welcome("e", 5), fakes.snapshot());
    expect(client.state.phase).toBe("open");
    const asked = desk.requests.length;
    await clock.pass(1500);
    expect(desk.requests).toHaveLength(asked);
  });

  test("a poll that the socket has overtaken is dropped", async () => {
    serve("A");
    const held: (() => void)[] = [];
    make({
      pollIntervalMs: 1000,
      fetch: async (input) => {
        const { state } = client;
        if (state.phase === "polling") await new Promise<void>((resolve) => held.push(resolve));
        return desk.answer?.(new Request(input)) ?? Response.error();
      },
    });
    await blocked();
    expect(heard).toHaveLength(1);
    serve("A", "B");
    const { state } = client;
    if (state.phase !== "polling") throw new Error(state.phase);
    await clock.pass(state.until - clock.now());
    last().open();
    for (const release of held) release();
    await settled();
    expect(heard).toHaveLength(1);
  });

  test("and REST neither, nothing is claimed", async () => {
    desk.answer = undefined;
    make({ pollIntervalMs: 1000 });
    await blocked();
    expect(client.state.phase).toBe("waiting");
    serve("A");
    await clock.pass(1000);
    expect(client.state.phase).toBe("polling");
    desk.answer = () => json({ signals: [{ id: 7 }], next_cursor: null });
    await clock.pass(1000);
    expect(client.state.phase).toBe("waiting");
    expect(heard).toHaveLength(1);
  });

  test("a token that REST refuses is renewed, or asked for", async () => {
    serve();
    make({ pollIntervalMs: 1000 });
    await blocked();
    desk.answer = () => problem(401, "unauthorized");
    await clock.pass(1000);
    expect(client.state).toEqual({ phase: "stopped", reason: "sign-in" });
  });
});

describe("the window", () => {
  let window: EventTarget;
  let document: EventTarget & { visibilityState: string };
  let navigator: { onLine: boolean };

  beforeEach(() => {
    window = new EventTarget();
    document = Object.assign(new EventTarget(), { visibilityState: "visible" });
    navigator = { onLine: true };
    vi.stubGlobal("addEventListener", window.addEventListener.bind(window));
    vi.stubGlobal("document", document);
    vi.stubGlobal("navigator", navigator);
  });

  test("without a network says so, and connects when it is back", async () => {
    const socket = await connected();
    navigator.onLine = false;
    window.dispatchEvent(new Event("offline"));
    // It may be a server on this machine: it is asked.
    expect(client.state.phase).toBe("open");
    expect(socket.said.map((it) => it.type)).toEqual(["ping"]);
    desk.answer = undefined;
    await clock.pass(3500);
    expect(client.state).toEqual({ phase: "offline" });
    await clock.pass(10_000);
    last().end(1006);
    await settled();
    await clock.pass(3000);
    navigator.onLine = true;
    const tried = sockets.length;
    window.dispatchEvent(new Event("online"));
    await settled();
    expect(sockets).toHaveLength(tried + 1);
    expect(client.state.phase).toBe("connecting");
  });

  test("seen again after a sleep checks at once", async () => {
    await connected();
    document.visibilityState = "hidden";
    document.dispatchEvent(new Event("visibilitychange"));
    clock.jump(3_600_000);
    document.visibilityState = "visible";
    document.dispatchEvent(new Event("visibilitychange"));
    await settled();
    expect(sockets).toHaveLength(2);
    expect(last().address.search).toBe("?epoch=e&since=5");
  });

  test("unseen takes its time", async () => {
    const socket = await connected();
    document.visibilityState = "hidden";
    document.dispatchEvent(new Event("visibilitychange"));
    socket.end(1012);
    await clock.pass(60_000);
    expect(sockets).toHaveLength(1);
    await clock.pass(1000);
    expect(sockets).toHaveLength(2);
  });

  test("is left alone after the end", async () => {
    await connected();
    client.disconnect();
    window.dispatchEvent(new Event("online"));
    await settled();
    expect(client.state.phase).toBe("stopped");
    expect(sockets).toHaveLength(1);
  });
});
