/** A small server with the rules of `docs/protocol.md` and a network that fails at random. */

import * as fakes from "./fakes.js";
import { FakeSocket, type FakeClock } from "./fakes.js";

/** A log: its entries are the symbols, `seq` is the place. Trimmed up to `floor`. */
interface Log {
  epoch: string;
  symbols: string[];
  floor: number;
}

class End extends FakeSocket {
  server: Server | undefined;
  /** What is on its way, in order. */
  readonly coming: (() => void)[] = [];
  /** Connected as far as the server knows. */
  live = false;
  follows: Set<string> | undefined;

  override send(text: string): void {
    this.server?.hear(this, text);
  }

  override close(): void {
    super.close();
    this.live = false;
  }
}

export class Server {
  /** All logs there ever were; the last one is followed. */
  readonly logs: Log[] = [{ epoch: "e0", symbols: [], floor: 0 }];
  /** Whether sockets are to be had, and REST. */
  up = true;
  rest = true;
  /** Which token is good. */
  serial = 0;
  readonly #ends = new Set<End>();

  constructor(
    readonly clock: FakeClock,
    readonly random: () => number,
  ) {}

  get log(): Log {
    return this.logs.at(-1) as Log;
  }

  /** The class of this server's sockets. */
  get Socket(): new (url: string, protocols: string[]) => WebSocket {
    const accept = (end: End) => this.#accept(end);
    return class extends End {
      constructor(url: string, protocols: string[]) {
        super(url, protocols);
        accept(this);
      }
    } as never;
  }

  fetch: typeof fetch = async (input) => {
    if (!this.rest) throw new TypeError("nobody there");
    const signals = [...new Set(this.log.symbols)].map((symbol) => fakes.signal(symbol));
    const { pathname } = new URL(String(input));
    if (pathname.endsWith("/city")) return Response.json(fakes.city);
    if (pathname.endsWith("/fear-greed")) return Response.json(fakes.market);
    return Response.json({ signals, next_cursor: null });
  };

  /** Something happens. */
  publish(symbol: string): void {
    const seq = this.log.symbols.push(symbol);
    for (const end of this.#live()) {
      if (!sees(end, symbol)) continue;
      // Whatever a server does: no client shows an event twice.
      const twice = this.random() < 0.1;
      this.#tell(end, fakes.event(seq, symbol), ...(twice ? [fakes.event(seq, symbol)] : []));
    }
  }

  /** Breaks connections: with a code, as if cut, or without anybody noticing. */
  cut(code: number | "unnoticed"): void {
    for (const end of this.#live()) {
      end.live = false;
      if (code !== "unnoticed") this.#later(end, () => end.end(code));
    }
  }

  /** The log is lost. */
  lose(): void {
    this.logs.push({ epoch: `e${this.logs.length}`, symbols: [], floor: 0 });
    this.cut(this.random() < 0.5 ? 1006 : "unnoticed");
  }

  trim(): void {
    this.log.floor = Math.floor(this.log.symbols.length * this.random());
  }

  hear(end: End, text: string): void {
    if (!end.live) return;
    const { epoch, symbols } = this.log;
    if (text === "ping") return this.#tell(end, fakes.barePong(epoch, symbols.length));
    const { type, data } = JSON.parse(text) as {
      type: string;
      data: { timestamp?: unknown; symbols?: string[] };
    };
    switch (type) {
      case "ping":
        return this.#tell(end, fakes.pong(epoch, symbols.length, data.timestamp));
      case "subscribe_symbol":
        end.follows = new Set([...(end.follows ?? []), ...(data.symbols ?? [])]);
        break;
      case "unsubscribe_symbol":
        for (const symbol of data.symbols ?? []) end.follows?.delete(symbol);
        break;
      case "subscribe_all":
        end.follows = undefined;
        break;
    }
  }

  #live(): End[] {
    return [...this.#ends].filter((end) => end.live);
  }

  #accept(end: End): void {
    end.server = this;
    this.#ends.add(end);
    const good = end.protocols[1] === `bearer.${fakes.tokenOf("alice", this.serial)}`;
    const lost = this.random() < 0.1;
    this.#later(end, () => {
      if (lost) return;
      if (!this.up || !good) return end.end(1006);
      end.live = true;
      end.open();
      this.#greet(end);
    });
  }

  #greet(end: End): void {
    const { epoch, symbols, floor } = this.log;
    const query = end.address.searchParams;
    const filter = query.get("symbols");
    end.follows = filter === null ? undefined : new Set(filter.split(","));
    this.#tell(end, fakes.welcome(epoch, symbols.length));
    const since = query.get("since");
    if (since !== null) {
      const from = Number(since);
      const recovers = query.get("epoch") === epoch && from <= symbols.length && from >= floor;
      if (recovers) {
        const missed = symbols.flatMap((symbol, index) =>
          index >= from && sees(end, symbol) ? [fakes.event(index + 1, symbol)] : [],
        );
        if (missed.length) this.#tell(end, ...missed);
      }
      this.#tell(end, fakes.resumed(recovers));
      if (recovers) return;
    }
    const latest = [...new Set(symbols)].filter((symbol) => sees(end, symbol));
    this.#tell(end, fakes.snapshot(latest.map((symbol) => fakes.signal(symbol))));
  }

  #tell(end: End, ...messages: object[]): void {
    this.#later(end, () => end.live && end.tell(...messages));
  }

  /** Runs after what is on its way to this end already. */
  #later(end: End, run: () => void): void {
    end.coming.push(run);
    const arrive = () => {
      const next = end.coming.shift();
      if (!end.left) next?.();
    };
    this.clock.setTimeout(arrive, this.random() * 300);
  }
}

function sees(end: End, symbol: string): boolean {
  return end.follows?.has(symbol) ?? true;
}
