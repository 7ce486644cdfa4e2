// Changes to the watchlist: each is asked about before it is made, and says what became of it.

import { useSignal } from "@preact/signals";

import { plural } from "../format/number";
import { Dialog } from "../parts/dialog";
import { isSymbol } from "../route";
import { session } from "../session";
import { addSymbols, removeSymbol, resetSymbols } from "../store/data";
import { failureOf, failureWords, type Failure } from "../store/failure";
import { named } from "../store/runs";
import { say } from "../store/toasts";

/** A change that is being asked about. */
export type Change =
  { do: "add"; symbols: readonly string[] } | { do: "remove"; symbol: string } | { do: "reset" };

/** What is asked, what follows from it, and the word on the button. */
function words(change: Change): { title: string; text: string; button: string; done: string } {
  switch (change.do) {
    case "add": {
      const names = change.symbols.join(", ");
      return {
        title: `Add ${names} to the watchlist?`,
        text: "History since 2018 is fetched with the next run, and bars from then on.",
        button: change.symbols.length === 1 ? `Add ${names}` : `Add ${change.symbols.length}`,
        done: `${names} ${change.symbols.length === 1 ? "is" : "are"} on the watchlist.`,
      };
    }
    case "remove":
      return {
        title: `Take ${change.symbol} off the watchlist?`,
        text: "Nothing more is fetched of it, and it leaves breadth and strength of the market. Its bars, signals and decisions stay.",
        button: `Remove ${change.symbol}`,
        done: `${change.symbol} is off the watchlist.`,
      };
    case "reset":
      return {
        title: "Go back to the configured watchlist?",
        text: "What was added here is no longer fetched, and what was taken off is fetched again. No data are lost.",
        button: "Go back",
        done: "The watchlist is the configured one again.",
      };
  }
}

function carryOut(change: Change) {
  switch (change.do) {
    case "add":
      return addSymbols(change.symbols);
    case "remove":
      return removeSymbol(change.symbol);
    case "reset":
      return resetSymbols();
  }
}

/** What went wrong with a change, and what to do. */
function wrong(failure: Failure) {
  if (failure.kind === "unreachable")
    return "The server does not answer. Try again when it does: doing it twice does no harm.";
  if (failure.slug === "forbidden")
    return `Your role, ${session.peek()?.role ?? "none"}, may not change the watchlist. Ask an admin.`;
  return failureWords(failure);
}

/** Asks, does it, and stays open with the reason where it fails. */
export function ChangeDialog({ change, onClose }: { change: Change; onClose: () => void }) {
  const busy = useSignal(false);
  const failed = useSignal<string | null>(null);
  const { title, text, button, done } = words(change);
  const confirm = async () => {
    if (busy.value) return;
    busy.value = true;
    failed.value = null;
    try {
      await carryOut(change);
      say("good", done);
      onClose();
    } catch (error) {
      failed.value = wrong(failureOf(error));
    } finally {
      busy.value = false;
    }
  };
  return (
    <Dialog label={title} class="change" onClose={onClose}>
      <h2>{title}</h2>
      <p class="quiet">{text}</p>
      {failed.value !== null && (
        <p class="warn" role="alert">
          {failed.value}
        </p>
      )}
      <footer>
        <button type="button" class="plain" onClick={onClose}>
          Cancel <kbd aria-hidden="true">Esc</kbd>
        </button>
        <button
          type="button"
          class="primary"
          disabled={busy.value}
          autofocus
          onClick={() => void confirm()}
        >
          {busy.value ? "Working…" : button}
        </button>
      </footer>
    </Dialog>
  );
}

/** The field in which symbols to add are named. */
export function AddForm({ ask }: { ask: (change: Change) => void }) {
  const text = useSignal("");
  const wrongs = useSignal<string | null>(null);
  return (
    <form
      class="add"
      onSubmit={(event) => {
        event.preventDefault();
        const symbols = named(text.value);
        const bad = symbols.filter((name) => !isSymbol(name));
        if (symbols.length === 0) wrongs.value = "Name a symbol, such as AAPL.";
        else if (bad.length > 0)
          wrongs.value = `${bad.join(", ")}: no ${plural(bad.length, "symbol").replace(/^\S+ /, "")}. Letters, digits, . ^ = and -, at most 15.`;
        else {
          wrongs.value = null;
          ask({ do: "add", symbols });
          text.value = "";
        }
      }}
    >
      <label>
        <span class="above">Add to the watchlist</span>
        <input
          type="text"
          size={16}
          maxLength={200}
          placeholder="AAPL, BRK-B"
          autocomplete="off"
          autocapitalize="characters"
          spellcheck={false}
          value={text.value}
          aria-invalid={wrongs.value !== null}
          aria-describedby="add-wrong"
          onInput={(event) => {
            text.value = event.currentTarget.value;
            wrongs.value = null;
          }}
        />
      </label>
      <button type="submit" class="plain">
        Add…
      </button>
      <p id="add-wrong" class="wrong small" role="alert">
        {wrongs.value}
      </p>
    </form>
  );
}
