// Everybody's decisions, filtered, and as CSV. The roles of the table are named, because on a narrow
// screen its rows are laid out as a grid, which takes them from it.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { age, parse, session as date, stamp } from "../format/time";
import { plural } from "../format/number";
import { Note } from "../parts/note";
import { Failed, Notice } from "../parts/states";
import { SuggestionTag } from "../parts/tags";
import { UserText } from "../parts/text";
import { go, href, isSymbol, route } from "../route";
import { now } from "../store/clock";
import { decided } from "../store/decisions";
import { failureOf, failureWords } from "../store/failure";
import {
  exportHistory,
  history,
  loadHistory,
  moreHistory,
  MOST,
  type HistoryFilter,
} from "../store/history";
import { say } from "../store/toasts";
import type { Approval } from "../types";

function filterOf(query: Readonly<Record<string, string>>): HistoryFilter {
  const day = (name: string) => {
    const value = query[name] ?? "";
    return /^\d{4}-\d{2}-\d{2}$/.test(value) ? value : "";
  };
  const symbol = (query["symbol"] ?? "").toUpperCase();
  return {
    symbol: isSymbol(symbol) ? symbol : "",
    by: query["by"] ?? "",
    from: day("from"),
    to: day("to"),
  };
}

function download(text: string) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `approvals-${new Date().toISOString().slice(0, 10)}.csv`;
  link.click();
  // The download has its own hold on the content once it has begun.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

function Filters({ filter }: { filter: HistoryFilter }) {
  const busy = useSignal(false);
  const change = (part: Partial<HistoryFilter>) =>
    go({ view: "history", query: { ...filter, ...part } }, { replace: true });
  const save = async () => {
    busy.value = true;
    try {
      download(await exportHistory(filter));
    } catch (error) {
      say("bad", `The export failed. ${failureWords(failureOf(error))}`);
    } finally {
      busy.value = false;
    }
  };
  return (
    <form class="tools" onSubmit={(event) => event.preventDefault()}>
      <label>
        <span class="above">Symbol</span>
        <input
          type="search"
          size={8}
          maxLength={15}
          autocomplete="off"
          spellcheck={false}
          value={filter.symbol}
          onChange={(event) => change({ symbol: event.currentTarget.value.trim().toUpperCase() })}
        />
      </label>
      <label>
        <span class="above">Decided by</span>
        <input
          type="search"
          size={14}
          maxLength={256}
          autocomplete="off"
          spellcheck={false}
          value={filter.by}
          onChange={(event) => change({ by: event.currentTarget.value.trim() })}
        />
      </label>
      <label>
        <span class="above">From</span>
        <input
          type="date"
          value={filter.from}
          onChange={(event) => change({ from: event.currentTarget.value })}
        />
      </label>
      <label>
        <span class="above">To</span>
        <input
          type="date"
          value={filter.to}
          onChange={(event) => change({ to: event.currentTarget.value })}
        />
      </label>
      <span class="space" />
      <button type="button" class="plain" disabled={busy.value} onClick={() => void save()}>
        {busy.value ? "Exporting…" : "Export CSV"}
      </button>
    </form>
  );
}

function Line({ approval }: { approval: Approval }) {
  const at = parse(approval.approved_at);
  const [, session = "", revision = "1"] = approval.signal_id.split(":");
  return (
    <tr role="row">
      <td role="cell" class="num when">
        <time dateTime={approval.approved_at} title={stamp(at)}>
          {age(at, now.value)}
        </time>
      </td>
      <td role="cell">
        <a href={href({ view: "signals", symbol: approval.symbol })}>{approval.symbol}</a>
      </td>
      <td role="cell">
        <SuggestionTag value={approval.approved_status} />
      </td>
      <td role="cell" class="by">
        <UserText text={approval.approved_by} />
      </td>
      <td role="cell" class="of">
        {date(session)}
        {revision !== "1" && <span class="quiet"> r{revision}</span>}
      </td>
      <td role="cell" class="why">
        {approval.note != null && approval.note !== "" ? (
          <Note text={approval.note} />
        ) : (
          <span class="quiet">no note</span>
        )}
      </td>
    </tr>
  );
}

export function HistoryView() {
  const filter = filterOf(route.value.query);
  const key = JSON.stringify(filter);
  // Decisions since the list was loaded; it holds still until asked.
  const since = useSignal(decided.value.count);
  const reload = () => {
    since.value = decided.peek().count;
    void loadHistory(filter);
  };
  useEffect(reload, [key]);
  const { approvals, cursor, loading, failure } = history.value;
  const fresh = decided.value.count - since.value;
  const some = Object.values(filter).some((value) => value !== "");
  return (
    <main class="view history-view" aria-label="History">
      <h1 class="sr">History of decisions</h1>
      <Filters filter={filter} />
      <p class="sr" role="status">
        {fresh > 0 && "New decisions wait at the top of the list."}
      </p>
      <div class="arrivals">
        {fresh > 0 && (
          <button type="button" onClick={reload}>
            {plural(fresh, "new decision")} <span aria-hidden="true">—</span> show
          </button>
        )}
      </div>
      <div class="table-scroller" tabIndex={0} role="region" aria-label="Decisions">
        {failure !== null && approvals === null ? (
          <Failed what="The decisions" failure={failure} retry={reload} />
        ) : approvals !== null && approvals.length === 0 && !loading ? (
          some ? (
            <Notice
              title="No decision passes the filter."
              action={{ label: "Clear the filter", run: () => go({ view: "history" }) }}
            />
          ) : (
            <Notice title="Nobody has decided yet.">
              <p>
                Choose a signal and press <kbd>b</kbd>, <kbd>n</kbd> or <kbd>r</kbd>. Every decision
                is kept here.
              </p>
            </Notice>
          )
        ) : (
          <table role="table" class="decisions" aria-busy={loading}>
            <thead role="rowgroup">
              <tr role="row">
                <th role="columnheader" scope="col">
                  When
                </th>
                <th role="columnheader" scope="col">
                  Symbol
                </th>
                <th role="columnheader" scope="col">
                  Decision
                </th>
                <th role="columnheader" scope="col">
                  By
                </th>
                <th role="columnheader" scope="col" class="of">
                  On
                </th>
                <th role="columnheader" scope="col">
                  Note
                </th>
              </tr>
            </thead>
            <tbody role="rowgroup">
              {approvals === null
                ? Array.from({ length: 12 }, (_, at) => (
                    <tr key={at} aria-hidden="true">
                      {Array.from({ length: 6 }, (_cell, column) => (
                        <td key={column}>
                          <span class="bone" />
                        </td>
                      ))}
                    </tr>
                  ))
                : approvals.map((approval) => (
                    <Line key={approval.signal_id} approval={approval} />
                  ))}
            </tbody>
          </table>
        )}
        {failure !== null && approvals !== null && (
          <Failed what="More decisions" failure={failure} retry={() => void moreHistory()} />
        )}
        {approvals !== null && cursor !== null && failure === null && (
          <div class="more">
            {approvals.length >= MOST ? (
              <p class="quiet">
                The newest {plural(MOST, "decision")} are shown. Filter, or export, for more.
              </p>
            ) : (
              <button
                type="button"
                class="plain"
                disabled={loading}
                onClick={() => void moreHistory()}
              >
                {loading ? "Loading…" : "Older decisions"}
              </button>
            )}
          </div>
        )}
      </div>
    </main>
  );
}
