/** Runs the machine over a real socket, with the real clock, and REST beside it. */

import { Approvals } from "./approvals.js";
import { Filter } from "./filter.js";
import { Handlers } from "./handlers.js";
import { Machine, type Input, type Output } from "./machine.js";
import { Poll } from "./poll.js";
import { Problem, Unreachable, asker, rest, type Ask, type Rest } from "./rest.js";
import type {
  ApproveResult,
  ClientMessageData,
  ClientOptions,
  Clock,
  ConnectionState,
  Decision,
  Message,
  MessageData,
  MessageType,
  Meta,
  Pong,
  Position,
  SignalroomClient,
} from "./types.js";

declare const __SIGNALROOM_URL__: string | undefined;

/** Connects in a row without a well socket after which REST is polled. */
const POLL_AFTER = 5;

/** What may stand in a subprotocol; a token with anything else is none. */
const TOKEN = /^[\w.~+-]+$/;

const realClock: Clock = {
  now: () => Date.now(),
  setTimeout: (run, ms) => setTimeout(run, ms),
  clearTimeout: (timer) => clearTimeout(timer as number),
};

/** Makes a client; it does nothing before `connect()`. */
export function createClient(options: ClientOptions): SignalroomClient {
  return new Client(options);
}

function defaultOrigin(): string {
  if (typeof __SIGNALROOM_URL__ === "string") return __SIGNALROOM_URL__;
  if (typeof location === "object") return location.origin;
  throw new TypeError("There is no page to take the address of: give `url`.");
}

class Client implements SignalroomClient {
  readonly rest: Rest;
  readonly #ask: Ask;
  readonly #origin: string;
  readonly #token: ClientOptions["token"];
  readonly #WebSocket: ClientOptions["WebSocket"];
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #filter: Filter;
  readonly #poll: Poll;
  readonly #approvals: Approvals;
  readonly #machine = new Machine();

  readonly #messages = new Handlers<Message>();
  readonly #states = new Handlers<void>();
  readonly #queues = new Handlers<void>();
  readonly #pings = new Map<
    string,
    { resolve: (pong: Pong) => void; reject: (error: Error) => void }
  >();

  #state: ConnectionState = { phase: "idle" };
  #heardAt: number | null = null;
  #queued = 0;
  #disconnected = false;
  #inputs: Input[] = [];
  #busy = false;
  #timer: unknown;
  #socket: WebSocket | undefined;
  /** Told apart from those before it, whose answers come too late. */
  #connect = 0;
  /** The token used last. */
  #used = "";
  #echo = 0;
  /** What was added to the clock because it went back, and what it showed last. */
  #offset = 0;
  #shown = 0;
  #leaveWindow: AbortController | undefined;

  constructor(options: ClientOptions) {
    this.#origin = new URL(options.url ?? defaultOrigin()).origin;
    this.#token = options.token;
    this.#WebSocket = options.WebSocket ?? globalThis.WebSocket;
    this.#clock = options.clock ?? realClock;
    this.#random = options.random ?? Math.random;
    this.#filter = new Filter(options.symbols, options);
    this.#ask = asker({
      origin: this.#origin,
      token: this.#token,
      fetch: options.fetch ?? globalThis.fetch.bind(globalThis),
      clock: this.#clock,
    });
    this.rest = rest(this.#ask);
    this.#poll = new Poll({
      rest: this.rest,
      clock: this.#clock,
      interval: options.pollIntervalMs ?? 10_000,
      filter: this.#filter,
      polled: (message) => this.#polled(message),
      failed: (status) => {
        if (status === 401) this.#feed({ type: "rejected" });
        else this.#settle();
      },
    });
    this.#approvals = new Approvals({
      ask: this.#ask,
      rest: this.rest,
      token: this.#token,
      used: () => this.#used,
      clock: this.#clock,
      random: this.#random,
      limit: options.queueLimit ?? 20,
      changed: (queued) => {
        if (queued === this.#queued) return;
        this.#queued = queued;
        this.#queues.call();
      },
    });
  }

  get state(): ConnectionState {
    return this.#state;
  }

  get heardAt(): number | null {
    return this.#heardAt;
  }

  get queued(): number {
    return this.#queued;
  }

  connect(): void {
    this.#disconnected = false;
    this.#watchWindow();
    this.#feed({ type: "hidden", hidden: hidden() }, { type: "start" }, { type: "hurry" });
  }

  disconnect(): void {
    this.#disconnected = true;
    this.#leaveWindow?.abort();
    this.#leaveWindow = undefined;
    this.#feed({ type: "forget" });
    this.#approvals.clear();
  }

  isConnected(): boolean {
    return this.#machine.link.at === "open";
  }

  onStateChange(handler: (state: ConnectionState) => void): () => void {
    // A handler before it may have changed the state already.
    return this.#states.add(() => handler(this.#state));
  }

  onQueueChange(handler: (queued: number) => void): () => void {
    return this.#queues.add(() => handler(this.#queued));
  }

  onMessage<T extends MessageType>(
    type: T | "*",
    handler: ((data: MessageData[T], meta: Meta) => void) | ((message: Message) => void),
  ): () => void {
    if (type === "*") return this.#messages.add(handler as (message: Message) => void);
    const one = handler as (data: MessageData[T], meta: Meta) => void;
    return this.#messages.add((message) => {
      if (message.type !== type) return;
      const { type: _, data, ...meta } = message;
      one(data as MessageData[T], meta);
    });
  }

  subscribeToSymbol(symbol: string | string[]): void {
    this.#filter.follow(symbol);
    this.#narrow();
  }

  unsubscribeFromSymbol(symbol: string | string[]): void {
    this.#filter.leave(symbol);
    this.#narrow();
  }

  subscribeToAll(): void {
    this.#filter.followAll();
    this.#narrow();
  }

  subscribeToCityState(): void {
    this.#filter.topics.add("city");
    this.#narrow();
  }

  unsubscribeFromCityState(): void {
    this.#filter.topics.delete("city");
    this.#narrow();
  }

  subscribeToMarket(): void {
    this.#filter.topics.add("market");
    this.#narrow();
  }

  unsubscribeFromMarket(): void {
    this.#filter.topics.delete("market");
    this.#narrow();
  }

  send<T extends keyof ClientMessageData>(type: T, data: ClientMessageData[T]): boolean {
    if (!this.isConnected()) return false;
    if (this.#filter.take(type, data)) this.#narrow();
    else this.#socket?.send(JSON.stringify({ type, data }));
    return true;
  }

  ping(): Promise<Pong> {
    return new Promise((resolve, reject) => {
      if (!this.isConnected()) return reject(new Unreachable("The socket is not open."));
      const echo = `ping ${++this.#echo}`;
      this.#pings.set(echo, { resolve, reject });
      this.#feed({ type: "ask", echo });
    });
  }

  approve(symbol: string, decision: Decision): Promise<ApproveResult> {
    return this.#approvals.add(symbol, decision);
  }

  /** The clock's time, but never going back: a sleep counts, a clock that is set does no harm. */
  #now(): number {
    const shows = this.#clock.now();
    if (shows < this.#shown) this.#offset += this.#shown - shows;
    this.#shown = shows;
    return shows + this.#offset;
  }

  /** Hands inputs to the machine, one after the other, and does what it asks for. */
  #feed(...inputs: Input[]): void {
    this.#inputs.push(...inputs);
    if (this.#busy) return;
    this.#busy = true;
    for (let input; (input = this.#inputs.shift());) {
      const outputs = this.#machine.handle(input, this.#now(), this.#random());
      for (const output of outputs) this.#do(output);
    }
    this.#busy = false;
    this.#settle();
  }

  #do(output: Output): void {
    switch (output.type) {
      case "connect":
        void this.#dial(output.resume);
        break;
      case "send":
        this.#socket?.send(output.text);
        break;
      case "deliver":
        this.#deliver(output.message);
        break;
      case "fresh-token":
        void this.#renew();
        break;
      case "check":
        void this.#check(this.#connect);
        break;
      case "close":
        this.#hangUp();
        break;
    }
  }

  /** After each change: the timer, polling, and the state that others see. */
  #settle(): void {
    const { link, deadline, attempt } = this.#machine;
    this.#clock.clearTimeout(this.#timer);
    if (deadline < Infinity) {
      const tick = () => this.#feed({ type: "tick" });
      this.#timer = this.#clock.setTimeout(tick, Math.max(0, deadline - this.#now()));
    }
    if (link.at !== "open") {
      for (const ping of this.#pings.values()) ping.reject(new Unreachable("The socket is lost."));
      this.#pings.clear();
    }
    const apart = link.at === "waiting" || link.at === "connecting" || link.at === "checking";
    this.#poll.set(apart && attempt >= POLL_AFTER && online(), hidden());
    const state = this.#view();
    if (JSON.stringify(state) !== JSON.stringify(this.#state)) {
      this.#state = state;
      if (state.phase === "open") this.#approvals.wake();
      this.#states.call();
    }
  }

  #view(): ConnectionState {
    const { link, attempt } = this.#machine;
    if (this.#disconnected) return { phase: "stopped", reason: "disconnected" };
    switch (link.at) {
      case "idle":
        return { phase: "idle" };
      case "open":
        return { phase: "open", since: link.since - this.#offset };
      case "stopped":
        return link.reason === "sign-in"
          ? { phase: "stopped", reason: link.reason }
          : { phase: "stopped", reason: link.reason, code: link.code };
    }
    if (!online()) return { phase: "offline" };
    const until = (link.at === "waiting" ? link.until : link.since) - this.#offset;
    if (this.#poll.well) return { phase: "polling", until, attempt };
    if (link.at === "waiting") return { phase: "waiting", until, attempt };
    return { phase: "connecting", attempt };
  }

  #deliver(message: Message): void {
    if (this.#disconnected) return;
    if (message.type === "pong") {
      const ping = this.#pings.get(message.data.echo as string);
      this.#pings.delete(message.data.echo as string);
      ping?.resolve(message.data);
    }
    // What was asked not to be sent any more may still be on its way.
    if (message.type === "new_signal" && !this.#filter.follows(message.data.symbol)) return;
    this.#messages.call(message);
  }

  #polled(message: Message | undefined): void {
    this.#heardAt = this.#clock.now();
    if (message) this.#messages.call(message);
    this.#approvals.wake();
    this.#feed({ type: "accepted" });
  }

  async #dial(resume: Position | undefined): Promise<void> {
    const connect = ++this.#connect;
    const late = () => connect !== this.#connect;
    let token;
    try {
      token = await this.#token();
    } catch {
      if (!late()) this.#feed({ type: "failed" });
      return;
    }
    if (late()) return;
    if (!token || !TOKEN.test(token)) return this.#feed({ type: "no-token" });
    this.#used = token;
    const url = new URL("/ws", this.#origin.replace(/^http/, "ws"));
    this.#filter.write(url.searchParams);
    if (resume) {
      url.searchParams.set("epoch", resume.epoch);
      url.searchParams.set("since", String(resume.seq));
    }
    let opened = false;
    try {
      const Socket = this.#WebSocket;
      if (!Socket) throw new TypeError("There is no WebSocket.");
      const socket = new Socket(url.href, ["signalroom.v1", `bearer.${token}`]);
      this.#socket = socket;
      socket.onopen = () => {
        opened = true;
        this.#feed({ type: "opened" });
        this.#narrow();
      };
      socket.onmessage = ({ data }) => {
        this.#heardAt = this.#clock.now();
        this.#feed({ type: "frame", frame: data });
      };
      const lost = (input: Input) => {
        this.#hangUp();
        this.#feed(input);
      };
      socket.onclose = ({ code }) => lost(opened ? { type: "closed", code } : { type: "failed" });
      // Not everywhere does a close follow when a connect fails.
      socket.onerror = () => opened || lost({ type: "failed" });
    } catch {
      this.#feed({ type: "failed" });
    }
  }

  /** Closes the socket, or gives it up, and hears nothing more of it. */
  #hangUp(): void {
    this.#connect += 1;
    const socket = this.#socket;
    if (!socket) return;
    this.#socket = undefined;
    socket.onopen = socket.onmessage = socket.onclose = socket.onerror = null;
    socket.close(1000);
  }

  async #check(connect: number): Promise<void> {
    let status: number | undefined = 200;
    try {
      await this.rest.signals({ limit: 1 });
    } catch (error) {
      status = error instanceof Problem ? error.status : undefined;
    }
    if (connect === this.#connect) this.#feed({ type: "checked", status });
  }

  async #renew(): Promise<void> {
    const connect = this.#connect;
    let input: Input;
    try {
      const token = await this.#token();
      const fresh = token && TOKEN.test(token) && token !== this.#used;
      input = fresh ? { type: "token", token } : { type: "no-token" };
    } catch {
      input = { type: "token-later" };
    }
    if (connect !== this.#connect) return;
    if (input.type === "token") this.#used = input.token;
    this.#feed(input);
  }

  /** Tells an open socket what the filter has become. */
  #narrow(): void {
    if (!this.isConnected()) return;
    for (const [type, data] of this.#filter.changes()) {
      this.#socket?.send(JSON.stringify({ type, data }));
    }
  }

  /** Hears of the network and of whether somebody looks. */
  #watchWindow(): void {
    if (this.#leaveWindow || typeof globalThis.addEventListener !== "function") return;
    this.#leaveWindow = new AbortController();
    const { signal } = this.#leaveWindow;
    const hurry = () => {
      this.#approvals.wake();
      this.#feed({ type: "hidden", hidden: hidden() }, { type: "hurry" });
    };
    globalThis.addEventListener("online", hurry, { signal });
    globalThis.addEventListener("pageshow", hurry, { signal });
    // It may be wrong, such as for a server on this machine: ask.
    const offline = () => this.#feed({ type: "ask", echo: null });
    globalThis.addEventListener("offline", offline, { signal });
    const look = () => (hidden() ? this.#feed({ type: "hidden", hidden: true }) : hurry());
    globalThis.document?.addEventListener("visibilitychange", look, { signal });
  }
}

function online(): boolean {
  return globalThis.navigator?.onLine !== false;
}

function hidden(): boolean {
  return globalThis.document?.visibilityState === "hidden";
}
