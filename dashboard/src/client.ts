// The one connection of the page, and what every answer says about its data.

import { createClient, type ConnectionState } from "@signalroom/client";
import { signal } from "@preact/signals";

import { session } from "./session";

/** Whether the server marks its data as generated. */
export const generated = signal(false);

const watched: typeof fetch = async (input, init) => {
  const answer = await fetch(input, init);
  const mark = answer.headers.get("x-signalroom-data");
  // A problem made before the server looked at its data carries no mark: only a good answer counts.
  if (answer.ok) generated.value = mark === "generated";
  return answer;
};

const api: unknown = import.meta.env["SIGNALROOM_PUBLIC_API"];

const server = {
  ...(typeof api === "string" && api !== "" ? { url: api } : {}),
  fetch: watched,
};

/** The library's client, for the whole life of the page. */
export const client = createClient({
  ...server,
  token: () => session.peek()?.token ?? null,
  city: true,
  market: true,
});

/** Asks the server whether it takes a token; rejects as the library does if not. */
export async function tryToken(token: string) {
  await createClient({ ...server, token: () => token }).rest.signals({ limit: 1 });
}

/** What the connection is doing. */
export const connection = signal<ConnectionState>(client.state);
client.onStateChange((state) => {
  connection.value = state;
});

/** Decisions that wait for the server. */
export const queued = signal(client.queued);
client.onQueueChange((count) => {
  queued.value = count;
});
