/** Seeded random runs: whatever breaks, no event is lost, none comes twice or out of order. */

import { expect, test } from "vitest";
import { createClient, type Message } from "../src/index.js";
import { FakeClock, seeded, tokenOf } from "./fakes.js";
import { Server } from "./model.js";

const RUNS = Number(process.env["RUNS"] ?? 150);
const STEPS = 60;
const SYMBOLS = ["A", "B", "C"];

/** Checks what a page hears against the server's logs. */
class Witness {
  #welcome: { epoch: string; seq: number } | undefined;
  #place: { epoch: string; seq: number } | undefined;
  snapshots = 0;
  events = 0;
  recovered = 0;

  constructor(
    readonly server: Server,
    readonly follows: string[] | undefined,
  ) {}

  hear(message: Message): void {
    switch (message.type) {
      case "welcome":
        this.#welcome = message.data;
        break;
      case "snapshot":
        this.snapshots += 1;
        this.#place = this.#welcome;
        break;
      case "resumed":
        this.recovered += Number(message.data.recovered);
        if (message.data.recovered) this.#reach(this.#welcome?.seq ?? 0);
        break;
      case "pong":
        if (this.#place && message.data.seq > this.#place.seq) this.#reach(message.data.seq);
        break;
      case "new_signal":
        this.events += 1;
        expect(message.seq, "twice or out of order").toBeGreaterThan(this.#place?.seq ?? Infinity);
        this.#reach(message.seq - 1);
        this.#place = { epoch: this.#welcome?.epoch ?? "", seq: message.seq };
        break;
    }
  }

  /** Everything up to `seq` that was not heard was hidden. */
  #reach(seq: number): void {
    const place = this.#place;
    if (!place) throw new Error("an event before anything to add it to");
    expect(place.epoch, "an event of another log").toBe(this.#welcome?.epoch);
    const log = this.server.logs.find((it) => it.epoch === place.epoch);
    const missed = log?.symbols
      .slice(place.seq, seq)
      .filter((it) => this.follows?.includes(it) ?? true);
    expect(missed, "lost").toEqual([]);
    this.#place = { ...place, seq };
  }

  /** Whether it has everything there is. */
  get done(): boolean {
    const { epoch, symbols } = this.server.log;
    const last = symbols.findLastIndex((it) => this.follows?.includes(it) ?? true) + 1;
    return this.#place?.epoch === epoch && this.#place.seq >= last;
  }
}

async function run(seed: number): Promise<Witness & { polled: number }> {
  const random = seeded(seed);
  const clock = new FakeClock();
  const server = new Server(clock, random);
  // All, some, or some that change; of the last the witness looks at the one that is always there.
  const kind = Math.floor(random() * 3);
  const follows = [undefined, ["A", "C"], ["A"]][kind];
  const witness = Object.assign(new Witness(server, follows), { polled: 0 });
  let failed: unknown;
  const client = createClient({
    url: "http://desk.example",
    token: () => tokenOf("alice", server.serial),
    clock,
    random,
    fetch: server.fetch,
    WebSocket: server.Socket,
    ...(follows ? { symbols: follows } : {}),
  });
  client.onMessage("*", (message) => {
    try {
      if (client.state.phase === "open") witness.hear(message);
      else witness.polled += 1;
    } catch (error) {
      failed ??= error;
    }
  });
  const chance: [number, () => void][] = [
    [60, () => server.publish(SYMBOLS[Math.floor(random() * SYMBOLS.length)] ?? "A")],
    [4, () => server.cut(1006)],
    [4, () => server.cut(1012)],
    [4, () => server.cut("unnoticed")],
    [3, () => (server.up = !server.up)],
    [2, () => (server.rest = !server.rest)],
    [2, () => server.lose()],
    [2, () => server.trim()],
    [2, () => clock.jump(random() < 0.5 ? -random() * 1e6 : random() * 1e7)],
    [2, () => ((server.serial += 1), server.cut(4001))],
    [1, () => client.connect()],
    [
      kind === 2 ? 20 : 0,
      () => {
        if (random() < 0.3) client.subscribeToAll();
        else if (random() < 0.5) client.subscribeToSymbol(["A", "B"]);
        else client.unsubscribeFromSymbol(["B"]);
      },
    ],
  ];
  client.connect();
  for (let step = 0; step < STEPS; step++) {
    let pick = random() * chance.reduce((sum, [weight]) => sum + weight, 0);
    chance.find(([weight]) => (pick -= weight) < 0)?.[1]();
    await clock.pass(random() < 0.7 ? random() * 500 : random() * 30_000);
    if (failed) throw failed;
  }
  [server.up, server.rest] = [true, true];
  client.connect();
  server.publish("A");
  await clock.pass(300_000);
  if (failed) throw failed;
  expect(client.state.phase).toBe("open");
  expect(witness.done, "it has everything in the end").toBe(true);
  client.disconnect();
  return witness;
}

test(`in ${RUNS} runs nothing is lost or doubled`, { timeout: 120_000 }, async () => {
  const sum = { events: 0, snapshots: 0, recovered: 0, polled: 0 };
  const only = Number(process.env["SEED"] ?? NaN);
  const seeds = only >= 0 ? [only] : Array.from({ length: RUNS }, (_, seed) => seed);
  for (const seed of seeds) {
    const witness = await run(seed).catch((cause: unknown) => {
      throw new Error(`SEED=${seed}`, { cause });
    });
    for (const key of ["events", "snapshots", "recovered", "polled"] as const)
      sum[key] += witness[key];
  }
  // The runs are about something.
  if (only >= 0) return;
  for (const count of Object.values(sum)) expect(count).toBeGreaterThan(RUNS / 2);
});
