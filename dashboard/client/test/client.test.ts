/** The client around its machine: sockets, REST, polling, the queue, the window. */

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  createClient,
  Problem,
  QueueFull,
  Unreachable,
  type ClientOptions,
  type Message,
  type SignalroomClient,
} from "../src/index.js";
import * as fakes from "./fakes.js";
import { FakeClock, FakeSocket, settled, tokenOf } from "./fakes.js";

let clock: FakeClock;
let sockets: FakeSocket[];
let client: SignalroomClient;
let heard: Message[];
let states: string[];
let token: () => string | null | Promise<string | null>;
/** What REST does; undefined: nobody is there. */
let answer: ((request: Request) => Response | undefined) | undefined;
let requests: {
  method: string;
  path: string;
  bearer: string | null;
  body: unknown;
  key: string | null;
}[];

const json = (body: unknown, status = 200) => new Response(JSON.stringify(body), { status });
const problem = (status: number, slug: string, more: object = {}) =>
  json(
    { type: `/problems/${slug}`, title: slug, status, detail: `It is ${slug}.`, ...more },
    status,
  );

function make(options: Partial<ClientOptions> = {}): SignalroomClient {
  client = createClient({
    url: "https://desk.example",
    token: () => token(),
    clock,
    random: () => 0.5,
    WebSocket: class extends FakeSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols);
        sockets.push(this);
      }
    } as unknown as NonNullable<ClientOptions["WebSocket"]>,
    fetch: async (input, init) => {
      const request = new Request(input, init);
      const text = await request.clone().text();
      requests.push({
        method: request.method,
        path: new URL(request.url).pathname + new URL(request.url).search,
        bearer: request.headers.get("authorization"),
        body: text ? JSON.parse(text) : null,
        key: request.headers.get("idempotency-key"),
      });
      const response = answer?.(request);
      if (!response) throw new TypeError("fetch failed");
      return response;
    },
    ...options,
  });
  client.onMessage("*", (message) => heard.push(message));
  client.onStateChange(({ phase }) => states.push(phase));
  return client;
}

const last = () => sockets.at(-1) as FakeSocket;

async function connected(options?: Partial<ClientOptions>): Promise<FakeSocket> {
  make(options).connect();
  await settled();
  last().open();
  last().tell(fakes.welcome("e", 5), fakes.snapshot());
  return last();
}

beforeEach(() => {
  clock = new FakeClock();
  [sockets, heard, states, requests] = [[], [], [], []];
  token = () => tokenOf("alice");
  answer = () => json({ signals: [], next_cursor: null });
});
afterEach(() => {
  client.disconnect();
  vi.unstubAllGlobals();
});

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
    token = () => tokenOf("alice", 1);
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
    answer = () => problem(401, "unauthorized");
    make().connect();
    await settled();
    last().end(1006);
    await settled();
    expect(requests[0]?.path).toBe("/api/v1/signals?limit=1");
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
    answer = () => problem(401, "unauthorized");
    let serial = 0;
    token = () => tokenOf("alice", serial);
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
    token = () => none;
    make().connect();
    await settled();
    expect(sockets).toEqual([]);
    expect(client.state).toEqual({ phase: "stopped", reason: "sign-in" });
  });

  test("whose provider fails comes back", async () => {
    token = () => Promise.reject(new Error("the identity provider is down"));
    make().connect();
    await settled();
    expect(client.state.phase).toBe("waiting");
    token = () => tokenOf("alice");
    await clock.pass(5000);
    expect(sockets).toHaveLength(1);
  });

  test("renews its token before it expires", async () => {
    const socket = await connected();
    const soon = fakes.message("token_expiring", { expires_at: "2026-11-23T06:25:40.000Z" });
    socket.tell(soon);
    await settled();
    expect(socket.said).toEqual([]);
    token = async () => tokenOf("alice", 1);
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
    expect(socket.said).toEqual([
      { type: "subscribe_symbol", data: { symbols: ["SPY", "QQQ"] } },
      { type: "unsubscribe_symbol", data: { symbols: ["SPY"] } },
      { type: "subscribe_city_state", data: {} },
    ]);
    // What was on its way when it was left.
    const before = heard.length;
    socket.tell(fakes.event(6, "SPY"), fakes.event(7, "QQQ"));
    expect(heard).toHaveLength(before + 1);
    socket.end(1012);
    await clock.pass(1000);
    expect(last().address.search).toBe("?symbols=QQQ&topics=city&epoch=e&since=7");
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
    expect(socket.address.search).toBe("?symbols=-");
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
    answer = (request) => (request.url.endsWith("/city") ? json(fakes.city) : list(...symbols));
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
    expect(heard[0]?.data).toEqual({ signals: [fakes.signal("A")], city: fakes.city });
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
    const asked = requests.length;
    await clock.pass(1500);
    expect(requests).toHaveLength(asked);
  });

  test("a poll that the socket has overtaken is dropped", async () => {
    serve("A");
    const held: (() => void)[] = [];
    make({
      pollIntervalMs: 1000,
      fetch: async (input) => {
        const { state } = client;
        if (state.phase === "polling") await new Promise<void>((resolve) => held.push(resolve));
        return answer?.(new Request(input)) ?? Response.error();
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
    answer = undefined;
    make({ pollIntervalMs: 1000 });
    await blocked();
    expect(client.state.phase).toBe("waiting");
    serve("A");
    await clock.pass(1000);
    expect(client.state.phase).toBe("polling");
    answer = () => json({ signals: [{ id: 7 }], next_cursor: null });
    await clock.pass(1000);
    expect(client.state.phase).toBe("waiting");
    expect(heard).toHaveLength(1);
  });

  test("a token that REST refuses is renewed, or asked for", async () => {
    serve();
    make({ pollIntervalMs: 1000 });
    await blocked();
    answer = () => problem(401, "unauthorized");
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
    answer = undefined;
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

describe("REST", () => {
  test("tells a refusal from no answer", async () => {
    make();
    answer = () => problem(409, "already-decided", { signal: fakes.signal("A") });
    const refused = await client.rest.approve("a", { status: "BUY" }).catch((error) => error);
    expect(refused).toBeInstanceOf(Problem);
    expect(refused).toMatchObject({ status: 409, slug: "already-decided" });
    expect(refused.body.signal.symbol).toBe("A");
    expect(requests[0]).toMatchObject({
      method: "POST",
      path: "/api/v1/signals/a/approve",
      bearer: `Bearer ${tokenOf("alice")}`,
    });

    answer = () => new Response("<h1>Bad gateway</h1>", { status: 502 });
    await expect(client.rest.city()).rejects.toMatchObject({ status: 502, slug: "" });
    answer = () => new Response("<h1>Hotel Wi-Fi</h1>");
    await expect(client.rest.city()).rejects.toBeInstanceOf(Unreachable);
    answer = undefined;
    await expect(client.rest.city()).rejects.toBeInstanceOf(Unreachable);
  });

  test("writes its addresses safely, and can be given up", async () => {
    make();
    await client.rest.bars("../x?", { from: "2026-01-01", limit: 2 });
    expect(requests[0]?.path).toBe("/api/v1/symbols/..%2Fx%3F/bars?from=2026-01-01&limit=2");
    const signal = AbortSignal.abort(new Error("left the page"));
    await expect(client.rest.city({ signal })).rejects.toThrow("left the page");
    expect(requests).toHaveLength(1);
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
  const approves = () => requests.filter((it) => it.method === "POST");

  test("go out at once, one after the other", async () => {
    make();
    answer = () => json(done);
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
    answer = undefined;
    const first = client.approve("A", buy);
    await settled();
    expect(client.queued).toBe(1);
    const second = client.approve("B", { ...buy, signal_id: "B:2026-11-20:1" });
    await expect(client.approve("C", { ...buy, signal_id: "C" })).rejects.toBeInstanceOf(QueueFull);
    expect(client.queued).toBe(2);
    requests = [];
    answer = () => json(done);
    await clock.pass(4500);
    expect(await first).toEqual(done);
    await second;
    expect(approves().map((it) => it.path.split("/")[4])).toEqual(["A", "B"]);
    expect(client.queued).toBe(0);
  });

  test("are sent when the socket is back", async () => {
    const socket = await connected();
    answer = undefined;
    socket.end(1006);
    const result = client.approve("A", buy);
    await clock.pass(1000);
    answer = () => json(done);
    last().open();
    expect(await result).toEqual(done);
  });

  test("that name no signal do not wait", async () => {
    make();
    answer = undefined;
    await expect(client.approve("A", { status: "BUY" })).rejects.toBeInstanceOf(Unreachable);
    void client.approve("A", buy).catch(() => undefined);
    await settled();
    await expect(client.approve("A", { status: "BUY" })).rejects.toBeInstanceOf(Unreachable);
    expect(client.queued).toBe(1);
  });

  test("whose answer was lost get it", async () => {
    make();
    answer = undefined;
    const result = client.approve("A", buy);
    await settled();
    answer = (request) =>
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
    answer = () => new Response("", { status: 503 });
    const result = client.approve("A", buy).catch((error: unknown) => error);
    await settled();
    answer = (request) =>
      request.method === "POST"
        ? problem(409, "already-decided", { signal: fakes.signal("A") })
        : json({ approvals: [approval], next_cursor: null });
    await clock.pass(4500);
    expect(await result).toMatchObject({ status: 409 });
  });

  test("answered with a conflict at once are not looked into", async () => {
    make();
    answer = () => problem(409, "already-decided", { signal: fakes.signal("A") });
    await expect(client.approve("A", buy)).rejects.toMatchObject({ slug: "already-decided" });
    expect(requests).toHaveLength(1);
  });

  test("are sent by nobody else", async () => {
    make();
    answer = undefined;
    const result = client.approve("A", buy).catch((error: unknown) => error);
    await settled();
    token = () => null;
    answer = () => json(done);
    await clock.pass(4500);
    expect(client.queued).toBe(1);
    token = () => tokenOf("bob");
    await clock.pass(60_000);
    expect(await result).toBeInstanceOf(Unreachable);
    expect(approves()).toHaveLength(1);
  });

  test("are given up at the end", async () => {
    make();
    answer = undefined;
    const result = client.approve("A", buy).catch((error: unknown) => error);
    await settled();
    client.disconnect();
    expect(await result).toBeInstanceOf(Unreachable);
    expect(client.queued).toBe(0);
    answer = () => json(done);
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
