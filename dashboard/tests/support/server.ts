// The product in a process of its own: the native binary, or wrangler with workerd.

import { spawn, type ChildProcess } from "node:child_process";
import { createHmac, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createWriteStream, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** The project's root. */
export const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** What runs the product. */
export type Target = "harness" | "workerd";

/** How long a start may take, milliseconds; wrangler may have to build the Worker first. */
const START_MS = { harness: 30_000, workerd: 300_000 };

/** The role in a token. */
export type Role = "viewer" | "approver" | "admin" | "service";

/** The target that the environment names. */
export function target(): Target {
  const name = process.env["TARGET"] ?? "harness";
  if (name !== "harness" && name !== "workerd") throw new Error(`TARGET is ${name}`);
  return name;
}

/** A port nobody listens on now. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** What a server is reached and signed in with. */
export interface Place {
  url: string;
  secret: string;
}

/** A token as `signalroom token` prints it. `ttl` in seconds, negative for one that has expired. */
export function token({ secret }: Place, sub: string, role: Role, ttl = 3_600): string {
  const now = Math.floor(Date.now() / 1_000);
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = { sub, role, iat: Math.min(now, now + ttl), exp: now + ttl };
  const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

/** What a server is started with beside what every one is; all but `vars` the native binary alone. */
export interface More {
  arguments?: string[];
  vars?: Record<string, string>;
  /** The project it is started in. */
  project?: string;
}

/** A running server, with a folder of its own. */
export class Server implements Place {
  readonly secret = randomBytes(32).toString("hex");
  readonly url: string;
  readonly #folder = mkdtempSync(join(tmpdir(), "signalroom-browser-"));
  readonly #log = join(this.#folder, "log");
  readonly target: Target;
  readonly #port: number;
  readonly #more: More;
  #child: ChildProcess | undefined;

  private constructor(kind: Target, port: number, more: More) {
    this.target = kind;
    // No test asks a real provider: it names one of its own, or none is asked.
    const providers = more.vars?.["PROVIDER_URL"] === undefined ? { PROVIDERS: "none" } : {};
    this.#more = { ...more, vars: { ...providers, ...more.vars } };
    this.#port = port;
    this.url = `http://127.0.0.1:${port}`;
  }

  /** Starts the product and waits until it answers. */
  static async start(kind: Target, more: More = {}): Promise<Server> {
    const server = new Server(kind, await freePort(), more);
    await server.start();
    return server;
  }

  /** Starts it again on the same state and address. */
  async start() {
    const [program, ...args] = await this.#command();
    const child = spawn(program, args, {
      cwd: this.#more.project ?? ROOT,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...process.env,
        ...this.#more.vars,
        JWT_SECRET: this.secret,
        WRANGLER_SEND_METRICS: "false",
        CI: "1",
      },
    });
    this.#child = child;
    const log = createWriteStream(this.#log, { flags: "a" });
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    const deadline = Date.now() + START_MS[this.target];
    // The page too, which may have to be built; another project's is the test's own matter.
    const paths = this.#more.project === undefined ? ["/healthz", "/"] : ["/healthz"];
    while (!(await answers(this.url, paths))) {
      if (child.exitCode !== null || Date.now() > deadline) {
        await this.kill();
        throw new Error(`the server did not start:\n${readFileSync(this.#log, "utf8")}`);
      }
      await pause(50);
    }
  }

  /** Ends it as a power cut does, and waits for that. */
  async kill() {
    const child = this.#child;
    this.#child = undefined;
    if (child?.pid === undefined) return;
    const ended = child.exitCode === null ? once(child, "exit") : undefined;
    try {
      // The whole group: wrangler's workerd is a process of its own.
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // It had ended by itself.
    }
    await ended;
  }

  /** Ends it for good. */
  async dispose() {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #command(): Promise<[string, ...string[]]> {
    const data = join(this.#folder, "data");
    if (this.target === "harness") {
      const program = process.env["SIGNALROOM_BIN"] ?? join(ROOT, "target/debug/signalroom");
      return [
        program,
        "serve",
        ...["--listen", `127.0.0.1:${this.#port}`, "--data", data, ...(this.#more.arguments ?? [])],
      ];
    }
    return [
      join(ROOT, "node_modules/.bin/wrangler"),
      ...["dev", "--ip", "127.0.0.1", `--port=${this.#port}`, "--test-scheduled"],
      ...[`--inspector-port=${await freePort()}`, "--show-interactive-dev-session=false"],
      ...["--persist-to", data, "--var", `JWT_SECRET:${this.secret}`],
      ...Object.entries(this.#more.vars ?? {}).flatMap(([name, value]) => [
        "--var",
        `${name}:${value}`,
      ]),
    ];
  }
}

async function answers(url: string, paths: string[]) {
  try {
    const all = await Promise.all(paths.map((path) => fetch(`${url}${path}`)));
    return all.every(({ ok }) => ok);
  } catch {
    // Nobody listens yet.
    return false;
  }
}
