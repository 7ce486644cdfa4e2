// The page: the frame, the view, the open dialog.

import { effect } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { count } from "./format/number";
import { ConnectionBand } from "./parts/connection";
import { Toasts } from "./parts/toasts";
import { go, route } from "./route";
import { session } from "./session";
import { mustSignInAgain } from "./store/desk";
import { beginning, held, pending, selected } from "./store/list";
import { narrow, open } from "./store/ui";
import { CityView } from "./views/city";
import { DataView } from "./views/data";
import { DecideDialog } from "./views/decide";
import { DetailPane } from "./views/detail";
import { HelpDialog } from "./views/help";
import { HistoryView } from "./views/history";
import { ListPane } from "./views/list";
import { SignInDialog, SignInPage } from "./views/sign-in";
import { GeneratedStrip, TopBar } from "./views/top-bar";

function close() {
  open.value = null;
}

function SignalsView() {
  const chosen = selected.value;
  const first = chosen === null && !narrow.value && held.value.shown.length > 0;
  useEffect(() => {
    // With room for it, something to decide on is open from the start, and stays open: what comes
    // later changes the list, not what is being read.
    const symbol = first ? beginning() : null;
    if (symbol !== null) go({ view: "signals", symbol }, { replace: true });
  }, [first]);
  return (
    <main class={`desk ${chosen === null ? "" : "chosen"}`}>
      <h1 class="sr">Signals</h1>
      <div class="side" inert={narrow.value && chosen !== null}>
        <ListPane />
      </div>
      <DetailPane />
    </main>
  );
}

function OpenDialog() {
  if (mustSignInAgain()) return <SignInDialog required onClose={() => undefined} />;
  const now = open.value;
  switch (now?.dialog) {
    case "help":
      return <HelpDialog />;
    case "sign-in":
      return <SignInDialog required={false} onClose={close} />;
    case "decide":
      return <DecideDialog key={now.symbol} symbol={now.symbol} choice={now.choice} />;
    case undefined:
      return null;
  }
}

/** What waits shows in the tab's title, where it is seen from elsewhere. */
effect(() => {
  const waits = session.value === null ? 0 : pending.value;
  document.title = waits === 0 ? "Signalroom" : `${count(waits)} pending · Signalroom`;
});

const VIEWS = { signals: SignalsView, history: HistoryView, city: CityView, data: DataView };

export function App() {
  if (session.value === null) return <SignInPage />;
  const View = VIEWS[route.value.view];
  return (
    <div class="page">
      <TopBar />
      <GeneratedStrip />
      <View />
      <ConnectionBand />
      <Toasts />
      <OpenDialog />
    </div>
  );
}
