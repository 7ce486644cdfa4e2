/**
 * The client as a state machine, the table at the end of `docs/protocol.md`: what happened goes
 * in, what is to be done comes out, to be done in order. No clock, no randomness, no I/O.
 *
 * A browser is never told the status of a refused upgrade, so the rows of a known one are not
 * here: every connect that fails is looked into over REST.
 */

import { read, type Received } from "./frames.js";
import { comesBack, wait } from "./pace.js";
import type { Message, Position } from "./types.js";

/** Milliseconds that a connect, or a question to REST, may take. */
const CONNECT = 15_000;
/** Milliseconds that a JSON ping may stay without an answer. */
const ANSWER = 5_000;
/** A connection that lived this long was well, milliseconds. */
const WELL = 10_000;
/** Ping intervals of silence after which a connection counts as lost. */
const SILENT_INTERVALS = 3;
/** Least time between two connects that something from outside hurries, milliseconds. */
const HURRY = 3_000;
/** What a connect waits longer while nobody looks, milliseconds. */
const UNSEEN = 60_000;

/** Something that happened. What comes from a connection after `close` is not handed in. */
export type Input =
  /** Begin, or begin again. */
  | { type: "start" }
  /** Time has passed. */
  | { type: "tick" }
  | { type: "opened" }
  /** The connect did not succeed. */
  | { type: "failed" }
  /** The answer to `check`: the status of a REST request; none when REST did not answer. */
  | { type: "checked"; status: number | undefined }
  /** REST has refused the token while there was no socket, or taken it. */
  | { type: "rejected" }
  | { type: "accepted" }
  | { type: "frame"; frame: unknown }
  /** The connection ended. */
  | { type: "closed"; code: number }
  /** A fresh token is there: connects use it from now on. */
  | { type: "token"; token: string }
  /** There is no other token than the old one. */
  | { type: "no-token" }
  /** It could not be found out whether there is a fresh token; the next connect asks again. */
  | { type: "token-later" }
  /** Ask the server in the stream; the answer carries `echo`. */
  | { type: "ask"; echo: unknown }
  /** The network is back, or somebody looks again: do not wait for the timer. */
  | { type: "hurry" }
  /** Whether nobody looks: then it comes back later. */
  | { type: "hidden"; hidden: boolean }
  /** Begin anew at the next `start`. */
  | { type: "forget" };

/** Something to do. */
export type Output =
  /** Open a socket that resumes from here; without a position, one that starts anew. */
  | { type: "connect"; resume: Position | undefined }
  | { type: "send"; text: string }
  /** Hand this on. Events come in order, each once. */
  | { type: "deliver"; message: Message }
  /** Get a fresh token: `token`, `no-token` or `token-later` answers. */
  | { type: "fresh-token" }
  /** Ask REST whether the token is good: `checked` answers. */
  | { type: "check" }
  /** Close the connection, or give the connect up. */
  | { type: "close" };

/** Why it is over. */
export type Reason = { reason: "sign-in" } | { reason: "refused"; code: number };

interface Open {
  at: "open";
  since: number;
  heardAt: number;
  pingAt: number;
  /** Until when the JSON ping in flight must be answered. */
  answerBy: number | undefined;
  /** Where the log stood at the `welcome`. */
  welcome: Position | undefined;
  /** Whether `snapshot` or `resumed` has come. */
  placed: boolean;
}

/** Where the machine is with its connection. */
export type Link =
  | { at: "idle" }
  | { at: "waiting"; until: number }
  | { at: "connecting"; since: number; by: number }
  | { at: "checking"; since: number; by: number }
  | Open
  | ({ at: "stopped" } & Reason);

/** The machine. `now` is the time of any clock that never goes back, in milliseconds. */
export class Machine {
  link: Link = { at: "idle" };
  /** Connects since the socket was last well. */
  attempt = 0;
  #position: Position | undefined;
  #connectedAt = -Infinity;
  /** No connect before a fresh token has come. */
  #needsToken = false;
  /** A fresh token was asked for since the last connection opened. */
  #renewed = false;
  #hidden = false;
  #interval = 15_000;
  #window = 5_000;
  #out: Output[] = [];

  /** Everything up to here has been handed out. */
  get position(): Position | undefined {
    return this.#position;
  }

  /** When time itself changes something. */
  get deadline(): number {
    const link = this.link;
    switch (link.at) {
      case "waiting":
        return this.#needsToken ? Infinity : link.until;
      case "connecting":
      case "checking":
        return link.by;
      case "open":
        return Math.min(link.pingAt, this.#silentAt(link), link.answerBy ?? Infinity);
      case "idle":
      case "stopped":
        return Infinity;
    }
  }

  /** Takes what happened; `random` is a fresh number in [0, 1). */
  handle(input: Input, now: number, random: number): Output[] {
    this.#out = [];
    this.#take(input, now, random);
    return this.#out;
  }

  #take(input: Input, now: number, random: number): void {
    const { link } = this;
    const at = link.at;
    switch (input.type) {
      case "start":
        if (at === "idle" || at === "stopped") {
          this.attempt = 0;
          this.#needsToken = this.#renewed = false;
          this.#connect(now);
        }
        break;
      case "tick":
        this.#tick(now, random);
        break;
      case "opened":
        if (at === "connecting") this.#opened(now);
        break;
      case "failed":
        if (at === "connecting") {
          this.link = { at: "checking", since: now, by: now + CONNECT };
          this.#out.push({ type: "check" });
        }
        break;
      case "checked":
        if (at !== "checking") break;
        if (input.status === 401) this.#refused(now, random);
        else this.#lost(now, random);
        break;
      case "rejected":
        if (at === "waiting" && !this.#needsToken) this.#refused(now, random);
        break;
      case "accepted":
        this.#renewed = false;
        break;
      case "frame":
        if (link.at === "open") this.#hear(link, input.frame, now, random);
        break;
      case "closed":
        if (at === "open") this.#closed(input.code, now, random);
        break;
      case "token":
        this.#needsToken = false;
        if (at === "open") this.#say("authenticate", { token: input.token });
        else if (link.at === "waiting" && link.until <= now) this.#connect(now);
        break;
      case "no-token":
        if (this.#needsToken || at === "connecting") this.#stop({ reason: "sign-in" });
        break;
      case "token-later":
        this.#needsToken = false;
        break;
      case "ask":
        if (link.at === "open") this.#ask(link, input.echo, now);
        break;
      case "hurry":
        this.#hurry(now, random);
        break;
      case "hidden":
        this.#hidden = input.hidden;
        break;
      case "forget":
        this.#position = undefined;
        this.link = { at: "idle" };
        this.#out.push({ type: "close" });
        break;
    }
  }

  #hurry(now: number, random: number): void {
    this.#tick(now, random);
    const { link } = this;
    if (link.at === "waiting") {
      link.until = Math.min(link.until, Math.max(now, this.#connectedAt + HURRY));
      this.#tick(now, random);
    } else if (link.at === "open" && !link.answerBy && link.heardAt + this.#interval <= now) {
      this.#ask(link, now, now);
    }
  }

  #silentAt(link: Open): number {
    return link.heardAt + SILENT_INTERVALS * this.#interval;
  }

  #tick(now: number, random: number): void {
    const { link } = this;
    if (this.deadline > now) return;
    switch (link.at) {
      case "waiting":
        this.#connect(now);
        break;
      case "connecting":
        this.#leave(now, random);
        break;
      case "checking":
        this.#lost(now, random);
        break;
      case "open":
        if (this.#silentAt(link) <= now || (link.answerBy ?? Infinity) <= now) {
          this.#leave(now, random);
        } else {
          link.pingAt = now + this.#interval;
          this.#out.push({ type: "send", text: "ping" });
        }
        break;
      case "idle":
      case "stopped":
        break;
    }
  }

  #connect(now: number): void {
    this.link = { at: "connecting", since: now, by: now + CONNECT };
    this.#connectedAt = now;
    this.#out.push({ type: "connect", resume: this.#position });
  }

  #opened(now: number): void {
    this.#renewed = false;
    this.link = {
      at: "open",
      since: now,
      heardAt: now,
      pingAt: now + this.#interval,
      answerBy: undefined,
      welcome: undefined,
      placed: false,
    };
  }

  /** The token is not good: one fresh one is tried, then somebody is to sign in. */
  #refused(now: number, random: number): void {
    if (this.#renewed) return this.#stop({ reason: "sign-in" });
    this.#lost(now, random);
    this.#renew();
  }

  #renew(): void {
    this.#renewed = this.#needsToken = true;
    this.#out.push({ type: "fresh-token" });
  }

  #closed(code: number, now: number, random: number): void {
    if (!comesBack(code)) return this.#stop({ reason: "refused", code });
    this.#lost(now, random);
    if (code === 4001) this.#renew();
  }

  #leave(now: number, random: number): void {
    this.#out.push({ type: "close" });
    this.#lost(now, random);
  }

  #lost(now: number, random: number): void {
    if (this.link.at === "open" && now - this.link.since >= WELL) this.attempt = 0;
    // Whatever else went wrong took its time: the token may have ended meanwhile.
    this.#renewed = false;
    const pause = wait(this.attempt, this.#window, random) + (this.#hidden ? UNSEEN : 0);
    this.link = { at: "waiting", until: now + pause };
    this.attempt += 1;
  }

  #stop(reason: Reason): void {
    this.link = { at: "stopped", ...reason };
    this.#out.push({ type: "close" });
  }

  #say(type: string, data: unknown): void {
    this.#out.push({ type: "send", text: JSON.stringify({ type, data }) });
  }

  #ask(link: Open, echo: unknown, now: number): void {
    link.answerBy ??= now + ANSWER;
    this.#say("ping", { timestamp: echo });
  }

  #hear(link: Open, frame: unknown, now: number, random: number): void {
    link.heardAt = now;
    for (const message of read(frame) ?? [undefined]) {
      if (!message || !this.#message(link, message, now)) return this.#leave(now, random);
    }
    // A page in the background has few timers: a frame is an occasion to ping in time, too.
    this.#tick(now, random);
  }

  /** Takes one message; false: leave the connection. */
  #message(link: Open, message: Received, now: number): boolean {
    switch (message.type) {
      case undefined:
      case "new_signal":
      case "approval_notification":
        return message.seq === undefined || this.#event(link, message, message.seq);
      case "bare_pong":
        return this.#barePong(link, message.data, now);
      case "pong":
        return this.#pong(link, message);
      case "welcome": {
        const { epoch, seq, ping_interval_ms, reconnect_window_ms } = message.data;
        link.welcome = { epoch, seq };
        this.#interval = ping_interval_ms || this.#interval;
        this.#window = reconnect_window_ms;
        link.pingAt = now + this.#interval;
        break;
      }
      case "token_expiring":
        this.#out.push({ type: "fresh-token" });
        break;
    }
    this.#out.push({ type: "deliver", message });
    // What the welcome counts and has not come was hidden by a filter.
    if (message.type === "snapshot" || (message.type === "resumed" && message.data.recovered)) {
      link.placed = true;
      this.#position = link.welcome;
    }
    return true;
  }

  #event(link: Open, message: Message | { type: undefined }, seq: number): boolean {
    const epoch = link.welcome?.epoch;
    if (!this.#position || this.#position.epoch !== epoch) return false;
    if (seq <= this.#position.seq) return true;
    if (message.type) this.#out.push({ type: "deliver", message });
    this.#position = { epoch, seq };
    return true;
  }

  /** It says how far the log is: what is missing was hidden, or is on its way. */
  #barePong(link: Open, { epoch, seq }: Position, now: number): boolean {
    if (!link.placed) return true;
    if (epoch !== link.welcome?.epoch) return false;
    if (this.#behind(seq) && link.answerBy === undefined) this.#ask(link, now, now);
    return true;
  }

  /** It comes in order with the events: everything up to there has come. */
  #pong(link: Open, message: Message & { type: "pong" }): boolean {
    const { epoch, seq } = message.data;
    link.answerBy = undefined;
    this.#out.push({ type: "deliver", message });
    if (!link.placed) return true;
    if (epoch !== link.welcome?.epoch) return false;
    if (this.#behind(seq)) this.#position = { epoch, seq };
    return true;
  }

  #behind(seq: number): boolean {
    return !this.#position || this.#position.seq < seq;
  }
}
