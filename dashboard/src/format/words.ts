// The product's terms as words and glyphs: meaning is never colour alone.

import type { CityMood, Status, Suggestion } from "../types";

/** A suggestion or decision: its glyph, its word, its key and the class of its colour. */
export interface Choice {
  glyph: string;
  word: string;
  key: string;
  tone: string;
}

export const CHOICES: Record<Suggestion, Choice> = {
  BUY: { glyph: "▲", word: "BUY", key: "b", tone: "buy" },
  NEUTRAL: { glyph: "●", word: "NEUTRAL", key: "n", tone: "neutral" },
  RISK: { glyph: "▼", word: "RISK", key: "r", tone: "risk" },
};

/** In the order in which they are offered. */
export const SUGGESTIONS: readonly Suggestion[] = ["BUY", "NEUTRAL", "RISK"];

/** A status as a word; what was decided, if it was. */
export function statusWord(status: Status): {
  word: string;
  decided: Suggestion | null;
} {
  switch (status) {
    case "PENDING_REVIEW":
      return { word: "Pending", decided: null };
    case "APPROVED_BUY":
      return { word: "BUY", decided: "BUY" };
    case "APPROVED_NEUTRAL":
      return { word: "NEUTRAL", decided: "NEUTRAL" };
    case "APPROVED_RISK":
      return { word: "RISK", decided: "RISK" };
    case "SUPERSEDED":
      return { word: "Superseded", decided: null };
  }
}

/** The status that a decision gives a signal. */
export const decidedStatus = (decision: Suggestion): Status => `APPROVED_${decision}`;

export const MOODS: Record<CityMood, string> = {
  dim: "Dim",
  stable: "Stable",
  thriving: "Thriving",
};

/** The label of a fear score in [0, 1]: the product's own limits. */
export function fearLabel(score: number) {
  if (score >= 0.7) return "Greed";
  return score <= 0.3 ? "Fear" : "Neutral";
}

/** Fear components: what each is and how it is measured, in words. */
export const COMPONENTS: Record<string, { word: string; what: string }> = {
  momentum: {
    word: "Momentum",
    what: "Close against its 125-day mean, ranked over 200 days",
  },
  strength: {
    word: "Price strength",
    what: "Close between the lowest and highest of 252 days",
  },
  volatility: {
    word: "Volatility",
    what: "Calm: 20-day against 50-day swings, ranked over 252 days",
  },
  breadth: {
    word: "Volume breadth",
    what: "20-day change of volume on up days less down days, ranked",
  },
  safe_haven: {
    word: "Safe haven",
    what: "20-day return, ranked over 252 days",
  },
  credit: { word: "Credit", what: "Close above its 200-day mean, or not" },
  short_sentiment: {
    word: "Short sentiment",
    what: "Volume, ranked over 252 days",
  },
};

/** Why an engine has no score, in words. */
export function reasonWords(reason: string) {
  switch (reason) {
    case "fewer_than_20_bars":
      return "fewer than 20 bars";
    case "anchor_window_not_reached":
      return "the history ends before the crisis of March 2020";
    case "anchor_window_not_covered":
      return "the history begins after the crisis of March 2020";
    case "high_not_above_low":
      return "no high above the crisis low";
    default:
      return reason.replaceAll("_", " ");
  }
}
