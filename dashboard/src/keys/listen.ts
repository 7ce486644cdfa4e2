// Listens for keys and does what they mean.

import { go, route } from "../route";
import { mayDecide } from "../session";
import { filterBy, filter, held, moveSelection, select, selected, showNew } from "../store/list";
import { say } from "../store/toasts";
import { narrow, open } from "../store/ui";
import { toggleTheme } from "../theme";
import { openDecision } from "../views/list";
import { LIST_KEYS, press, type Action, type Prefix } from "./keys";

let prefix: Prefix | null = null;

const typing = (target: EventTarget | null) =>
  target instanceof HTMLElement &&
  (target.isContentEditable || target.matches("input, textarea, select"));

/** Whether a control with the focus has its own use for the key. */
const ownKey = (target: EventTarget | null, key: string) =>
  target instanceof HTMLElement &&
  ((key === "Enter" && target.matches("a, button, summary")) ||
    (LIST_KEYS.has(key) && target.id !== "signals" && target !== document.body));

/** @returns whether the key was used */
function act(action: Action): boolean {
  const { view } = route.peek();
  const symbol = selected.peek();
  switch (action.do) {
    case "help":
      open.value = { dialog: "help" };
      return true;
    case "theme":
      toggleTheme();
      return true;
    case "go":
      go({ view: action.view });
      return true;
    case "search": {
      const field = document.getElementById("search");
      // What is typed next belongs to the field: it gets the focus at once.
      if (field !== null) field.focus();
      else {
        go({ view: "signals" });
        requestAnimationFrame(() => document.getElementById("search")?.focus());
      }
      return true;
    }
    default:
  }
  if (view !== "signals") return false;
  switch (action.do) {
    case "move":
      moveSelection(action.by);
      return true;
    case "edge": {
      const to = held.peek().shown.at(action.to === "first" ? 0 : -1);
      if (to !== undefined) select(to);
      return true;
    }
    case "open": {
      if (symbol === null) moveSelection(0);
      else select(symbol, { step: narrow.peek() });
      document.querySelector<HTMLElement>("[data-testid=detail]")?.focus();
      return true;
    }
    case "close": {
      if (narrow.peek() && symbol !== null) go({ view: "signals" }, { replace: true });
      else if (filter.peek().search !== "") filterBy({ search: "" });
      document.getElementById("signals")?.focus();
      return true;
    }
    case "release":
      showNew();
      return true;
    case "decide":
      if (symbol === null) return false;
      if (!mayDecide.peek()) {
        say("bad", "Your role may look but not decide.");
        return true;
      }
      openDecision(symbol, action.choice);
      return true;
  }
}

/** Starts listening: once, when the page opens. */
export function listenToKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    // A modal dialog has its own keys.
    if (typing(event.target) || document.querySelector("dialog[open]") !== null) return;
    if (ownKey(event.target, event.key)) return;
    const pressed = press(prefix, event.key, Date.now());
    prefix = pressed.prefix;
    if (pressed.action !== null && act(pressed.action)) event.preventDefault();
  });
}
