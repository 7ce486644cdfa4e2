// Keys, signs, and whom the chart is by.

import { CHOICES, SUGGESTIONS } from "../format/words";
import { HELP } from "../keys/keys";
import { Dialog } from "../parts/dialog";
import { UserText } from "../parts/text";
import { session } from "../session";
import { signOut } from "../store/desk";
import { open } from "../store/ui";
import { theme, toggleTheme } from "../theme";

export function HelpDialog() {
  const close = () => {
    open.value = null;
  };
  return (
    <Dialog label="Help" class="help" onClose={close}>
      <header>
        <h2>Help</h2>
        <button type="button" class="icon" aria-label="Close" onClick={close}>
          ×
        </button>
      </header>
      <div class="help-columns">
        <section>
          <h3>Keys</h3>
          <dl class="keys">
            {HELP.map(({ keys, what }) => (
              <div key={what}>
                <dt>
                  {keys.map((key) => (
                    <kbd key={key}>{key}</kbd>
                  ))}
                </dt>
                <dd>{what}</dd>
              </div>
            ))}
          </dl>
        </section>
        <section>
          <h3>Signs</h3>
          <dl class="keys">
            {SUGGESTIONS.map((value) => (
              <div key={value}>
                <dt class={CHOICES[value].tone}>{CHOICES[value].glyph}</dt>
                <dd>{CHOICES[value].word}</dd>
              </div>
            ))}
            <div>
              <dt>◌</dt>
              <dd>Pending: nobody has decided</dd>
            </div>
            <div>
              <dt>◷</dt>
              <dd>Queued: sent when the connection is back</dd>
            </div>
            <div>
              <dt class="fresh stale">stale</dt>
              <dd>Data of a newer session are due and missing</dd>
            </div>
            <div>
              <dt class="fresh">provisional</dt>
              <dd>The session has not ended</dd>
            </div>
          </dl>
          <h3>Scores</h3>
          <p>
            <b>Unslug</b>: how near the price is to its low of the crisis of March 2020; high is
            near. <b>F&G</b>: 0 is fear, 1 is greed. <b>Trust</b>: the geometric mean of both.
          </p>
          <h3>Charts</h3>
          <p>
            Drawn with{" "}
            <a href="https://www.tradingview.com/" target="_blank" rel="noopener">
              TradingView
            </a>{" "}
            Lightweight Charts™, © TradingView, Inc., Apache-2.0.
          </p>
        </section>
      </div>
      <footer class="help-foot">
        <span>
          Signed in as{" "}
          <b>
            <UserText text={session.value?.sub ?? ""} />
          </b>
          , {session.value?.role}
        </span>
        <span class="space" />
        <button type="button" class="plain" onClick={toggleTheme}>
          {theme.value === "dark" ? "Light" : "Dark"} theme
        </button>
        <button
          type="button"
          class="plain"
          onClick={() => {
            close();
            signOut();
          }}
        >
          Sign out
        </button>
      </footer>
    </Dialog>
  );
}
