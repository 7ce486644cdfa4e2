/** Asks REST every now and then while no socket can be had. */

import type { Filter } from "./filter.js";
import { fits } from "./frames.js";
import { Problem, type Rest } from "./rest.js";
import type { Clock, Message, MessageData } from "./types.js";

/** How often while nobody looks, milliseconds. */
const UNSEEN = 60_000;

/** What polling works with. */
export interface Wire {
  rest: Rest;
  clock: Clock;
  /** Milliseconds between two polls. */
  interval: number;
  filter: Filter;
  /** An answer came; with a message if it is another than the last. */
  polled: (message: Message | undefined) => void;
  /** None came, or not the one expected: the status, if there is one. */
  failed: (status: number | undefined) => void;
}

interface Running {
  abort: AbortController;
  unseen: boolean;
}

/** The poll. */
export class Poll {
  readonly #wire: Wire;
  #running: Running | undefined;
  #well = false;
  #timer: unknown;
  #last = "";

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  /** Whether it is running and its last answer was good. */
  get well(): boolean {
    return this.#well;
  }

  /** Starts or stops it; `unseen`: nobody looks. */
  set(run: boolean, unseen: boolean): void {
    const running = this.#running;
    if (run === Boolean(running) && unseen === Boolean(running?.unseen)) return;
    this.#wire.clock.clearTimeout(this.#timer);
    running?.abort.abort();
    this.#running = undefined;
    if (run) {
      this.#running = { abort: new AbortController(), unseen };
      void this.#ask(this.#running);
    } else {
      this.#well = false;
      this.#last = "";
    }
  }

  async #ask(running: Running): Promise<void> {
    const { rest, clock, filter, interval } = this.#wire;
    const { signal } = running.abort;
    let data: MessageData["snapshot"] | undefined;
    let status: number | undefined;
    try {
      const [list, city, market] = await Promise.all([
        rest.signals({ limit: 500 }, { signal }),
        rest.city({ signal }),
        rest.market({ signal }),
      ]);
      const snapshot = { signals: list.signals, city, market };
      if (fits("snapshot", snapshot)) {
        data = { city, market, signals: list.signals.filter((it) => filter.follows(it.symbol)) };
      }
    } catch (error) {
      status = error instanceof Problem ? error.status : undefined;
    }
    if (signal.aborted) return;
    const again = Math.max(interval, running.unseen ? UNSEEN : 0);
    this.#timer = clock.setTimeout(() => void this.#ask(running), again);
    this.#well = Boolean(data);
    if (!data) return this.#wire.failed(status);
    const text = JSON.stringify(data);
    const changed = text !== this.#last;
    this.#last = text;
    const timestamp = new Date(clock.now()).toISOString();
    this.#wire.polled(changed ? { type: "snapshot", data, timestamp } : undefined);
  }
}
