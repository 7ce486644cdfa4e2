/** What a text frame of the server holds. Nothing of it is trusted before it was looked at. */

import type { Message, MessageType, Position } from "./types.js";

/**
 * A message; the answer to the bare `ping`; or something that this version does not know, which
 * counts if it is an event.
 */
export type Received =
  Message | { type: "bare_pong"; data: Position } | { type: undefined; seq?: number };

type Check = (value: unknown) => boolean;

const text = (value: unknown): value is string => typeof value === "string";
const number: Check = (value) => typeof value === "number";
const whole = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0;
const flag: Check = (value) => typeof value === "boolean";
const object: Check = (value) =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const anything: Check = () => true;
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
/** What an earlier version of the server does not know of. */
const maybe =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const shape =
  (members: Record<string, Check>): Check =>
  (value) =>
    object(value) &&
    Object.entries(members).every(([name, check]) => check(Reflect.get(value as object, name)));

const approval = shape({
  symbol: text,
  approved_status: text,
  approved_by: text,
  approved_at: text,
  note: orNull(text),
  signal_id: text,
});
const signal = shape({
  id: text,
  symbol: text,
  ts: text,
  computed_at: text,
  revision: whole,
  unslug_score: number,
  fear_score: number,
  combined_trust: number,
  status: text,
  recommendation: shape({ suggested: text, unslug: number, fear: number, logic: text }),
  awaiting_approval: flag,
  approval: orNull(approval),
  provisional: maybe(flag),
  stale: maybe(flag),
});
const market = shape({
  score: orNull(number),
  label: orNull(text),
  as_of: orNull(text),
  updated_at: orNull(text),
  components: listOf(
    shape({
      name: text,
      score: orNull(number),
      value: orNull(number),
      as_of: orNull(text),
      source: text,
      missing: orNull(text),
    }),
  ),
});
const city = shape({
  city_state: orNull(text),
  unslug_trust: orNull(number),
  fear_trust: orNull(number),
  flow_trust: orNull(number),
  notes: text,
});
const expiry = shape({ expires_at: text });
const place = { epoch: text, seq: whole };
const confirmation = shape({ symbol: text });

const checks: Record<MessageType, Check> = {
  welcome: shape({
    ...place,
    connection_id: text,
    expires_at: text,
    ping_interval_ms: whole,
    reconnect_window_ms: whole,
  }),
  snapshot: shape({ signals: listOf(signal), city: orNull(city), market: maybe(orNull(market)) }),
  resumed: shape({ recovered: flag, count: whole }),
  new_signal: signal,
  approval_notification: approval,
  city_state_update: city,
  pong: shape(place),
  subscription_confirmed: confirmation,
  unsubscription_confirmed: confirmation,
  city_state_subscription_confirmed: anything,
  city_state_unsubscription_confirmed: anything,
  market_update: market,
  market_subscription_confirmed: anything,
  market_unsubscription_confirmed: anything,
  token_expiring: expiry,
  authenticated: expiry,
  error: shape({ code: text, message: text }),
};

/** Whether `data` is what a message of this type carries. */
export function fits(type: MessageType, data: unknown): boolean {
  return checks[type](data);
}

/** The messages of a frame, in order; undefined when it is none. */
export function read(frame: unknown): Received[] | undefined {
  if (typeof frame !== "string") return undefined;
  let value: unknown;
  try {
    value = JSON.parse(frame);
  } catch {
    return undefined;
  }
  const messages = (Array.isArray(value) ? value : [value]).map(message);
  return messages.every((it) => it !== undefined) ? messages : undefined;
}

function message(value: unknown): Received | undefined {
  if (!object(value)) return undefined;
  const { type, data, timestamp, seq } = value as Record<string, unknown>;
  if (!text(type) || !(seq === undefined || whole(seq))) return undefined;
  if (!known(type)) return seq === undefined ? { type: undefined } : { type: undefined, seq };
  if (!fits(type, data)) return undefined;
  if (type === "pong" && Reflect.get(data as object, "timestamp") === undefined) {
    return { type: "bare_pong", data: data as Position };
  }
  const event = type === "new_signal" || type === "approval_notification";
  return text(timestamp) && (!event || seq !== undefined) ? (value as Message) : undefined;
}

function known(type: string): type is MessageType {
  return Object.hasOwn(checks, type);
}
