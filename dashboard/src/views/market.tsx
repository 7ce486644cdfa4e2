// The market's mood: the score, and the seven components it is made of, with the missing ones and
// why they are missing.

import { count } from "../format/number";
import { ago, parse, session, stamp } from "../format/time";
import { Bar, fearStep } from "../parts/bars";
import { Gauge } from "../parts/gauge";
import { Lines } from "../parts/states";
import { now } from "../store/clock";
import { market, MARKET_COMPONENTS } from "../store/market";
import type { Market, MarketComponent } from "../types";

function Part({ part }: { part: MarketComponent }) {
  const { word, what, value } = MARKET_COMPONENTS[part.name];
  const missing = part.score === null || part.value === null;
  return (
    <tr role="row" class={missing ? "missing" : ""}>
      <th role="rowheader" scope="row">
        {word}
        <span class="what">{what}</span>
      </th>
      <td role="cell" class="of-score">
        <span class="part">
          <Bar
            value={part.score === null ? null : part.score / 100}
            tone={part.score === null ? "hatched" : `fear-${fearStep(part.score / 100)}`}
          />
          <span class="num">{part.score === null ? "missing" : count(part.score)}</span>
        </span>
      </td>
      {part.score === null || part.value === null ? (
        <td role="cell" class="why" colSpan={2}>
          {part.missing}
        </td>
      ) : (
        <>
          <td role="cell" class="num of-value">
            {value(part.value)}
          </td>
          <td role="cell" class="of-date">
            {part.as_of !== null && session(part.as_of)}
          </td>
        </>
      )}
      <td role="cell" class="of-source">
        {part.source}
      </td>
    </tr>
  );
}

/** Whether this version of the page knows it. */
const isKnown = ({ name }: MarketComponent) => Object.hasOwn(MARKET_COMPONENTS, name);

function Parts({ known }: { known: Market }) {
  return (
    <table role="table" class="market-parts">
      <caption class="sr">Components of the market's fear and greed</caption>
      <thead role="rowgroup">
        <tr role="row">
          <th role="columnheader" scope="col">
            Component
          </th>
          <th role="columnheader" scope="col">
            Score, 0 to 100
          </th>
          <th role="columnheader" scope="col" class="num">
            Value
          </th>
          <th role="columnheader" scope="col">
            Of
          </th>
          <th role="columnheader" scope="col">
            Source
          </th>
        </tr>
      </thead>
      <tbody role="rowgroup">
        {known.components.filter(isKnown).map((part) => (
          <Part key={part.name} part={part} />
        ))}
      </tbody>
    </table>
  );
}

/** The score: a gauge, or why there is none. */
function Score({ known }: { known: Market }) {
  const available = known.components.filter(({ score }) => score !== null).length;
  const updated = parse(known.updated_at);
  return (
    <div class="market-score">
      {known.score === null ? (
        <p class="market-none">No score</p>
      ) : (
        <Gauge
          score={known.score / 100}
          of="Fear and greed of the market"
          text={count(known.score)}
          word={known.label ?? ""}
        />
      )}
      <p class="quiet small">
        {known.score === null
          ? `${available} of 7 are known; it takes 4`
          : `Mean of ${available} of 7`}
        {known.as_of !== null && `, as of ${session(known.as_of)}`}
      </p>
      {updated !== null && (
        <p class="quiet small" title={stamp(updated)}>
          Updated {ago(updated, now.value)}
        </p>
      )}
    </div>
  );
}

/** The panel beside the city. */
export function MarketPanel() {
  const known = market.value;
  return (
    <section class="market-panel" aria-label="Market fear and greed">
      <h2>Market fear &amp; greed</h2>
      {known === undefined ? (
        <Lines widths={[40, 90, 90, 90, 90]} />
      ) : known === null ? (
        <p class="quiet">No market data yet. They come with the first run that fetches.</p>
      ) : (
        <div class="market-body">
          <Score known={known} />
          <Parts known={known} />
        </div>
      )}
    </section>
  );
}
