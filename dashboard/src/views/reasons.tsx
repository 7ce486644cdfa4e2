// Why the scores are what they are, in words.

import { count, fixed, price, scoreExact } from "../format/number";
import { session } from "../format/time";
import { COMPONENTS, fearLabel } from "../format/words";
import { SuggestionTag } from "../parts/tags";
import { anchorOf, componentsOf, flowOf, type Anchor } from "../store/explain";
import type { ExplainedSignal } from "../types";

/** Where the price is, with the lines it is between. */
function place({ band, low, lowDate, fib23, fib38 }: Anchor) {
  const since = lowDate === null ? "" : ` of ${session(lowDate)}`;
  const lowest = `the crisis low${since}, ${price(low)}`;
  switch (band) {
    case "Below 0%":
      return `below ${lowest}`;
    case "0–23.6%":
      return `between ${lowest}, and the 23.6% line, ${price(fib23)}`;
    case "23.6–38.2%":
      return `between the 23.6% line, ${price(fib23)}, and the 38.2% line, ${price(fib38)}`;
    case "Above 38.2%":
      return `above the 38.2% line, ${price(fib38)}: far from ${lowest}`;
    default:
      return "at a place the server does not name";
  }
}

function name(component: string) {
  return (COMPONENTS[component]?.word ?? component).toLowerCase();
}

function Unslug({ signal }: { signal: ExplainedSignal }) {
  const anchor = anchorOf(signal.explain);
  return (
    <section>
      <h4>
        Unslug <b class="num">{scoreExact(signal.unslug_score)}</b>
      </h4>
      <p>
        The last close, {price(anchor.price)}, is {place(anchor)}. Base{" "}
        <b class="num">{scoreExact(anchor.base)}</b>.
      </p>
      <p>
        {anchor.hits === 0
          ? "None of the last 30 closes was between the low and the 38.2% line"
          : `${count(anchor.hits)} of the last 30 closes were between the low and the 38.2% line`}
        {anchor.firstHit !== null && `, the first on ${session(anchor.firstHit)}`}:{" "}
        <b class="num">+{scoreExact(anchor.hitsShare)}</b>.
      </p>
    </section>
  );
}

function Fear({ signal }: { signal: ExplainedSignal }) {
  const known = componentsOf(signal.explain)
    .flatMap(({ name: component, value }) => (value === null ? [] : [{ component, value }]))
    .sort((a, b) => b.value - a.value);
  const [top, low] = [known[0], known.at(-1)];
  return (
    <section>
      <h4>
        Fear &amp; Greed <b class="num">{scoreExact(signal.fear_score)}</b>{" "}
        <span class="quiet">{fearLabel(signal.fear_score)}</span>
      </h4>
      <p>
        The mean of {known.length === 7 ? "seven components" : `${known.length} of 7 components`}.
        {top !== undefined && low !== undefined && (
          <>
            {" "}
            Highest is {name(top.component)} at {fixed(top.value, 0)}, lowest {name(low.component)}{" "}
            at {fixed(low.value, 0)} of 100.
          </>
        )}
      </p>
    </section>
  );
}

function Flow({ signal }: { signal: ExplainedSignal }) {
  const flow = flowOf(signal.explain);
  return (
    <section>
      <h4>
        Market flow <b class="num">{scoreExact(flow.trust)}</b>{" "}
        <span class="quiet">{flow.signal ?? "missing"}</span>
      </h4>
      <p>
        {flow.ratio === null
          ? "There are fewer than ten sessions to compare."
          : `The last session's volume is ${fixed(flow.ratio, 2)} times the mean of the nine before. Over 1.5 counts as BUY, under 0.5 as RISK.`}
      </p>
    </section>
  );
}

/** The first column under the chart. */
export function Reasons({ signal }: { signal: ExplainedSignal }) {
  return (
    <div class="reasons">
      <section>
        <h4>
          Trust <b class="num">{scoreExact(signal.combined_trust)}</b>{" "}
          <SuggestionTag value={signal.recommendation.suggested} />
        </h4>
        <p>{signal.recommendation.logic}.</p>
        <p class="formula num">
          √({scoreExact(signal.unslug_score)} × {scoreExact(signal.fear_score)}) ={" "}
          {scoreExact(signal.combined_trust)}
        </p>
      </section>
      <Unslug signal={signal} />
      <Fear signal={signal} />
      <Flow signal={signal} />
    </div>
  );
}
