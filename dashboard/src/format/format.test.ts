import { expect, test } from "vitest";

import cells from "../../../core/tests/fixtures/csv_cells.json" with { type: "json" };
import { csv } from "./csv";
import { marketTime } from "./market";
import { change, fixed, MISSING, plural, price, score } from "./number";
import { characters, excerpt, harmless } from "./text";
import { age, ago, length, session, until } from "./time";
import { fearLabel, statusWord } from "./words";

test("a missing number is a dash, never a zero", () => {
  for (const nothing of [null, undefined, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(score(nothing)).toBe(MISSING);
    expect(change(nothing)).toBe(MISSING);
  }
  expect(score(0)).not.toBe(MISSING);
});

test("numbers keep their decimals", () => {
  expect(fixed(0.5, 3)).toMatch(/^0[.,]500$/);
  expect(price(0.1234)).toMatch(/^0[.,]1234$/);
  expect(price(12.3)).toMatch(/^12[.,]30$/);
  expect(plural(1, "row")).toBe("1 row");
  expect(plural(2, "row")).toBe("2 rows");
});

test("lengths are rounded down, and never negative", () => {
  expect(length(-5)).toBe("0 s");
  expect(length(59_999)).toBe("59 s");
  expect(length(60_000)).toBe("1 min");
  expect(length(7_200_000)).toBe("2 h");
  expect(length(7_260_000)).toBe("2 h 1 min");
  expect(length(86_400_000)).toBe("1 day");
});

test("ages are relative under an hour and absolute after it", () => {
  const now = new Date(2026, 10, 20, 15, 0, 0).getTime();
  expect(age(now - 12_000, now)).toBe("12 s");
  expect(age(now - 3_599_000, now)).toBe("59 min");
  expect(age(now - 3_600_000, now)).toBe("14:00");
  expect(age(now - 30 * 3_600_000, now)).toMatch(/19/);
  expect(age(now + 5_000, now)).toBe("0 s");
  expect(age(null, now)).toBe(MISSING);
  expect(ago(now - 1_000, now)).toBe("just now");
  expect(ago(now - 12_000, now)).toBe("12 s ago");
  expect(ago(now - 3_600_000, now)).toBe("at 14:00");
});

test("a countdown never says 0", () => {
  expect(until(1_000, 5_000)).toBe("1 s");
  expect(until(5_400, 1_000)).toBe("5 s");
  expect(until(600_000, 0)).toBe("10 min");
});

test("a session is a date, in every time zone", () => {
  expect(session("2026-11-20T00:00:00Z")).toMatch(/20/);
  expect(session("nonsense")).toBe("nonsense");
});

test("the exchange is open on weekdays from 09:30 to 16:00 in New York", () => {
  // 20 November 2026 is a Friday; New York is five hours behind UTC.
  const at = (day: number, hour: number, minute: number) =>
    marketTime(Date.UTC(2026, 10, day, hour + 5, minute));
  expect(at(20, 9, 29)).toMatchObject({ open: false, next: "opens in 1 min" });
  expect(at(20, 9, 30)).toMatchObject({ clock: "09:30:00", open: true });
  expect(at(20, 14, 2).next).toBe("closes in 1 h 58 min");
  expect(at(20, 16, 0)).toMatchObject({ open: false, next: "opens Mon 09:30" });
  expect(at(21, 12, 0)).toMatchObject({ open: false, next: "opens Mon 09:30" });
  expect(at(19, 17, 0)).toMatchObject({ open: false, next: "opens Fri 09:30" });
  // In July it is four hours.
  expect(marketTime(Date.UTC(2026, 6, 1, 13, 30)).open).toBe(true);
});

test("a note cannot turn, hide or ring anything around it", () => {
  expect(harmless("a\u202egnp.exe\u202c b")).toBe("agnp.exe b");
  expect(harmless("bell\u0007 zero\u200bwidth")).toBe("bell\u2423 zero\u2423width");
  expect(harmless("line\r\nline\ttab")).toBe("line\nline\ttab");
  expect(harmless("<b>ж שלום 👍🏽</b>")).toBe("<b>ж שלום 👍🏽</b>");
});

test("an excerpt is one line and says that it is cut", () => {
  expect(excerpt("short", 10)).toBe("short");
  expect(excerpt("first\nsecond", 10)).toBe("first…");
  expect(excerpt("😀😀😀", 2)).toBe("😀😀…");
});

test("characters are counted as the server counts them", () => {
  expect(characters("a😀ж")).toBe(3);
});

test("CSV quotes what needs it and runs nothing", () => {
  expect(
    csv(
      ["a", "b"],
      [
        ['say "hi"', null],
        ["=1+1", "x,y"],
        ["line\nbreak", 3],
      ],
    ),
  ).toBe('a,b\r\n"say ""hi""",\r\n\'=1+1,"x,y"\r\n"line\nbreak",3\r\n');
});

test("a cell is written as the API writes it", () => {
  expect(cells.length).toBeGreaterThan(10);
  for (const [cell, written] of cells) {
    expect(csv([cell as string], [])).toBe(`${written}\r\n`);
  }
});

test("terms have words", () => {
  expect([fearLabel(0.3), fearLabel(0.5), fearLabel(0.7)]).toEqual(["Fear", "Neutral", "Greed"]);
  expect(statusWord("APPROVED_RISK")).toEqual({ word: "RISK", decided: "RISK" });
  expect(statusWord("SUPERSEDED").decided).toBeNull();
});
