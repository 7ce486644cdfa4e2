/** A client on a stage: clock, sockets, REST and token provider are the test's own. */

import { afterEach, beforeEach, vi } from "vitest";
import {
  createClient,
  type ClientOptions,
  type Message,
  type SignalroomClient,
} from "../src/index.js";
import * as fakes from "./fakes.js";
import { FakeClock, FakeSocket, settled, tokenOf } from "./fakes.js";

export let clock: FakeClock;
export let sockets: FakeSocket[];
export let client: SignalroomClient;
export let heard: Message[];
export let states: string[];
/** What the tests turn. */
export const desk: {
  /** The token provider. */
  token: ClientOptions["token"];
  /** What REST does; undefined: nobody is there. */
  answer: ((request: Request) => Response | undefined) | undefined;
  /** What REST was asked. */
  requests: {
    method: string;
    path: string;
    bearer: string | null;
    body: unknown;
    key: string | null;
  }[];
} = { token: () => null, answer: undefined, requests: [] };

export const json = (body: unknown, status = 200) => new Response(JSON.stringify(body), { status });
export const problem = (status: number, slug: string, more: object = {}) =>
  json(
    { type: `/problems/${slug}`, title: slug, status, detail: `It is ${slug}.`, ...more },
    status,
  );

export function make(options: Partial<ClientOptions> = {}): SignalroomClient {
  client = createClient({
    url: "https://desk.example",
    token: () => desk.token(),
    clock,
    random: () => 0.5,
    WebSocket: class extends FakeSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols);
        sockets.push(this);
      }
    } as unknown as NonNullable<ClientOptions["WebSocket"]>,
    fetch: async (input, init) => {
      const request = new Request(input, init);
      const text = await request.clone().text();
      desk.requests.push({
        method: request.method,
        path: new URL(request.url).pathname + new URL(request.url).search,
        bearer: request.headers.get("authorization"),
        body: text ? JSON.parse(text) : null,
        key: request.headers.get("idempotency-key"),
      });
      const response = desk.answer?.(request);
      if (!response) throw new TypeError("fetch failed");
      return response;
    },
    ...options,
  });
  client.onMessage("*", (message) => heard.push(message));
  client.onStateChange(({ phase }) => states.push(phase));
  return client;
}

export const last = () => sockets.at(-1) as FakeSocket;

export async function connected(options?: Partial<ClientOptions>): Promise<FakeSocket> {
  make(options).connect();
  await settled();
  last().open();
  last().tell(fakes.welcome("e", 5), fakes.snapshot());
  return last();
}

beforeEach(() => {
  clock = new FakeClock();
  [sockets, heard, states, desk.requests] = [[], [], [], []];
  desk.token = () => tokenOf("alice");
  desk.answer = () => json({ signals: [], next_cursor: null });
});
afterEach(() => {
  client.disconnect();
  vi.unstubAllGlobals();
});
