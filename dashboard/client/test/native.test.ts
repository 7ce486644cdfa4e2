/**
 * Against the real native server, with Node's own WebSocket and fetch. Runs where `SIGNALROOM_BIN`
 * names its binary.
 */

import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  createClient,
  type ClientOptions,
  type ConnectionState,
  type Message,
  type SignalroomClient,
} from "../src/index.js";

const BIN = process.env["SIGNALROOM_BIN"];
const ENV = { ...process.env, JWT_SECRET: "a secret of this test alone, 32 bytes" };

describe.skipIf(!BIN)("with the native server", () => {
  const bin = resolve(BIN ?? "");
  // Outside of the project, where it has no page to build.
  const cwd = mkdtempSync(join(tmpdir(), "signalroom-client-"));
  let server: ChildProcess;
  let url = "";
  const clients: SignalroomClient[] = [];

  /** Starts the server; the second time at the address of the first. */
  async function serve(): Promise<void> {
    const listen = url ? new URL(url).host : "127.0.0.1:0";
    const args = ["serve", "--listen", listen, "--data", "data", "--demo"];
    server = spawn(bin, args, { cwd, env: ENV, stdio: ["ignore", "pipe", "inherit"] });
    if (!server.stdout) throw new Error("its output is not piped");
    for await (const line of createInterface(server.stdout)) {
      const [address] = /http:\/\/[\d.:]+/.exec(line) ?? [];
      if (address) return void (url = address);
    }
    throw new Error("the server ended");
  }

  async function kill(): Promise<void> {
    const ended = once(server, "exit");
    server.kill("SIGKILL");
    await ended;
  }

  const token = (sub: string, ...more: string[]) =>
    execFileSync(bin, ["token", "--sub", sub, ...more], {
      cwd,
      env: ENV,
      encoding: "utf8",
    }).trim();

  function client(bearer: string, options: Partial<ClientOptions> = {}): SignalroomClient {
    // Without randomness it comes back as early as it may.
    const made = createClient({ url, token: () => bearer, random: () => 0, ...options });
    clients.push(made);
    return made;
  }

  const reaches = (one: SignalroomClient, phase: ConnectionState["phase"]) =>
    new Promise<void>((resolve) => {
      const undo = one.onStateChange((state) => {
        if (state.phase !== phase) return;
        undo();
        resolve();
      });
    });

  const hears = (one: SignalroomClient, wanted: (message: Message) => boolean) =>
    new Promise<Message>((resolve) => {
      const undo = one.onMessage("*", (message) => {
        if (!wanted(message)) return;
        undo();
        resolve(message);
      });
    });

  beforeAll(serve);
  afterAll(async () => {
    for (const one of clients) one.disconnect();
    await kill();
    rmSync(cwd, { recursive: true });
  });

  test(
    "follows, decides, and loses nothing when the server is killed",
    { timeout: 30_000 },
    async () => {
      const approver = token("alice", "--role", "approver");
      const alice = client(approver, { city: true });
      const bob = client(token("bob", "--role", "viewer"));
      const seqs: number[] = [];
      const told: string[] = [];
      bob.onMessage("*", (message) => {
        if ("seq" in message) seqs.push(message.seq);
        if (message.type === "resumed") told.push(`resumed ${message.data.recovered}`);
        if (message.type === "snapshot") told.push("snapshot");
      });
      const [start] = await Promise.all([
        hears(bob, (it) => it.type === "snapshot"),
        hears(alice, (it) => it.type === "snapshot"),
        bob.connect(),
        alice.connect(),
      ]);
      expect(start.type).toBe("snapshot");
      // The generated data may still be on their way.
      await expect
        .poll(async () => (await bob.rest.signals({ status: "PENDING_REVIEW" })).signals.length)
        .toBeGreaterThan(2);
      const [one, two] = (await bob.rest.signals()).signals;
      if (!one || !two) throw new Error("no signals");

      const decided = hears(bob, (it) => it.type === "approval_notification");
      const result = await alice.approve(one.symbol, {
        status: "BUY",
        signal_id: one.id,
        note: "<b>",
      });
      expect((await decided).data).toEqual(result.approval);
      const pong = await bob.ping();
      expect(pong.seq).toBeGreaterThanOrEqual(result.feed?.seq ?? Infinity);
      await expect(
        alice.approve(one.symbol, { status: "RISK", signal_id: one.id }),
      ).rejects.toMatchObject({ slug: "already-decided" });
      await expect(bob.rest.approve(two.symbol, { status: "BUY" })).rejects.toMatchObject({
        status: 403,
      });

      const lost = Promise.all([reaches(alice, "waiting"), reaches(bob, "waiting")]);
      await kill();
      await lost;
      const late = alice.approve(two.symbol, { status: "RISK", signal_id: two.id });
      const resumed = hears(bob, (it) => it.type === "resumed");
      const seen = hears(bob, (it) => it.type === "approval_notification");
      await serve();
      expect((await late).approval).toMatchObject({
        approved_by: "alice",
        approved_status: "RISK",
      });
      expect((await seen).data).toMatchObject({ signal_id: two.id });
      expect((await resumed).data).toMatchObject({ recovered: true });
      expect(told).toEqual(["snapshot", "resumed true"]);
      // All symbols, so that nothing is hidden: no gap.
      const first = seqs[0] ?? 0;
      expect(seqs).toEqual(seqs.map((_, index) => first + index));
      expect(alice.queued).toBe(0);
    },
  );

  test("narrows and widens", async () => {
    const one = client(token("carol", "--role", "viewer"), { symbols: [] });
    const begun = hears(one, (it) => it.type === "snapshot");
    one.connect();
    expect((await begun).data).toMatchObject({ signals: [] });
    const confirmed = hears(one, (it) => it.type === "subscription_confirmed");
    const city = hears(one, (it) => it.type === "city_state_update");
    one.subscribeToSymbol("spy");
    one.subscribeToCityState();
    expect((await confirmed).data).toEqual({ symbol: "SPY" });
    await city;
  });

  test("asks for sign-in when its token is not good", async () => {
    const one = client(`${token("dan", "--role", "viewer").slice(0, -4)}AAAA`);
    const stopped = reaches(one, "stopped");
    one.connect();
    await stopped;
    expect(one.state).toEqual({ phase: "stopped", reason: "sign-in" });
  });
});
