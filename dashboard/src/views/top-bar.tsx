// The top bar: where one is, how the desk feels, what time it is in New York, whether the data are
// live, who one is.

import { generated } from "../client";
import { length } from "../format/time";
import { excerpt } from "../format/text";
import { marketTime } from "../format/market";
import { count } from "../format/number";
import { MOODS } from "../format/words";
import { fearStep } from "../parts/bars";
import { ConnectionBadge, ConnectionSpoken } from "../parts/connection";
import { SkylineGlyph } from "../parts/skyline";
import { href, route, type View } from "../route";
import { session } from "../session";
import { now } from "../store/clock";
import { city, signOut } from "../store/desk";
import { market } from "../store/market";
import { open } from "../store/ui";
import { theme, toggleTheme } from "../theme";

const VIEWS: readonly { view: View; label: string; keys: string }[] = [
  { view: "signals", label: "Signals", keys: "g s" },
  { view: "history", label: "History", keys: "g h" },
  { view: "city", label: "City", keys: "g c" },
  { view: "data", label: "Data", keys: "g d" },
];

/** How long before its end a sign-in is said to end, milliseconds. */
const WARN_MS = 5 * 60_000;

function Market() {
  const { clock, open: isOpen, next } = marketTime(now.value);
  return (
    <span class="market" title={`New York, ${next}; holidays are not considered`}>
      <span class="quiet">NYSE</span> <span class="num">{clock}</span>{" "}
      <span class={isOpen ? "open" : "quiet"}>{isOpen ? "open" : "closed"}</span>
    </span>
  );
}

function Mood() {
  const state = city.value?.city_state ?? null;
  const word = city.value === undefined ? "…" : state === null ? "No data" : MOODS[state];
  return (
    <a class="mood" href={href({ view: "city" })} aria-label={`Desk mood: ${word}`}>
      <SkylineGlyph mood={state} />
      <span>{word}</span>
    </a>
  );
}

/** The market's score in short; nothing while there is none. */
function MarketMood() {
  const known = market.value;
  if (known?.score == null) return null;
  return (
    <a
      class="market-mood"
      href={href({ view: "city" })}
      aria-label={`Market fear and greed: ${count(known.score)}, ${known.label}`}
      title="Fear and greed of the whole market, 0 to 100"
    >
      <span class="quiet">F&amp;G</span>
      <span class="num">{count(known.score)}</span>
      <span class={`dot-step fear-${fearStep(known.score / 100)}`} aria-hidden="true" />
      <span>{known.label}</span>
    </a>
  );
}

function Expiry() {
  const expiresAt = session.value?.expiresAt ?? null;
  if (expiresAt === null) return null;
  const left = expiresAt - now.value;
  if (left <= 0 || left > WARN_MS) return null;
  return (
    <button type="button" class="link" onClick={() => (open.value = { dialog: "sign-in" })}>
      Sign-in ends in {length(left)}
    </button>
  );
}

/** "generated data" where the top bar has no room for its badge. */
export function GeneratedStrip() {
  return generated.value ? (
    <aside class="strip" aria-label="Data">
      generated data: none of these prices is real
    </aside>
  ) : null;
}

export function TopBar() {
  const { view } = route.value;
  const dark = theme.value === "dark";
  return (
    <header class="top">
      <a class="name" href={href({ view: "signals" })} aria-label="Signalroom">
        <span class="mark" aria-hidden="true" />
        <span>Signalroom</span>
      </a>
      <nav aria-label="Views">
        {VIEWS.map(({ view: to, label, keys }) => (
          <a
            key={to}
            href={href({ view: to })}
            aria-current={view === to ? "page" : undefined}
            title={keys}
          >
            {label}
          </a>
        ))}
      </nav>
      <Mood />
      <MarketMood />
      <Market />
      <span class="space" />
      {generated.value && (
        <span class="badge" title="None of these prices is real">
          generated data
        </span>
      )}
      <ConnectionBadge />
      <ConnectionSpoken />
      <Expiry />
      <span class="who">
        <bdi class="sub" title={session.value?.sub}>
          {excerpt(session.value?.sub ?? "", 24)}
        </bdi>
        <span class="quiet">{session.value?.role}</span>
      </span>
      <button
        type="button"
        class="icon theme"
        aria-label={dark ? "Light theme" : "Dark theme"}
        title={`${dark ? "Light" : "Dark"} theme (t)`}
        onClick={toggleTheme}
      >
        <svg viewBox="0 0 16 16" width="15" height="15" aria-hidden="true">
          <circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-width="1.4" />
          <path d="M8 2a6 6 0 0 1 0 12z" fill="currentColor" />
        </svg>
      </button>
      <button
        type="button"
        class="icon"
        aria-label="Help"
        title="Help (?)"
        aria-keyshortcuts="?"
        onClick={() => (open.value = { dialog: "help" })}
      >
        ?
      </button>
      <button type="button" class="plain sign-out" onClick={signOut}>
        Sign out
      </button>
    </header>
  );
}
