// What this symbol was before: its revisions, newest first, each with what was decided on it.

import { scoreExact } from "../format/number";
import { ago, parse, session, stamp } from "../format/time";
import { Note } from "../parts/note";
import { SuggestionTag } from "../parts/tags";
import { UserText } from "../parts/text";
import { now } from "../store/clock";
import { HISTORY, openWhole } from "../store/detail";
import type { Approval, ExplainedSignal } from "../types";

/** A decision: who, what, when, and why. */
export function DecisionLine({ approval }: { approval: Approval }) {
  const at = parse(approval.approved_at);
  return (
    <div class="decision">
      <p>
        <b>
          <UserText text={approval.approved_by} />
        </b>{" "}
        decided <SuggestionTag value={approval.approved_status} />{" "}
        <time class="quiet" dateTime={approval.approved_at} title={stamp(at)}>
          {ago(at, now.value)}
        </time>
      </p>
      {approval.note != null && approval.note !== "" && <Note text={approval.note} />}
    </div>
  );
}

/** The third column under the chart. */
export function Revisions({
  symbol,
  history,
  approvals,
}: {
  symbol: string;
  history: readonly ExplainedSignal[];
  approvals: readonly Approval[];
}) {
  const byId = new Map(approvals.map((approval) => [approval.signal_id, approval]));
  return (
    <>
      <ol class="revisions">
        {history.map((signal) => {
          const approval = byId.get(signal.id) ?? signal.approval;
          const at = parse(signal.computed_at);
          return (
            <li key={signal.id}>
              <div class="revision">
                <span title={`Computed ${stamp(at)}`}>
                  {session(signal.ts)}
                  {signal.revision > 1 && <span class="quiet"> r{signal.revision}</span>}
                </span>
                <SuggestionTag value={signal.recommendation.suggested} />
                <span class="quiet small">
                  {approval !== null && approval !== undefined
                    ? "◆ Decided"
                    : signal.awaiting_approval
                      ? "◌ Pending"
                      : "◇ Superseded"}
                </span>
                <span class="quiet small num">trust {scoreExact(signal.combined_trust)}</span>
              </div>
              {approval != null && <DecisionLine approval={approval} />}
            </li>
          );
        })}
      </ol>
      {history.length === HISTORY && (
        <button type="button" class="link older" onClick={() => openWhole(symbol)}>
          Older revisions
        </button>
      )}
    </>
  );
}
