/** Decisions on their way: sent one after the other, kept while the server cannot be reached. */

import { wait } from "./pace.js";
import { Problem, Unreachable, type Ask, type Rest } from "./rest.js";
import type { ApproveResult, Clock, Decision } from "./types.js";

/** Too many decisions wait already. */
export class QueueFull extends Error {
  override name = "QueueFull";
}

/** Answers that say "not now" of a server that is otherwise well. */
const NOT_NOW = [408, 425, 429, 502, 503, 504];

interface Item {
  symbol: string;
  decision: Decision;
  /** Makes a repeated request the same one. */
  key: string;
  /** Who decides: nobody else's token sends it. */
  by: Promise<string | undefined>;
  /** A try ended without an answer: it may have been recorded. */
  uncertain: boolean;
  resolve: (result: ApproveResult) => void;
  reject: (error: unknown) => void;
}

/** What the queue works with. */
export interface Desk {
  ask: Ask;
  rest: Rest;
  token: () => string | null | Promise<string | null>;
  /** The token used last; empty at first. */
  used: () => string;
  clock: Clock;
  random: () => number;
  limit: number;
  changed: (waiting: number) => void;
}

/** The queue. */
export class Approvals {
  readonly #desk: Desk;
  #items: Item[] = [];
  #sending = false;
  /** Tries in a row that ended without an answer. */
  #failed = 0;
  #timer: unknown;

  constructor(desk: Desk) {
    this.#desk = desk;
  }

  /** Decisions that wait for the server. */
  get waiting(): number {
    return this.#failed ? this.#items.length : 0;
  }

  /** Sends a decision after those before it. */
  add(symbol: string, decision: Decision): Promise<ApproveResult> {
    const { limit, clock, random } = this.#desk;
    if (this.#failed && !decision.signal_id) {
      return Promise.reject(new Unreachable("A decision without a signal_id cannot wait."));
    }
    if (this.#items.length >= limit) {
      return Promise.reject(new QueueFull("Too many decisions wait for the server."));
    }
    return new Promise((resolve, reject) => {
      const key = `${clock.now().toString(36)}-${random().toString(36).slice(2)}`;
      // Without a network there may be no token, but it is known whose was used.
      const by = this.#subject().catch(() => subject(this.#desk.used()));
      this.#items.push({ symbol, decision, key, by, uncertain: false, resolve, reject });
      this.#tell();
      // Behind others that wait, it waits for their turn.
      if (!this.#failed) this.wake();
    });
  }

  /** The server may be there again. */
  wake(): void {
    if (!this.#sending && this.#items.length) void this.#send();
  }

  /** Gives up what waits. */
  clear(): void {
    const items = this.#items;
    this.#items = [];
    this.#failed = 0;
    this.#desk.clock.clearTimeout(this.#timer);
    this.#tell();
    for (const item of items) item.reject(new Unreachable("Given up before it was answered."));
  }

  #tell(): void {
    this.#desk.changed(this.waiting);
  }

  async #send(): Promise<void> {
    const { clock, random } = this.#desk;
    this.#sending = true;
    clock.clearTimeout(this.#timer);
    for (let item; (item = this.#items[0]);) {
      const settle = await this.#try(item);
      // It may have been given up meanwhile.
      if (this.#items[0] !== item) continue;
      if (!settle && item.decision.signal_id) {
        this.#failed += 1;
        this.#timer = clock.setTimeout(() => this.wake(), wait(this.#failed, 0, random()));
        break;
      }
      this.#failed = 0;
      this.#items.shift();
      if (settle) settle();
      else item.reject(new Unreachable("The server cannot be reached."));
      this.#tell();
    }
    this.#sending = false;
    this.#tell();
  }

  /** Tries once: how it ended, or undefined when it is to be tried again. */
  async #try(item: Item): Promise<(() => void) | undefined> {
    const { symbol, decision, key } = item;
    try {
      const by = await item.by;
      const now = await this.#subject();
      if (now !== by) {
        if (now === undefined) return undefined;
        return () => item.reject(new Unreachable("Somebody else has signed in."));
      }
      const path = `/api/v1/signals/${encodeURIComponent(symbol)}/approve`;
      const headers = { "idempotency-key": key };
      const result = await this.#desk.ask("POST", path, { body: decision, headers });
      return () => item.resolve(result as ApproveResult);
    } catch (error) {
      if (!(error instanceof Problem)) {
        item.uncertain = true;
        return undefined;
      }
      if (NOT_NOW.includes(error.status)) {
        item.uncertain = true;
        return undefined;
      }
      // What has waited long has outlived its token: it waits for the next sign-in.
      if (error.status === 401 && this.#failed) return undefined;
      if (error.status === 409 && item.uncertain) return this.#recorded(item, error);
      return () => item.reject(error);
    }
  }

  /** After a lost answer, a conflict may be with this very decision. */
  async #recorded(item: Item, conflict: Problem): Promise<(() => void) | undefined> {
    const { status, signal_id } = item.decision;
    const by = await item.by;
    try {
      const { approvals } = await this.#desk.rest.symbolApprovals(item.symbol, { limit: 500 });
      const approval = approvals.find(
        (it) =>
          it.signal_id === signal_id && it.approved_by === by && it.approved_status === status,
      );
      if (!approval) return () => item.reject(conflict);
      return () => item.resolve({ approval, room: null, feed: null });
    } catch {
      return undefined;
    }
  }

  async #subject(): Promise<string | undefined> {
    return subject(await this.#desk.token());
  }
}

/** Whom a token is of, as it says itself; the server checks it. */
function subject(token: string | null): string | undefined {
  try {
    const payload = (token ?? "").split(".")[1] ?? "";
    const bytes = atob(payload.replace(/-/g, "+").replace(/_/g, "/"));
    const text = new TextDecoder().decode(Uint8Array.from(bytes, (it) => it.charCodeAt(0)));
    const { sub } = JSON.parse(text) as { sub?: unknown };
    return typeof sub === "string" ? sub : undefined;
  } catch {
    return undefined;
  }
}
