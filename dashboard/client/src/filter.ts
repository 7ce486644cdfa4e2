/** What a client follows, and how a server is told. */

import type { ClientMessageData } from "./types.js";

/** How many symbols a socket may follow. */
const MOST = 500;

/** Follows nothing: a list of no symbols counts as no list. This is a symbol that nobody trades. */
const NOTHING = "0-0";

type Told = { [T in keyof ClientMessageData]: [T, ClientMessageData[T]] }[keyof ClientMessageData];

/** What can be followed beside symbols, and the messages that say so. */
const TOPICS = {
  city: ["subscribe_city_state", "unsubscribe_city_state"],
  market: ["subscribe_market", "unsubscribe_market"],
} as const;

/** The desk's mood and the market's. */
export type Topic = keyof typeof TOPICS;

const topics = Object.keys(TOPICS) as Topic[];

/** The symbols, undefined for all, and the topics that are followed. */
export class Filter {
  readonly topics: Set<Topic>;
  #symbols: Set<string> | undefined;
  /** What the server of the open socket knows. */
  #told: { symbols: Set<string> | undefined; topics: Set<Topic> } = {
    symbols: undefined,
    topics: new Set(),
  };

  constructor(
    symbols: string[] | undefined,
    followed: { [T in Topic]?: boolean | undefined } = {},
  ) {
    this.topics = new Set(topics.filter((topic) => followed[topic]));
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
    }
    for (const topic of topics) {
      const [follow, leave] = TOPICS[topic];
      if (type === follow) this.topics.add(topic);
      else if (type === leave) this.topics.delete(topic);
      else continue;
      return true;
    }
    return false;
  }

  /** Writes itself into a socket's address. */
  write(query: URLSearchParams): void {
    if (this.#symbols) query.set("symbols", [...this.#symbols].join() || NOTHING);
    if (this.topics.size) query.set("topics", [...this.topics].join());
    this.#tell();
  }

  /** What the open socket's server has to be told. */
  changes(): Told[] {
    const { symbols, topics: told } = this.#told;
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
    for (const topic of topics) {
      const follows = this.topics.has(topic);
      if (told.has(topic) !== follows) changes.push([TOPICS[topic][follows ? 0 : 1], {}]);
    }
    this.#tell();
    return changes;
  }

  #tell(): void {
    this.#told = {
      symbols: this.#symbols && new Set(this.#symbols),
      topics: new Set(this.topics),
    };
  }
}

/** Symbols as the server writes them. */
function named(symbol: string | string[]): string[] {
  return [symbol].flat().map((it) => {
    const name = it.toUpperCase();
    if (!/^(?=.*[A-Z0-9])[A-Z0-9.^=-]{1,15}$/.test(name))
      throw new TypeError(`"${it}" is no symbol.`);
    return name;
  });
}
