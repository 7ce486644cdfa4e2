/** The rows of the table in `docs/protocol.md`, one by one. */

import { describe, expect, test } from "vitest";
import { Machine, type Input, type Output } from "../src/machine.js";
import { comesBack, wait } from "../src/pace.js";
import type { Position } from "../src/index.js";
import {
  barePong,
  event,
  market,
  message,
  pong,
  resumed,
  signal,
  snapshot,
  welcome,
} from "./fakes.js";

/** A machine with a clock that the test turns. */
class Desk {
  readonly machine = new Machine();
  now = 100_000;

  put(input: Input): Output[] {
    return this.machine.handle(input, this.now, 0.5);
  }

  hear(...messages: object[]): Output[] {
    const frame = JSON.stringify(messages.length === 1 ? messages[0] : messages);
    return this.put({ type: "frame", frame });
  }

  pass(ms: number): Output[] {
    this.now += ms;
    return this.put({ type: "tick" });
  }

  /** Connects; where it resumes. */
  open(): Position | undefined {
    const out = this.machine.link.at === "waiting" ? this.pass(0) : this.put({ type: "start" });
    const [connect] = out;
    expect(out).toHaveLength(1);
    if (connect?.type !== "connect") throw new Error(`no connect but ${connect?.type}`);
    expect(this.put({ type: "opened" })).toEqual([]);
    return connect.resume;
  }

  /** Connected, at `e`/5. */
  static placed(): Desk {
    const desk = new Desk();
    desk.open();
    desk.hear(welcome("e", 5));
    desk.hear(snapshot());
    return desk;
  }

  /** How long until the next connect; the time passes. */
  wait(): number {
    const { link } = this.machine;
    if (link.at !== "waiting") throw new Error(`${link.at}, not waiting`);
    const ms = link.until - this.now;
    this.now = link.until;
    return ms;
  }

  lose(code: number): number {
    expect(this.put({ type: "closed", code }).filter((it) => it.type !== "fresh-token")).toEqual(
      [],
    );
    return this.wait();
  }
}

const seqs = (out: Output[]) =>
  out.flatMap((it) => (it.type === "deliver" && "seq" in it.message ? [it.message.seq] : []));
const types = (out: Output[]) => out.map((it) => it.type);

describe("connecting", () => {
  test("a failure is looked into over REST, and anything but 401 comes back", () => {
    for (const status of [200, 403, 404, 500, undefined]) {
      const desk = new Desk();
      desk.put({ type: "start" });
      expect(desk.put({ type: "failed" })).toEqual([{ type: "check" }]);
      expect(desk.put({ type: "checked", status })).toEqual([]);
      expect(desk.wait()).toBe(2500);
      expect(types(desk.pass(0))).toEqual(["connect"]);
    }
  });

  test("gives up after 15 s, and so does the question to REST", () => {
    const desk = new Desk();
    desk.put({ type: "start" });
    expect(desk.pass(14_999)).toEqual([]);
    expect(desk.pass(1)).toEqual([{ type: "close" }]);
    desk.wait();
    desk.pass(0);
    desk.put({ type: "failed" });
    expect(desk.pass(15_000)).toEqual([]);
    expect(desk.machine.link.at).toBe("waiting");
    // What is answered too late counts no more.
    expect(desk.put({ type: "checked", status: 401 })).toEqual([]);
  });

  test("a refused token is renewed once, then somebody signs in", () => {
    const desk = new Desk();
    const refuse = () => {
      desk.put({ type: "failed" });
      return desk.put({ type: "checked", status: 401 });
    };
    desk.put({ type: "start" });
    expect(types(refuse())).toEqual(["fresh-token"]);
    expect(desk.pass(100_000)).toEqual([]);
    expect(types(desk.put({ type: "token", token: "new" }))).toEqual(["connect"]);
    expect(types(refuse())).toEqual(["close"]);
    expect(desk.machine.link).toEqual({ at: "stopped", reason: "sign-in" });
    // To sign in is to start.
    expect(types(desk.put({ type: "start" }))).toEqual(["connect"]);
  });

  test("an attempt that nobody answered allows to renew again", () => {
    const desk = new Desk();
    desk.put({ type: "start" });
    desk.put({ type: "failed" });
    desk.put({ type: "checked", status: 401 });
    desk.put({ type: "token", token: "new" });
    desk.wait();
    desk.pass(0);
    desk.put({ type: "failed" });
    desk.put({ type: "checked", status: undefined });
    desk.wait();
    desk.pass(0);
    desk.put({ type: "failed" });
    expect(types(desk.put({ type: "checked", status: 401 }))).toEqual(["fresh-token"]);
  });

  test("an open connection allows to renew again", () => {
    const desk = new Desk();
    for (let round = 0; round < 2; round++) {
      desk.put({ type: "start" });
      desk.put({ type: "failed" });
      expect(types(desk.put({ type: "checked", status: 401 }))).toEqual(["fresh-token"]);
      desk.put({ type: "token", token: "new" });
      desk.wait();
      desk.open();
      desk.lose(1012);
      desk.pass(0);
    }
  });

  test("a fresh token before the wait is over does not shorten it", () => {
    const desk = Desk.placed();
    expect(types(desk.put({ type: "closed", code: 4001 }))).toEqual(["fresh-token"]);
    expect(desk.put({ type: "token", token: "new" })).toEqual([]);
    expect(desk.wait()).toBe(1000);
    expect(desk.open()).toEqual({ epoch: "e", seq: 5 });
  });

  test("without another token, or without any, somebody signs in", () => {
    const desk = Desk.placed();
    desk.put({ type: "closed", code: 4001 });
    desk.put({ type: "no-token" });
    expect(desk.machine.link).toEqual({ at: "stopped", reason: "sign-in" });

    const signedOut = new Desk();
    signedOut.put({ type: "start" });
    signedOut.put({ type: "no-token" });
    expect(signedOut.machine.link).toEqual({ at: "stopped", reason: "sign-in" });
  });

  test("a provider that cannot be asked is asked again at the next connect", () => {
    const desk = Desk.placed();
    desk.put({ type: "closed", code: 4001 });
    expect(desk.machine.deadline).toBe(Infinity);
    expect(desk.put({ type: "token-later" })).toEqual([]);
    desk.wait();
    expect(types(desk.pass(0))).toEqual(["connect"]);
  });

  test("while REST is polled, its 401 counts as one", () => {
    const desk = new Desk();
    desk.put({ type: "start" });
    desk.put({ type: "failed" });
    desk.put({ type: "checked", status: 200 });
    expect(types(desk.put({ type: "rejected" }))).toEqual(["fresh-token"]);
    expect(desk.put({ type: "rejected" })).toEqual([]);
    desk.put({ type: "token", token: "new" });
    desk.put({ type: "accepted" });
    expect(types(desk.put({ type: "rejected" }))).toEqual(["fresh-token"]);
    desk.put({ type: "token", token: "newer" });
    expect(types(desk.put({ type: "rejected" }))).toEqual(["close"]);
  });
});

describe("events", () => {
  test("the position is what was handed out", () => {
    const desk = new Desk();
    expect(desk.open()).toBeUndefined();
    desk.hear(welcome("e", 5));
    expect(desk.machine.position).toBeUndefined();
    desk.hear(snapshot());
    expect(desk.machine.position).toEqual({ epoch: "e", seq: 5 });
    expect(seqs(desk.hear(event(6), event(8)))).toEqual([6, 8]);

    desk.lose(1006);
    expect(desk.open()).toEqual({ epoch: "e", seq: 8 });
    desk.hear(welcome("e", 12));
    expect(desk.machine.position).toEqual({ epoch: "e", seq: 8 });
    expect(seqs(desk.hear(event(8), event(9)))).toEqual([9]);
    desk.hear(resumed(true));
    expect(desk.machine.position).toEqual({ epoch: "e", seq: 12 });
    expect(seqs(desk.hear(event(12)))).toEqual([]);
    expect(seqs(desk.hear(event(13)))).toEqual([13]);
  });

  test.each([
    ["f", 1],
    ["e", 3],
    ["e", 900],
  ])("a snapshot of %s/%i replaces everything", (epoch, top) => {
    const desk = Desk.placed();
    desk.lose(1012);
    expect(desk.open()).toEqual({ epoch: "e", seq: 5 });
    desk.hear(welcome(epoch, top));
    desk.hear(resumed(false));
    expect(desk.machine.position).toEqual({ epoch: "e", seq: 5 });
    expect(types(desk.hear(snapshot()))).toEqual(["deliver"]);
    expect(desk.machine.position).toEqual({ epoch, seq: top });
    expect(seqs(desk.hear(event(top + 1)))).toEqual([top + 1]);
  });

  test("an event without a position in its log: leave", () => {
    const early = new Desk();
    early.open();
    expect(types(early.hear(event(1)))).toEqual(["close"]);

    const unplaced = new Desk();
    unplaced.open();
    expect(types(unplaced.hear(welcome("e", 1), event(2)))).toEqual(["deliver", "close"]);

    const other = Desk.placed();
    other.lose(1012);
    other.open();
    other.hear(welcome("f", 9));
    expect(types(other.hear(event(9)))).toEqual(["close"]);
    other.wait();
    expect(other.open()).toEqual({ epoch: "e", seq: 5 });
  });

  test("an event of an unknown type counts, anything else unknown does not", () => {
    const desk = Desk.placed();
    expect(desk.hear({ type: "mystery", data: 7, timestamp: "", seq: 6 })).toEqual([]);
    expect(desk.machine.position).toEqual({ epoch: "e", seq: 6 });
    expect(desk.hear({ type: "toString" })).toEqual([]);
    expect(desk.hear({ type: "mystery", more: [] })).toEqual([]);
    expect(desk.machine.link.at).toBe("open");
  });

  test("nothing of a frame with a bad part is taken: a resume brings it", () => {
    const desk = Desk.placed();
    expect(types(desk.hear(event(6), {}))).toEqual(["close"]);
    expect(desk.machine.position).toEqual({ epoch: "e", seq: 5 });
  });

  test.each([
    "hello",
    "7",
    "null",
    "[7]",
    "[[]]",
    '{"data":{}}',
    '{"type":7}',
    '{"type":"new_signal","data":{"symbol":"A"},"timestamp":"t","seq":6}',
    JSON.stringify({ ...event(6), seq: 6.5 }),
    JSON.stringify({ ...event(6), seq: undefined }),
    JSON.stringify({ ...event(6), data: { ...signal("A"), fear_score: "high" } }),
    JSON.stringify({ ...event(6), data: { ...signal("A"), stale: "yes" } }),
    JSON.stringify(message("snapshot", { signals: [{}], city: null })),
    JSON.stringify(message("snapshot", { signals: [], city: null, market: {} })),
    JSON.stringify(message("market_update", { ...market, components: [{}] })),
    JSON.stringify(message("market_update", { ...market, score: "high" })),
    JSON.stringify(message("welcome", { epoch: "e" })),
    new ArrayBuffer(4),
  ])("%s is no message: leave", (frame) => {
    const desk = Desk.placed();
    expect(types(desk.put({ type: "frame", frame }))).toEqual(["close"]);
    desk.wait();
    expect(desk.open()).toEqual({ epoch: "e", seq: 5 });
  });
});

describe("heartbeat", () => {
  const asks = (out: Output[]) => out.filter((it) => it.type === "send" && it.text !== "ping");

  test("a bare ping each interval", () => {
    const desk = Desk.placed();
    expect(desk.pass(999)).toEqual([]);
    expect(desk.pass(1)).toEqual([{ type: "send", text: "ping" }]);
    desk.hear(barePong("e", 5));
    expect(desk.pass(999)).toEqual([]);
    expect(desk.pass(1)).toEqual([{ type: "send", text: "ping" }]);
  });

  test("a frame is an occasion to ping that is late", () => {
    const desk = Desk.placed();
    desk.now += 2000;
    expect(desk.hear(event(6))).toContainEqual({ type: "send", text: "ping" });
  });

  test("a bare pong ahead is asked about once, and the answer is the position", () => {
    const desk = Desk.placed();
    expect(desk.hear(barePong("e", 5))).toEqual([]);
    expect(asks(desk.hear(barePong("e", 7)))).toHaveLength(1);
    expect(desk.hear(barePong("e", 8))).toEqual([]);
    desk.hear(pong("e", 8));
    expect(desk.machine.position).toEqual({ epoch: "e", seq: 8 });
    desk.hear(pong("e", 7));
    expect(desk.machine.position).toEqual({ epoch: "e", seq: 8 });
    expect(asks(desk.hear(barePong("e", 9)))).toHaveLength(1);
  });

  test("without an answer for 5 s: leave and resume", () => {
    const desk = Desk.placed();
    desk.hear(barePong("e", 7));
    for (let second = 0; second < 4; second++) {
      expect(desk.pass(1000)).toEqual([{ type: "send", text: "ping" }]);
      expect(desk.hear(barePong("e", 7))).toEqual([]);
    }
    expect(desk.pass(1000)).toEqual([{ type: "close" }]);
    desk.wait();
    expect(desk.open()).toEqual({ epoch: "e", seq: 5 });
  });

  test("three intervals of silence: leave", () => {
    const desk = Desk.placed();
    desk.pass(1000);
    desk.pass(1000);
    expect(desk.pass(999)).toEqual([]);
    expect(desk.pass(1)).toEqual([{ type: "close" }]);
  });

  test("a pong of another log, once placed: leave", () => {
    for (const other of [barePong("f", 5), pong("f", 5)]) {
      const desk = Desk.placed();
      expect(types(desk.hear(other))).toContain("close");
      const early = new Desk();
      early.open();
      early.hear(welcome("e", 5));
      expect(types(early.hear(other))).not.toContain("close");
    }
  });
});

describe("coming back", () => {
  test("one rule for close codes", () => {
    for (const code of [1000, 1009, 4500, 4501, 4503, 4999]) {
      const desk = Desk.placed();
      desk.put({ type: "closed", code });
      expect(desk.machine.link).toEqual({ at: "stopped", reason: "refused", code });
      expect(desk.pass(1_000_000)).toEqual([]);
    }
    for (const code of [1001, 1006, 1011, 1012, 4001, 4008, 4012, 4029, 4499, 5000]) {
      expect(comesBack(code), String(code)).toBe(true);
      expect(Desk.placed().lose(code)).toBe(1000);
    }
  });

  test("over the window, then ever more slowly", () => {
    expect(wait(0, 4000, 0.5)).toBe(2000);
    expect(wait(0, 1e9, 0.5)).toBe(30_000);
    expect(wait(1, 4000, 0)).toBe(3000);
    expect(wait(1, 4000, 0.5)).toBe(4500);
    expect(wait(2, 4000, 0.5)).toBe(7500);
    expect(wait(5000, 4000, 1)).toBe(60_000);

    const desk = Desk.placed();
    const waits = [0, 1, 2].map(() => {
      const ms = desk.lose(1012);
      desk.open();
      return ms;
    });
    expect(waits).toEqual([1000, 4500, 7500]);
    desk.hear(welcome("e", 5));
    desk.now += 9_999;
    expect(desk.lose(1012)).toBe(13_500);
    desk.open();
    desk.now += 10_000;
    expect(desk.lose(1012), "it was well").toBe(1000);
  });

  test("somebody who looks again need not wait, but hurries at most every 3 s", () => {
    const desk = new Desk();
    const fail = () => {
      desk.put({ type: "failed" });
      desk.put({ type: "checked", status: undefined });
    };
    desk.put({ type: "start" });
    fail();
    expect(desk.put({ type: "hurry" })).toEqual([]);
    desk.now += 1000;
    expect(desk.put({ type: "hurry" })).toEqual([]);
    desk.now = 103_000;
    expect(types(desk.put({ type: "hurry" }))).toEqual(["connect"]);
    fail();
    desk.now += 3000;
    expect(types(desk.put({ type: "hurry" }))).toEqual(["connect"]);
  });

  test("after a long sleep an open connection is checked at once", () => {
    const asleep = Desk.placed();
    asleep.now += 3_600_000;
    expect(types(asleep.put({ type: "hurry" }))).toEqual(["close", "connect"]);

    const dozing = Desk.placed();
    expect(dozing.put({ type: "hurry" })).toEqual([]);
    dozing.now += 1500;
    dozing.put({ type: "tick" });
    expect(types(dozing.put({ type: "hurry" }))).toEqual(["send"]);
    expect(types(dozing.put({ type: "hurry" }))).toEqual([]);
  });

  test("while nobody looks it comes back a minute later", () => {
    const desk = Desk.placed();
    desk.put({ type: "hidden", hidden: true });
    expect(desk.lose(1012)).toBe(61_000);
    desk.put({ type: "hidden", hidden: false });
    desk.open();
    expect(desk.lose(1012)).toBe(4500);
  });

  test("what was forgotten starts with a snapshot", () => {
    const desk = Desk.placed();
    expect(desk.put({ type: "forget" })).toEqual([{ type: "close" }]);
    expect(desk.pass(1_000_000)).toEqual([]);
    expect(desk.open()).toBeUndefined();
  });
});

test("a token about to expire is renewed in the open connection", () => {
  const desk = Desk.placed();
  const out = desk.hear(message("token_expiring", { expires_at: "t" }));
  expect(types(out)).toEqual(["fresh-token", "deliver"]);
  expect(desk.put({ type: "token", token: "new" })).toEqual([
    { type: "send", text: '{"type":"authenticate","data":{"token":"new"}}' },
  ]);
  // There is none yet: the connection stands until it expires.
  expect(desk.put({ type: "no-token" })).toEqual([]);
  expect(desk.machine.link.at).toBe("open");
});

test("any other message is handed on", () => {
  const desk = Desk.placed();
  for (const type of ["subscription_confirmed", "unsubscription_confirmed"]) {
    expect(types(desk.hear(message(type, { symbol: "*" })))).toEqual(["deliver"]);
  }
  expect(types(desk.hear(message("error", { code: "x", message: "y" })))).toEqual(["deliver"]);
});
