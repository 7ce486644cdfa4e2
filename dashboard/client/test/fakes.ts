/** A clock that tests turn, sockets whose other end they hold, and messages as a server sends them. */

import type { Clock, Signal } from "../src/index.js";

/** Lets everything that promises have under way come to rest. */
export async function settled(): Promise<void> {
  for (let round = 0; round < 3; round++) await new Promise((resolve) => setImmediate(resolve));
}

export class FakeClock implements Clock {
  /** What timers go by. */
  #now = 0;
  /** What it shows beyond. */
  #set = 1_800_000_000_000;
  #timers: { at: number; run: () => void }[] = [];

  now(): number {
    return this.#now + this.#set;
  }

  setTimeout(run: () => void, ms: number): unknown {
    const timer = { at: this.#now + ms, run };
    this.#timers.push(timer);
    return timer;
  }

  clearTimeout(timer: unknown): void {
    this.#timers = this.#timers.filter((it) => it !== timer);
  }

  /** Lets time pass, timer by timer. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settled();
    for (;;) {
      const [next] = this.#timers.filter((it) => it.at <= end).sort((a, b) => a.at - b.at);
      if (!next) break;
      this.clearTimeout(next);
      this.#now = Math.max(this.#now, next.at);
      next.run();
      await settled();
    }
    this.#now = end;
  }

  /** The clock is set, or the machine was asleep: no timer runs. */
  jump(ms: number): void {
    this.#set += ms;
  }
}

/** A socket; the test is its server. */
export class FakeSocket {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  onerror: (() => void) | null = null;
  readonly sent: string[] = [];
  left = false;
  readonly address: URL;

  constructor(
    url: string,
    readonly protocols: string[],
  ) {
    this.address = new URL(url);
  }

  send(text: string): void {
    this.sent.push(text);
  }

  close(): void {
    this.left = true;
  }

  /** The messages sent, without bare pings. */
  get said(): { type: string; data: Record<string, unknown> }[] {
    return this.sent.filter((text) => text !== "ping").map((text) => JSON.parse(text) as never);
  }

  open(): void {
    this.onopen?.();
  }

  tell(...messages: object[]): void {
    this.onmessage?.({ data: JSON.stringify(messages.length === 1 ? messages[0] : messages) });
  }

  end(code: number): void {
    this.onclose?.({ code });
  }
}

/** Numbers in [0, 1) that are the same for the same seed. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A token of somebody; nobody here checks its signature. */
export function tokenOf(sub: string, serial = 0): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "HS256" })}.${part({ sub, serial })}.c2lnbmF0dXJl`;
}

const timestamp = "2026-11-22T22:25:41.070Z";

export const message = (type: string, data: unknown) => ({ type, data, timestamp });

export function welcome(epoch: string, seq: number): object {
  return message("welcome", {
    connection_id: "c",
    epoch,
    seq,
    expires_at: timestamp,
    ping_interval_ms: 1000,
    reconnect_window_ms: 2000,
  });
}

export const city = {
  city_state: null,
  unslug_trust: null,
  fear_trust: null,
  flow_trust: null,
  notes: "",
};

export const market = {
  score: 62.4,
  label: "Neutral",
  as_of: "2026-11-20",
  updated_at: timestamp,
  components: [
    {
      name: "volatility",
      score: null,
      value: null,
      as_of: null,
      source: "FRED VIXCLS / Cboe VIX",
      missing: "there are no closes of the VIX yet",
    },
  ],
};

export const snapshot = (signals: Signal[] = []) => message("snapshot", { signals, city, market });

export const resumed = (recovered: boolean) => message("resumed", { recovered, count: 0 });

export function signal(symbol: string, revision = 1): Signal {
  return {
    id: `${symbol}:2026-11-20:${revision}`,
    symbol,
    ts: "2026-11-20T00:00:00Z",
    computed_at: timestamp,
    revision,
    unslug_score: 0.9,
    fear_score: 0.7,
    combined_trust: 0.8,
    status: "PENDING_REVIEW",
    recommendation: { suggested: "BUY", unslug: 0.9, fear: 0.7, logic: "" },
    awaiting_approval: true,
    approval: null,
    provisional: false,
    stale: false,
  };
}

export const event = (seq: number, symbol = "A") => ({
  ...message("new_signal", signal(symbol)),
  seq,
});

export const barePong = (epoch: string, seq: number) => ({ type: "pong", data: { epoch, seq } });

export const pong = (epoch: string, seq: number, echo: unknown = 1) =>
  message("pong", { timestamp, echo, epoch, seq });

export const approval = (by: string, status: "BUY" | "NEUTRAL" | "RISK", id: string) => ({
  symbol: id.split(":")[0] ?? "",
  approved_status: status,
  approved_by: by,
  approved_at: timestamp,
  note: null,
  signal_id: id,
});
