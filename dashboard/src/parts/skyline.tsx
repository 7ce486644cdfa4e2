// The desk's mood as a skyline: the higher the trust, the taller the town.

import type { CityMood } from "../types";

const HEIGHTS: Record<CityMood | "none", readonly number[]> = {
  none: [2, 2, 2, 2, 2],
  dim: [3, 5, 4, 3, 4],
  stable: [5, 9, 7, 10, 6],
  thriving: [8, 13, 10, 14, 11],
};

/** 22 × 16 px. */
export function SkylineGlyph({ mood }: { mood: CityMood | null }) {
  return (
    <svg
      class={`skyline ${mood ?? "none"}`}
      viewBox="0 0 24 16"
      width="24"
      height="16"
      aria-hidden="true"
    >
      {HEIGHTS[mood ?? "none"].map((height, at) => (
        <rect key={at} x={at * 5} y={15 - height} width="4" height={height} />
      ))}
      <path d="M0 15.5h24" />
    </svg>
  );
}
