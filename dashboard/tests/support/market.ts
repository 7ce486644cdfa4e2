// The market-data provider of this project's tests, in a process of its own: it serves generated
// data in every provider's real format, and misbehaves when it is told to.

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { ROOT } from "./server.ts";

/** What it is told, as `tests/src/market/control.rs` has it. */
export type Order =
  | { do: "misbehave"; rule: { provider: string; what: string; fault: unknown; times: number } }
  | { do: "heal" }
  | { do: "through"; date: string | null };

/** A provider that runs. */
export class Market {
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(url: string, child: ChildProcess) {
    this.url = url;
    this.#child = child;
  }

  static async start(): Promise<Market> {
    const program =
      process.env["MARKET_PROVIDER_BIN"] ?? join(ROOT, "target/debug/market-provider");
    const child = spawn(program, ["--listen", "127.0.0.1:0"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const failed = once(child, "error").then(([error]) => Promise.reject(error));
    const listens = (async () => {
      for await (const line of createInterface(child.stdout)) {
        const [, url] = /^PROVIDER_URL=(\S+)/.exec(line) ?? [];
        if (url !== undefined) return new Market(url, child);
      }
      throw new Error("the provider ended before it listened");
    })();
    return Promise.race([listens, failed]);
  }

  /** Changes what it does. */
  async tell(order: Order) {
    const answer = await fetch(`${this.url}/control`, {
      method: "POST",
      body: JSON.stringify(order),
    });
    if (!answer.ok) throw new Error(`the provider: ${answer.status} ${await answer.text()}`);
  }

  async stop() {
    const ended = once(this.#child, "exit");
    this.#child.kill();
    await ended;
  }
}
