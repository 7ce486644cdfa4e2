/** The shapes that callers see. Those of the server come from its own description, `openapi.ts`. */

import type { components } from "./openapi.js";
import type { Rest } from "./rest.js";

type Schemas = components["schemas"];

/** A signal as lists and messages show it. Scores are in [0, 1]. */
export type Signal = Schemas["Signal"];
/** The reasons of a signal, a list of factors per engine. */
export type Explain = Schemas["Explain"];
/** One line of an explanation. */
export type Factor = Schemas["Factor"];
/** A signal with its reasons. */
export type ExplainedSignal = Signal & { explain: Explain };
/** Where a signal is in its life. */
export type Status = Schemas["Status"];
/** What to do: as suggested by the machine, as decided by a person. */
export type Suggestion = Schemas["Suggestion"];
/** A decision as it is announced and listed. */
export type Approval = Schemas["Approval"];
/** The state of the whole desk. */
export type City = Schemas["City"];
/** How greedy the whole market is; scores are 0 to 100. */
export type Market = Schemas["Market"];
/** One of the seven parts of {@link Market}. */
export type MarketComponent = Schemas["MarketComponent"];
/** What the desk knows of a symbol's data. */
export type SymbolSupply = Schemas["SymbolSupply"];
/** What became of a symbol in a run. */
export type SymbolOutcome = Schemas["SymbolOutcome"];
/** What became of a series in a run. */
export type SeriesOutcome = Schemas["SeriesOutcome"];
/** The symbols that are fetched. */
export type Watchlist = Schemas["Watchlist"];
/** A day of a symbol's prices. */
export type Bar = Schemas["Bar"];
/** A place in a log. */
export type Position = Schemas["Position"];
/** What a run did. */
export type RunReport = Schemas["RunReport"];

/** A decision to take. */
export interface Decision {
  status: Suggestion;
  /** Why, plain text of at most 2,000 characters. */
  note?: string;
  /**
   * The signal looked at: the decision fails with 409 `stale-signal` if it is not the current one.
   * Only a decision that names it waits in the queue: without it, what it would meet later is not
   * what the person saw.
   */
  signal_id?: string;
}

/** What became of a decision. */
export type ApproveResult = Omit<Schemas["Approved"], "room"> & {
  /** Where it is in the symbol room's log; null when an earlier try's answer was lost. */
  room: Position | null;
};

/** A message of the server. */
export type Message = Schemas["ServerMessage"];
/** `type` of each message of the server. */
export type MessageType = Message["type"];
/** `data` of each message of the server. */
export type MessageData = { [M in Message as M["type"]]: M["data"] };
/** The answer to a ping through the stream: everything up to `seq` has been handed on. */
export type Pong = MessageData["pong"];

/** What a message carries beside its data. */
export interface Meta {
  /** RFC 3339; of an event the time of its commit. */
  timestamp: string;
  /** Place in the log; only events have one. */
  seq?: number;
}

/** `data` of each message of the client. */
export type ClientMessageData = {
  [M in Schemas["ClientMessage"] as M["type"]]: Exclude<M["data"], undefined>;
};

/** What is going on with the connection. Times are milliseconds since 1970. */
export type ConnectionState =
  /** `connect()` was not called yet. */
  | { phase: "idle" }
  /** A socket is being opened. */
  | { phase: "connecting"; attempt: number }
  /** The socket is open. */
  | { phase: "open"; since: number }
  /** The next try comes at `until`. */
  | { phase: "waiting"; until: number; attempt: number }
  /** REST is polled while no socket can be had; the next socket is tried at `until`. */
  | { phase: "polling"; until: number; attempt: number }
  /** The browser says that there is no network. */
  | { phase: "offline" }
  /**
   * Over until `connect()`: `disconnect()` was called, somebody has to sign in, or the server
   * closed the socket for good with `code`.
   */
  | { phase: "stopped"; reason: "disconnected" | "sign-in" | "refused"; code?: number };

/** Time, for tests. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

/** How to reach the server. */
export interface ClientOptions {
  /**
   * Origin of the API, http or https; ws or wss follow from it. Default: the constant
   * `__SIGNALROOM_URL__` if the build defines one, else the page's own origin.
   */
  url?: string;
  /** The token to use, asked for at each connect, each request, and before it expires. Null: signed out. */
  token: () => string | null | Promise<string | null>;
  /** Symbols to follow at first. Default: all. */
  symbols?: string[];
  /** Whether to follow the city state. Default: no. */
  city?: boolean;
  /** Whether to follow the market's mood. Default: no. */
  market?: boolean;
  /** How often to poll REST while no socket can be had, milliseconds. Default: 10,000. */
  pollIntervalMs?: number;
  /** How many decisions may wait for the server. Default: 20. */
  queueLimit?: number;
  fetch?: typeof fetch;
  WebSocket?: new (url: string, protocols: string[]) => WebSocket;
  clock?: Clock;
  /** A number in [0, 1). */
  random?: () => number;
}

/** A client of a desk. */
export interface SignalroomClient {
  /** Starts, or tries again at once. */
  connect(): void;
  /** Ends, and gives up the decisions that wait. */
  disconnect(): void;
  /** Whether the socket is open. */
  isConnected(): boolean;
  readonly state: ConnectionState;
  /** Calls `handler` at each change; returns its undo. */
  onStateChange(handler: (state: ConnectionState) => void): () => void;
  /** When the server last gave a sign of life, milliseconds since 1970. */
  readonly heardAt: number | null;
  /** Follows these; the first call narrows from all symbols to them. At most 500. */
  subscribeToSymbol(symbol: string | string[]): void;
  unsubscribeFromSymbol(symbol: string | string[]): void;
  /** Follows all symbols again. */
  subscribeToAll(): void;
  subscribeToCityState(): void;
  unsubscribeFromCityState(): void;
  subscribeToMarket(): void;
  unsubscribeFromMarket(): void;
  /** Calls `handler` for each message of a type; returns its undo. */
  onMessage<T extends MessageType>(
    type: T,
    handler: (data: MessageData[T], meta: Meta) => void,
  ): () => void;
  /** Calls `handler` for each message. */
  onMessage(type: "*", handler: (message: Message) => void): () => void;
  /** Sends a message; false while the socket is not open. */
  send<T extends keyof ClientMessageData>(type: T, data: ClientMessageData[T]): boolean;
  /** Asks the server through the socket. Rejects with `Unreachable` without an answer. */
  ping(): Promise<Pong>;
  readonly rest: Rest;
  /**
   * Decides. While the server cannot be reached the decision waits, if it names its `signal_id`,
   * and is sent in order on return. Rejects with `Problem`, `Unreachable` or `QueueFull`.
   */
  approve(symbol: string, decision: Decision): Promise<ApproveResult>;
  /** Decisions that wait for the server. */
  readonly queued: number;
  /** Calls `handler` when `queued` changes; returns its undo. */
  onQueueChange(handler: (queued: number) => void): () => void;
}
