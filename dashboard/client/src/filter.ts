/** What a client follows, and how a server is told. */

import type { ClientMessageData } from "./types.js";

/** How many symbols a socket may follow. */
const MOST = 500;

/** Follows nothing: a list of no symbols counts as no list. This is a symbol that nobody trades. */
const NOTHING = "-";

type Told = { [T in keyof ClientMessageData]: [T, ClientMessageData[T]] }[keyof ClientMessageData];

/** The symbols, undefined for all, and whether the city state is followed. */
export class Filter {
  city: boolean;
  #symbols: Set<string> | undefined;
  /** What the server of the open socket knows. */
  #told: { symbols: Set<string> | undefined; city: boolean } = { symbols: undefined, city: false };

  constructor(symbols: string[] | undefined, city = false) {
    this.city = city;
    if (symbols) {
      this.#symbols = new Set();
      this.follow(symbols);
    }
  }

  follows(symbol: string): boolean {
    return this.#symbols?.has(symbol) ?? true;
  }

  follow(symbol: string | string[]): void {
    const symbols = new Set([...(this.#symbols ?? []), ...named(symbol)]);
    if (symbols.size > MOST) throw new RangeError(`A client follows at most ${MOST} symbols.`);
    this.#symbols = symbols;
  }

  leave(symbol: string | string[]): void {
    for (const name of named(symbol)) this.#symbols?.delete(name);
  }

  followAll(): void {
    this.#symbols = undefined;
  }

  /** Takes a message of the client that changes the filter; false for any other. */
  take(type: keyof ClientMessageData, data: unknown): boolean {
    const { symbol, symbols = symbol } = data as { symbol?: string; symbols?: string | string[] };
    switch (type) {
      case "subscribe_symbol":
        this.follow(symbols ?? []);
        return true;
      case "unsubscribe_symbol":
        this.leave(symbols ?? []);
        return true;
      case "subscribe_all":
        this.followAll();
        return true;
      case "subscribe_city_state":
      case "unsubscribe_city_state":
        this.city = type === "subscribe_city_state";
        return true;
      default:
        return false;
    }
  }

  /** Writes itself into a socket's address. */
  write(query: URLSearchParams): void {
    if (this.#symbols) query.set("symbols", [...this.#symbols].join() || NOTHING);
    if (this.city) query.set("topics", "city");
    this.#tell();
  }

  /** What the open socket's server has to be told. */
  changes(): Told[] {
    const { symbols, city } = this.#told;
    const changes: Told[] = [];
    if (!this.#symbols) {
      if (symbols) changes.push(["subscribe_all", {}]);
    } else {
      const gone = [...(symbols ?? [])].filter((it) => !this.follows(it));
      const come = [...this.#symbols].filter((it) => !symbols?.has(it));
      if (!symbols && !come.length) come.push(NOTHING);
      if (gone.length) changes.push(["unsubscribe_symbol", { symbols: gone }]);
      if (come.length) changes.push(["subscribe_symbol", { symbols: come }]);
    }
    if (city !== this.city) {
      changes.push([this.city ? "subscribe_city_state" : "unsubscribe_city_state", {}]);
    }
    this.#tell();
    return changes;
  }

  #tell(): void {
    this.#told = { symbols: this.#symbols && new Set(this.#symbols), city: this.city };
  }
}

/** Symbols as the server writes them. */
function named(symbol: string | string[]): string[] {
  return [symbol].flat().map((it) => {
    const name = it.toUpperCase();
    if (!/^[A-Z0-9.^=-]{1,15}$/.test(name)) throw new TypeError(`"${it}" is no symbol.`);
    return name;
  });
}
