// Times as people read them: relative under an hour, absolute on hover. All take milliseconds since
// 1970 and the present as an argument.

import { MISSING } from "./number";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const clockFormat = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
const shortFormat = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23",
});
const stampFormat = new Intl.DateTimeFormat(undefined, {
  dateStyle: "medium",
  timeStyle: "medium",
});
const dayFormat = new Intl.DateTimeFormat(undefined, {
  day: "numeric",
  month: "short",
});
const dateFormat = new Intl.DateTimeFormat(undefined, {
  dateStyle: "medium",
  timeZone: "UTC",
});

/** RFC 3339 to milliseconds; null if it is no time. */
export function parse(text: string | null | undefined): number | null {
  if (text == null) return null;
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : at;
}

/** 14:02:11, local. */
export const clock = (at: number) => clockFormat.format(at);

/** 22 Nov 2026, 14:02:11, local. */
export const stamp = (at: number | null) => (at === null ? MISSING : stampFormat.format(at));

/** The calendar date of a session (`2026-11-20` or its midnight in UTC), wherever the reader is. */
export function session(date: string) {
  const at = parse(date);
  return at === null ? date : dateFormat.format(at);
}

/** "4 s", "12 min", "2 h 5 min": a length, rounded down. */
export function length(ms: number) {
  if (ms < MINUTE) return `${Math.max(0, Math.floor(ms / SECOND))} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  if (ms < DAY) {
    const minutes = Math.floor((ms % HOUR) / MINUTE);
    const hours = `${Math.floor(ms / HOUR)} h`;
    return minutes === 0 ? hours : `${hours} ${minutes} min`;
  }
  const days = Math.floor(ms / DAY);
  return days === 1 ? "1 day" : `${days} days`;
}

/** A length of time to wait: as {@link length}, but never "0 s". */
export const ahead = (ms: number) => length(Math.max(ms, SECOND));

/** An age in a list: "12 s", "5 min", then 14:02 of today, then the day. */
export function age(at: number | null, now: number) {
  if (at === null) return MISSING;
  // A server's clock may be ahead of this one.
  const ms = Math.max(0, now - at);
  if (ms < HOUR) return length(ms);
  const sameDay = new Date(at).toDateString() === new Date(now).toDateString();
  return sameDay ? shortFormat.format(at) : dayFormat.format(at);
}

/** A moment in a sentence: "12 s ago", "5 min ago", "at 14:02", "on 20 Nov". */
export function ago(at: number | null, now: number) {
  if (at === null) return "at an unknown time";
  const ms = Math.max(0, now - at);
  if (ms < 2 * SECOND) return "just now";
  if (ms < HOUR) return `${length(ms)} ago`;
  const sameDay = new Date(at).toDateString() === new Date(now).toDateString();
  return sameDay ? `at ${shortFormat.format(at)}` : `on ${dayFormat.format(at)}`;
}

/** Seconds until a moment, rounded up, at least 1: "4 s", and minutes from two on. */
export function until(at: number, now: number) {
  const seconds = Math.max(1, Math.ceil((at - now) / SECOND));
  return seconds < 120 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`;
}
