// The clock of the New York Stock Exchange: 09:30 to 16:00 on weekdays. It knows no holidays and
// claims nothing about them.

import { length } from "./time";

const OPENS = 9 * 60 + 30;
const CLOSES = 16 * 60;
const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

const format = new Intl.DateTimeFormat("en-US", {
  timeZone: "America/New_York",
  weekday: "short",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});

/** What the exchange's clock shows. */
export interface MarketTime {
  /** 14:02:11 in New York. */
  clock: string;
  /** Within the hours of a weekday. */
  open: boolean;
  /** "closes in 1 h 58 min", "opens Mon 09:30". */
  next: string;
}

/** @param now milliseconds since 1970 */
export function marketTime(now: number): MarketTime {
  const part = new Map<string, string>();
  for (const { type, value } of format.formatToParts(now)) part.set(type, value);
  const text = (name: string) => part.get(name) ?? "";
  const clock = `${text("hour")}:${text("minute")}:${text("second")}`;
  const minutes = Number(text("hour")) * 60 + Number(text("minute"));
  const day = DAYS.indexOf(text("weekday"));
  const weekday = day >= 1 && day <= 5;
  const in_ = (target: number) => length((target - minutes) * 60_000);
  if (weekday && minutes >= OPENS && minutes < CLOSES)
    return { clock, open: true, next: `closes in ${in_(CLOSES)}` };
  if (weekday && minutes < OPENS) return { clock, open: false, next: `opens in ${in_(OPENS)}` };
  const next = day >= 5 || day === 0 ? "Mon" : (DAYS[day + 1] ?? "Mon");
  return { clock, open: false, next: `opens ${next} 09:30` };
}
