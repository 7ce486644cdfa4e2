// Fear and greed as a half circle, blue to amber.

import { fearLabel } from "../format/words";
import { scoreExact } from "../format/number";
import { fearStep } from "./bars";

const STEPS = 5;
const RADIUS = 54;
const GAP = 0.035;

function point(part: number, radius: number) {
  const angle = Math.PI * (1 - part);
  return `${(64 + radius * Math.cos(angle)).toFixed(2)} ${(62 - radius * Math.sin(angle)).toFixed(2)}`;
}

/**
 * @param score in [0, 1]: 0 is fear, 1 is greed
 * @param text the score as it is shown, by default with three decimals
 */
export function Gauge({
  score,
  of = "Fear and greed",
  text = scoreExact(score),
  word = fearLabel(score),
}: {
  score: number;
  of?: string;
  text?: string;
  word?: string;
}) {
  return (
    <div class="gauge">
      <svg viewBox="0 0 128 68" role="img" aria-label={`${of} ${text}: ${word}`}>
        {Array.from({ length: STEPS }, (_, at) => {
          const from = at / STEPS + (at === 0 ? 0 : GAP / 4);
          const to = (at + 1) / STEPS - (at === STEPS - 1 ? 0 : GAP / 4);
          return (
            <path
              key={at}
              class={`arc fear-${at} ${at === fearStep(score) ? "on" : ""}`}
              d={`M${point(from, RADIUS)} A${RADIUS} ${RADIUS} 0 0 1 ${point(to, RADIUS)}`}
            />
          );
        })}
        <path class="needle" d={`M${point(score, RADIUS - 14)} L${point(score, RADIUS + 7)}`} />
        <text class="gauge-number" x="64" y="52" text-anchor="middle">
          {text}
        </text>
        <text class="gauge-word" x="64" y="65" text-anchor="middle">
          {word}
        </text>
      </svg>
      <div class="gauge-ends" aria-hidden="true">
        <span>Fear</span>
        <span>Greed</span>
      </div>
    </div>
  );
}
