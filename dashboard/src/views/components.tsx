// Fear and greed: the gauge, its seven components and which are missing; and the market's flow.

import { fixed, scoreExact } from "../format/number";
import { COMPONENTS } from "../format/words";
import { Bar, fearStep } from "../parts/bars";
import { Gauge } from "../parts/gauge";
import { componentsOf, flowOf } from "../store/explain";
import type { ExplainedSignal } from "../types";

/** The second column under the chart. */
export function Components({ signal }: { signal: ExplainedSignal }) {
  const components = componentsOf(signal.explain);
  const missing = components.filter(({ value }) => value === null).length;
  const flow = flowOf(signal.explain);
  return (
    <div class="components">
      <Gauge score={signal.fear_score} />
      <table class="parts">
        <caption class="sr">Components of fear and greed, 0 to 100</caption>
        <thead class="sr">
          <tr>
            <th scope="col">Component</th>
            <th scope="col">Value</th>
          </tr>
        </thead>
        <tbody>
          {components.map(({ name, value }) => (
            <tr key={name} title={COMPONENTS[name]?.what} class={value === null ? "missing" : ""}>
              <th scope="row">{COMPONENTS[name]?.word ?? name}</th>
              <td>
                <span class="part">
                  <Bar
                    value={value === null ? null : value / 100}
                    tone={value === null ? "hatched" : `fear-${fearStep(value / 100)}`}
                  />
                  <span class="num">{value === null ? "missing" : fixed(value, 0)}</span>
                </span>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {missing > 0 && (
        <p class="quiet small">
          {missing} of 7 {missing === 1 ? "is" : "are"} missing for want of history and left out of
          the mean.
        </p>
      )}
      <table class="parts flow">
        <caption>Market flow</caption>
        <tbody>
          <tr title="Volume of the last session, as a multiple of the mean of the nine before">
            <th scope="row">Volume ratio</th>
            <td class="num">{fixed(flow.ratio, 2)}</td>
          </tr>
          <tr>
            <th scope="row">Trust</th>
            <td>
              <span class="part">
                <Bar value={flow.trust} />
                <span class="num">{scoreExact(flow.trust)}</span>
              </span>
            </td>
          </tr>
        </tbody>
      </table>
    </div>
  );
}
