// Values as small bars. The number beside them is what a screen reader hears.

/** A bar of a value in [0, 1]; nothing where it is missing. */
export function Bar({ value, tone }: { value: number | null; tone?: string }) {
  const part = value === null ? 0 : Math.min(1, Math.max(0, value));
  return (
    <span class={`bar ${tone ?? ""}`} aria-hidden="true">
      {value !== null && <span style={{ width: `${part * 100}%` }} />}
    </span>
  );
}

/** The step of the blue-to-amber scale that a fear score in [0, 1] is on: 0 fear … 4 greed. */
export function fearStep(value: number) {
  return Math.min(4, Math.max(0, Math.floor(value * 5)));
}

const WIDTH = 84;
const HEIGHT = 22;

/** A line of closes in the size of a list cell. */
export function Spark({ closes }: { closes: readonly number[] | null }) {
  if (closes === null || closes.length < 2) return <span class="spark none" aria-hidden="true" />;
  const low = Math.min(...closes);
  const high = Math.max(...closes);
  const range = high - low || 1;
  const step = WIDTH / (closes.length - 1);
  const points = closes.map(
    (close, at) =>
      `${(at * step).toFixed(1)},${(HEIGHT - 2 - ((close - low) / range) * (HEIGHT - 4)).toFixed(1)}`,
  );
  const first = closes[0] ?? 0;
  const last = closes.at(-1) ?? 0;
  const [x, y] = (points.at(-1) ?? "0,0").split(",");
  return (
    <svg
      class={`spark ${last >= first ? "up" : "down"}`}
      viewBox={`0 0 ${WIDTH + 3} ${HEIGHT}`}
      width={WIDTH + 3}
      height={HEIGHT}
      aria-hidden="true"
    >
      <polyline points={points.join(" ")} />
      <circle cx={x} cy={y} r="1.6" />
    </svg>
  );
}
