//! What each action takes and answers. A new action stops the build here.

use serde_json::{Value, json};

use super::super::problem::Slug;
use super::super::routes::{Action, Route};
use super::parts::{
    answer, bars_body, date, decision_body, header, needed_body, optional_body, query, schema,
    shared, symbol_text, time,
};
use crate::auth::Need;
use crate::wire::limits::{MAX_SUBSCRIPTIONS, SUBPROTOCOL};

/// What the table of routes does not say of a route.
pub(super) struct Operation {
    /// The section it belongs to.
    pub(super) tag: &'static str,
    /// More than the summary, if there is more.
    pub(super) description: &'static str,
    /// Parameters beside the path's.
    pub(super) parameters: Vec<Value>,
    /// The request's body.
    pub(super) body: Option<Value>,
    /// What it answers when all is well.
    pub(super) answers: Vec<(u16, Value)>,
    /// What can go wrong.
    pub(super) problems: Vec<(u16, Slug)>,
}

impl Operation {
    fn new(tag: &'static str, answers: Vec<(u16, Value)>) -> Self {
        Self {
            tag,
            description: "",
            parameters: Vec::new(),
            body: None,
            answers,
            problems: Vec::new(),
        }
    }

    fn explained(mut self, description: &'static str) -> Self {
        self.description = description;
        self
    }

    fn taking(mut self, parameters: impl IntoIterator<Item = Value>) -> Self {
        self.parameters.extend(parameters);
        self
    }

    fn reading(mut self, body: Value) -> Self {
        self.body = Some(body);
        self.failing([Slug::TooLarge, Slug::Invalid])
            .failing_as(400, Slug::Invalid)
    }

    fn failing(mut self, slugs: impl IntoIterator<Item = Slug>) -> Self {
        let usual = slugs.into_iter().map(|slug| (slug.status(), slug));
        self.problems.extend(usual);
        self
    }

    fn failing_as(mut self, status: u16, slug: Slug) -> Self {
        self.problems.push((status, slug));
        self
    }

    /// Asks a room, which can fail.
    fn asking(self) -> Self {
        self.failing([Slug::Internal])
    }

    /// A list by pages.
    fn paged(self) -> Self {
        self.taking([shared("limit"), shared("cursor")])
            .failing([Slug::Invalid])
    }
}

/// Describes a route.
pub(super) fn describe(route: &Route) -> Operation {
    let mut operation = of_action(route.action)
        .failing([Slug::Timeout, Slug::UnsupportedMediaType, Slug::Busy])
        .failing_as(414, Slug::TooLarge)
        .failing_as(431, Slug::TooLarge);
    operation.problems.push((503, Slug::Misconfigured));
    if route.need != Need::Nothing {
        operation.problems.push((401, Slug::Unauthorized));
        // Whether the token was revoked could not be found out.
        operation.problems.push((500, Slug::Internal));
    }
    if matches!(route.need, Need::Read | Need::Decide) || route.action == Action::PutBars {
        operation.problems.push((429, Slug::RateLimited));
    }
    // Every role may read.
    if matches!(route.need, Need::Decide | Need::Feed | Need::Administer) {
        operation.problems.push((403, Slug::Forbidden));
    }
    if route.path.contains("{symbol}") {
        operation.problems.push((422, Slug::Invalid));
    }
    operation
}

fn of_action(action: Action) -> Operation {
    match action {
        Action::Health => one("service", "It answers.", "Health"),
        Action::OpenApi => Operation::new(
            "service",
            vec![(
                200,
                json!({
                    "description": "This document.",
                    "content": { "application/json": { "schema": { "type": "object" } } },
                }),
            )],
        ),
        Action::Signals => one("signals", "A page of signals.", "SignalList")
            .taking([query(
                "status",
                "Only signals of this status.",
                schema("Status"),
            )])
            .paged()
            .asking(),
        Action::Signal => signal(),
        Action::History => one("signals", "A page of revisions.", "ExplainedSignalList")
            .paged()
            .failing([Slug::NotFound, Slug::NoSignal, Slug::InsufficientHistory])
            .asking(),
        Action::Top => one("signals", "The signals.", "TopSignals")
            .taking([query(
                "n",
                "Signals at most.",
                json!({
                    "type": "integer", "minimum": 1, "maximum": 100, "default": 10,
                }),
            )])
            .failing([Slug::Invalid])
            .asking(),
        Action::Approve => approve(),
        Action::SymbolApprovals => approvals().failing([Slug::NotFound]),
        Action::Approvals => approvals().taking([query(
            "symbol",
            "Only decisions on this symbol.",
            symbol_text(),
        )]),
        Action::PutBars => one("bars", "What became of the rows.", "BarsStored")
            .explained(
                "A row that is no bar is rejected and the others are stored; of several rows of \
                 one date the first counts. A CSV header that cannot be used is rejected as line \
                 1, and nothing is stored.",
            )
            .taking([query(
                "compute",
                "`now` computes the signal at once; else the next run does.",
                json!({ "type": "string", "enum": ["now"] }),
            )])
            .reading(bars_body())
            .asking(),
        Action::Bars => one("bars", "A page of bars.", "BarList")
            .taking([
                query("from", "The first date wanted.", date()),
                query("to", "The last date wanted.", date()),
            ])
            .paged()
            .failing([Slug::NotFound])
            .asking(),
        Action::City => one("signals", "The city state.", "City").asking(),
        Action::Run => one("runs", "What the run did.", "RunReport")
            .explained(
                "What is due is fetched, kept and computed. With `symbols` only these, whether or \
                 not they are due; with `backfill` their whole history.",
            )
            .reading(optional_body("RunRequest"))
            .asking(),
        Action::Runs => one("runs", "A page of runs.", "RunList")
            .explained("Runs that had nothing to do are kept for an hour.")
            .paged()
            .asking(),
        Action::Symbols => one("symbols", "A page of symbols, by name.", "SymbolList")
            .explained("The watchlist's symbols, and all others that bars were sent of.")
            .paged()
            .asking(),
        Action::SetSymbols => watchlist()
            .reading(needed_body("SymbolsRequest"))
            .failing([Slug::Invalid]),
        Action::AddSymbol => watchlist().explained("It gets its history with the next run."),
        Action::RemoveSymbol => watchlist().failing([Slug::NotFound]),
        Action::ResetSymbols => watchlist(),
        Action::BarRevisions => one("bars", "A page of changes.", "RevisionList")
            .paged()
            .failing([Slug::NotFound])
            .asking(),
        Action::Market => one("signals", "The market's mood.", "Market")
            .explained("`docs/market.md` says how it is made.")
            .asking(),
        Action::Renew => one("runs", "The rooms and their epochs.", "Epochs")
            .explained(
                "Without `symbols`: the feed, and by pages every symbol it knows. Open sockets of \
                 these rooms are closed 1012; whoever resumes with an old epoch gets a snapshot, \
                 and every symbol's current signal is told again.",
            )
            .taking([shared("cursor")])
            .reading(optional_body("EpochsRequest"))
            .failing([Slug::Invalid])
            .asking(),
        Action::Audit => audit(),
        Action::VerifyAudit => one("audit", "How the records are.", "AuditReport")
            .explained(
                "Recomputes every hash of each room's record, and compares with what the feed was \
                 told of it. `broken` names the first row that is not as it was written. Without \
                 `symbol` or `room`: the feed, and by pages of rooms every symbol.",
            )
            .taking(of_room())
            .paged()
            .failing([Slug::NotFound])
            .asking(),
        Action::Ticket => Operation::new(
            "sockets",
            vec![(
                201,
                answer("Good for one socket, for 30 seconds.", "Ticket"),
            )],
        )
        .explained("It stands in for the token that asks for it, until that expires."),
        Action::Revoke => one("users", "From when on.", "Revoked")
            .explained(
                "Everything issued to the user until now is refused, and open sockets are closed \
                 4501. A token that does not say when it was issued counts as issued before. To \
                 be repeated while `failed` names rooms.",
            )
            .reading(optional_body("RevokeRequest"))
            .asking(),
        Action::LocalRun => one("runs", "What the run did.", "RunReport")
            .explained("For peers on the same machine; not found for any other.")
            .taking([query(
                "cron",
                "The expression that is to fire.",
                json!({ "type": "string", "default": "manual" }),
            )])
            .failing([Slug::NotFound])
            .asking(),
        Action::Socket => socket(
            "Starts with all symbols, or those of `symbols`. Answers with the subprotocol where \
             it was offered; then a frame may be an array of messages.",
        )
        .taking(
            [
                query(
                    "symbols",
                    "Follow only these from the start.",
                    json!({
                        "type": "array", "items": symbol_text(), "maxItems": MAX_SUBSCRIPTIONS,
                    }),
                ),
                query(
                    "topics",
                    "Follow these too.",
                    json!({
                        "type": "array", "items": { "type": "string", "enum": ["city", "market"] },
                    }),
                ),
            ]
            .map(comma_list),
        ),
        Action::SymbolSocket => socket(
            "The shortest path to one symbol's signals and decisions. Answers with the \
             subprotocol where it was offered; then a frame may be an array of messages.",
        ),
        Action::Planned => Operation::new("planned", Vec::new()).failing([Slug::NotImplemented]),
    }
}

fn watchlist() -> Operation {
    one("symbols", "The watchlist.", "Watchlist").asking()
}

/// An action with one kind of answer.
fn one(tag: &'static str, description: &str, schema: &str) -> Operation {
    Operation::new(tag, vec![(200, answer(description, schema))])
}

fn comma_list(mut parameter: Value) -> Value {
    parameter["style"] = "form".into();
    parameter["explode"] = false.into();
    parameter
}

fn signal() -> Operation {
    let etag = json!({ "ETag": {
        "required": true,
        "description": "`\"<id>;<status>\"`, for `If-None-Match` here and `If-Match` on a decision.",
        "schema": { "type": "string", "example": "\"AAPL:2026-05-04:1;PENDING_REVIEW\"" },
    } });
    let mut found = answer("The signal.", "ExplainedSignal");
    found["headers"] = etag.clone();
    let unchanged = json!({ "description": "It is the one you have.", "headers": etag });
    Operation::new("signals", vec![(200, found), (304, unchanged)])
        .taking([header(
            "If-None-Match",
            "Known ETags; answered 304 if one is current. A `W/` before one is ignored.",
        )])
        .failing([Slug::NotFound, Slug::NoSignal, Slug::InsufficientHistory])
        .asking()
}

fn approve() -> Operation {
    let mut recorded = answer("The decision is recorded.", "Approved");
    recorded["headers"] = json!({ "Server-Timing": {
        "description": "Where the time went, milliseconds: `auth`, `body`, `room` (decision and \
            commit), `feed` (until the feed had it), and the `total` of the four.",
        "schema": {
            "type": "string",
            "example": "auth;dur=0.412, body;dur=0.020, room;dur=3.105, feed;dur=2.310, \
                total;dur=5.847",
        },
    } });
    Operation::new("approvals", vec![(200, recorded)])
        .explained(
            "Of two decisions on one signal the first wins. A 409 carries the current signal.",
        )
        .taking([header(
            "If-Match",
            "ETags of the signal looked at: the decision fails if none is of the current id. \
             Their status and a `W/` are ignored; `*` fits any.",
        )])
        .taking([header(
            "Idempotency-Key",
            "A key of the client's choice, 1 to 255 characters. The same request under the same \
             key within a day is answered as the first was; another request under it is refused.",
        )])
        .reading(decision_body())
        .failing([Slug::NoSignal, Slug::AlreadyDecided, Slug::StaleSignal])
        .asking()
}

/// One room, for who wants no other.
fn of_room() -> [Value; 2] {
    [
        query("symbol", "Only this symbol's room.", symbol_text()),
        query(
            "room",
            "Only this room: `feed`, or `symbol/` and a symbol.",
            json!({ "type": "string", "example": "feed" }),
        ),
    ]
}

/// Adds another form of an operation's answer: a file, whose next page a header links to.
fn or_file(mut operation: Operation, content_type: &str, example: &str) -> Operation {
    let (_, answer) = &mut operation.answers[0];
    answer["content"][content_type] = json!({
        "schema": { "type": "string" },
        "example": example,
    });
    answer["headers"] = json!({ "Link": {
        "description": "Of a file: the next page, `rel=\"next\"`; absent on the last.",
        "schema": { "type": "string" },
    } });
    operation
}

fn audit() -> Operation {
    let list = one("audit", "A page of rows.", "AuditList")
        .explained(
            "Decisions, refused decisions, imports of bars, revoked tokens and new epochs, each \
             row with the hash of the one before: `docs/audit.md` says how to check them. JSON \
             has a room's newest row first; JSON Lines, by `format` or an `Accept` that names \
             `application/jsonl`, its oldest. Without `symbol` or `room`: the feed's, then every \
             symbol's by name.",
        )
        .taking(of_room())
        .taking([query(
            "format",
            "`jsonl` for JSON Lines, whatever `Accept` says.",
            json!({ "type": "string", "enum": ["json", "jsonl"] }),
        )])
        .paged()
        .failing([Slug::NotFound])
        .asking();
    or_file(list, "application/jsonl", "{\"action\":\"approval\",…}\n")
}

fn approvals() -> Operation {
    let list = one("approvals", "A page of decisions.", "ApprovalList")
        .explained(
            "As CSV where `Accept` names `text/csv`. A cell that a spreadsheet would run gets a \
             `'` in front.",
        )
        .taking([
            query(
                "by",
                "Only decisions of this subject.",
                json!({ "type": "string" }),
            ),
            query(
                "from",
                "Decided at or after; a date is its midnight, UTC.",
                time(),
            ),
            query(
                "to",
                "Decided at or before; a date counts whole, UTC.",
                time(),
            ),
        ])
        .paged()
        .asking();
    or_file(
        list,
        "text/csv; charset=utf-8; header=present",
        "approved_at,symbol,approved_status,approved_by,note,signal_id\r\n",
    )
}

fn socket(description: &'static str) -> Operation {
    let switched = json!({
        "description": "The socket is open; `welcome` is its first message.",
        "headers": { "Sec-WebSocket-Protocol": {
            "description": "Where it was offered.",
            "schema": { "type": "string", "const": SUBPROTOCOL },
        } },
    });
    Operation::new("sockets", vec![(101, switched)])
        .explained(description)
        .taking([shared("epoch"), shared("since")])
        .failing([Slug::Forbidden, Slug::Invalid])
        .failing_as(426, Slug::Invalid)
}
