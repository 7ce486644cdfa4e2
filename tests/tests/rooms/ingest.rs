//! A symbol's room takes what a provider had. Day 0 of the bars that tests have is 2021-02-25, a
//! Thursday.

use signalroom_core::room::call::{Call, Reply};
use signalroom_core::room::signal::Signal;

use crate::support::script::holds;
use crate::support::world::World;

#[test]
fn a_first_fill_is_kept_and_the_same_again_is_not() {
    holds(
        "
        > at 2021-02-25T22:00:00Z
        > connect AAPL 1
        1 < welcome e1 #0
        1 < snapshot [], no city
        > ingest AAPL yahoo 2018-01-02 history 0:BUY
        301 accepted, 0 replaced, 0 unchanged, Some(New)
        1 < #1 new_signal AAPL:2021-02-25:1 BUY PENDING_REVIEW
        > ingest AAPL yahoo 2021-02-15 tail=8 0:BUY
        0 accepted, 0 replaced, 9 unchanged, Some(Unchanged)
        > revisions AAPL
        []
        > audit AAPL
        [#1 bars_fetch by cron accepted=301 replaced=0 rejected=0]
        > says AAPL
        AAPL:2021-02-25:1 final
        > push AAPL
        [#1] v1
        > arrive AAPL
        has #1 v1, own #1
        > ack AAPL
        > supply feed watchlist=AAPL
        Config: [AAPL watched next 2021-02-25T22:00:00.000Z]
        ",
    );
}
#[test]
fn a_bar_of_a_session_under_way_is_provisional_until_it_is_confirmed() {
    holds(
        "
        > at 2021-02-25T19:00:00Z
        > connect AAPL 1
        1 < welcome e1 #0
        1 < snapshot [], no city
        > ingest AAPL yahoo 2018-01-02 history 0:BUY
        301 accepted, 0 replaced, 0 unchanged, Some(New)
        1 < #1 new_signal AAPL:2021-02-25:1 BUY PENDING_REVIEW
        > says AAPL
        AAPL:2021-02-25:1 provisional
        > ingest AAPL yahoo 2021-02-15 tail=8 0:BUY
        0 accepted, 0 replaced, 9 unchanged, Some(Unchanged)
        > ingest AAPL yahoo 2021-02-15 tail=8 0:BUY2
        0 accepted, 1 replaced, 8 unchanged, Some(New)
        1 < #2 new_signal AAPL:2021-02-25:2 BUY PENDING_REVIEW
        > at 2021-02-25T22:00:00Z
        > ingest AAPL yahoo 2021-02-15 tail=8 0:BUY2
        0 accepted, 0 replaced, 9 unchanged, Some(New)
        1 < #3 new_signal AAPL:2021-02-25:3 BUY PENDING_REVIEW
        > says AAPL
        AAPL:2021-02-25:3 final
        > ingest AAPL yahoo 2021-02-15 tail=8 0:BUY2
        0 accepted, 0 replaced, 9 unchanged, Some(Unchanged)
        > revisions AAPL
        []
        > audit AAPL
        [#1 bars_fetch by cron accepted=301 replaced=0 rejected=0]
        > history AAPL
        [AAPL:2021-02-25:3 BUY PENDING_REVIEW, AAPL:2021-02-25:2 BUY SUPERSEDED, AAPL:2021-02-25:1 BUY SUPERSEDED]
        ",
    );
}
#[test]
fn a_decision_on_a_provisional_signal_stands_until_the_suggestion_changes() {
    holds(
        "
        > at 2021-02-25T19:00:00Z
        > ingest AAPL yahoo 2018-01-02 history 0:BUY
        301 accepted, 0 replaced, 0 unchanged, Some(New)
        > approve AAPL BUY alice
        AAPL:2021-02-25:1 BUY by alice at #2
        > ingest AAPL yahoo 2021-02-15 tail=8 0:BUY2
        0 accepted, 1 replaced, 8 unchanged, Some(Unchanged)
        > at 2021-02-25T22:00:00Z
        > ingest AAPL yahoo 2021-02-15 tail=8 0:BUY2
        0 accepted, 0 replaced, 9 unchanged, Some(Unchanged)
        > says AAPL
        AAPL:2021-02-25:1 provisional
        > ingest AAPL yahoo 2021-02-15 tail=8 0:RISK
        0 accepted, 1 replaced, 8 unchanged, Some(New)
        > history AAPL
        [AAPL:2021-02-25:2 RISK PENDING_REVIEW, AAPL:2021-02-25:1 BUY APPROVED_BUY]
        > revisions AAPL
        [2021-02-25 85.5 is 60]
        ",
    );
}
#[test]
fn what_is_final_is_not_replaced_by_what_is_not() {
    holds(
        "
        > at 2021-02-25T19:00:00Z
        > ingest AAPL yahoo 2018-01-02 history
        300 accepted, 0 replaced, 0 unchanged, Some(New)
        > bars AAPL 0 BUY now
        1 accepted, 0 replaced, 0 unchanged, signal AAPL:2021-02-25:1 BUY PENDING_REVIEW
        > ingest AAPL yahoo 2021-02-15 tail=8 0:RISK
        0 accepted, 0 replaced, 8 unchanged, Some(Unchanged)
        > says AAPL
        AAPL:2021-02-25:1 final
        > at 2021-02-26T19:00:00Z
        > ingest AAPL yahoo 2021-02-15 tail=8 0:BUY 1:BUY
        1 accepted, 0 replaced, 9 unchanged, Some(New)
        > says AAPL
        AAPL:2021-02-26:1 provisional
        > bars AAPL 1 BUY now
        0 accepted, 0 replaced, 1 unchanged, signal AAPL:2021-02-26:2 NEUTRAL PENDING_REVIEW
        > says AAPL
        AAPL:2021-02-26:2 final
        > ingest AAPL yahoo 2021-02-15 tail=8 0:BUY 1:RISK
        0 accepted, 0 replaced, 9 unchanged, Some(Unchanged)
        > at 2021-02-26T22:00:00Z
        > ingest AAPL yahoo 2021-02-15 tail=8 0:BUY 1:BUY
        0 accepted, 0 replaced, 10 unchanged, Some(Unchanged)
        > ingest AAPL yahoo 2021-02-15 tail=8 0:BUY 1:RISK
        0 accepted, 1 replaced, 9 unchanged, Some(New)
        > revisions AAPL
        [2021-02-26 85.425 is 60.3]
        ",
    );
}
#[test]
fn a_correction_is_kept_and_put_on_record() {
    holds(
        "
        > at 2021-02-25T22:00:00Z
        > ingest AAPL yahoo 2018-01-02 history 0:BUY
        301 accepted, 0 replaced, 0 unchanged, Some(New)
        > ingest AAPL yahoo 2021-02-15 tail=8 0:BUY more=2021-02-22:1.01
        0 accepted, 1 replaced, 8 unchanged, Some(Unchanged)
        > revisions AAPL
        [2021-02-22 79.6061 is 80.40216099999999]
        > audit AAPL
        [#1 bars_fetch by cron accepted=301 replaced=0 rejected=0, #2 bars_fetch by cron accepted=0 replaced=1 rejected=0]
        > ingest AAPL yahoo 2021-02-15 tail=8 0:BUY more=2021-02-15:1.01 more=2021-02-22:1.01
        wants everything from 2018-01-02
        > ingest AAPL yahoo 2018-01-02 history 0:BUY more=2021-02-15:1.01 more=2021-02-22:1.01
        0 accepted, 1 replaced, 300 unchanged, Some(New)
        > ingest AAPL yahoo 2018-01-02 history 0:BUY more=2020-01-02:1.01
        0 accepted, 3 replaced, 298 unchanged, Some(New)
        > revisions AAPL
        [2021-02-22 80.40216099999999 is 79.6061, 2021-02-15 82.94281600000001 is 82.1216, 2020-01-02 99.9079 is 100.90697899999999, 2021-02-15 82.1216 is 82.94281600000001, 2021-02-22 79.6061 is 80.40216099999999]
        > history AAPL
        [AAPL:2021-02-25:3 BUY PENDING_REVIEW, AAPL:2021-02-25:2 BUY SUPERSEDED, AAPL:2021-02-25:1 BUY SUPERSEDED]
        ",
    );
}
#[test]
fn a_split_replaces_the_whole_history_at_once() {
    holds(
        "
        > at 2021-02-26T22:00:00Z
        > ingest AAPL yahoo 2018-01-02 history 0:BUY
        301 accepted, 0 replaced, 0 unchanged, Some(New)
        > ingest AAPL yahoo 2021-02-15 tail=8 0:BUY 1:BUY x=0.25
        wants everything from 2018-01-02
        > closes AAPL 500
        301 closes
        > ingest AAPL yahoo 2018-01-02 history 0:BUY 1:BUY x=0.25
        1 accepted, 301 replaced, 0 unchanged, Some(New)
        > revisions AAPL
        [301 bars 2020-01-02 to 2021-02-25 by 0.25]
        > audit AAPL
        [#1 bars_fetch by cron accepted=301 replaced=0 rejected=0, #2 bars_fetch by cron accepted=1 replaced=301 rejected=0]
        > ingest AAPL yahoo 2018-01-02 tail=2 0:BUY 1:BUY x=0.125
        0 accepted, 302 replaced, 0 unchanged, Some(New)
        > closes AAPL 500
        302 closes
        > revisions AAPL
        [302 bars 2020-01-02 to 2021-02-26 by 0.5, 301 bars 2020-01-02 to 2021-02-25 by 0.25]
        ",
    );
}
#[test]
fn somebody_elses_rounding_changes_nothing_and_somebody_elses_adjustment_everything() {
    holds(
        "
        > at 2021-02-25T22:00:00Z
        > ingest AAPL yahoo 2018-01-02 history 0:BUY
        301 accepted, 0 replaced, 0 unchanged, Some(New)
        > ingest AAPL stooq 2021-02-15 tail=8 0:BUY x=1.00005
        0 accepted, 0 replaced, 9 unchanged, Some(Unchanged)
        > ingest AAPL stooq 2021-02-15 tail=8 0:BUY x=1.00005
        0 accepted, 0 replaced, 9 unchanged, Some(Unchanged)
        > ingest AAPL tiingo 2021-02-15 tail=8 0:BUY near
        0 accepted, 0 replaced, 9 unchanged, Some(Unchanged)
        > ingest AAPL yahoo 2021-02-15 tail=8 0:BUY near
        0 accepted, 0 replaced, 9 unchanged, Some(Unchanged)
        > revisions AAPL
        []
        > ingest AAPL stooq 2021-02-15 tail=8 0:BUY x=0.99
        wants everything from 2018-01-02
        > ingest AAPL stooq 2018-01-02 history 0:BUY x=0.99
        0 accepted, 301 replaced, 0 unchanged, Some(New)
        > revisions AAPL
        [301 bars 2020-01-02 to 2021-02-25 by 0.9900000000000001]
        ",
    );
}
#[test]
fn a_gap_is_refilled_or_noted_as_absent() {
    holds(
        "
        > at 2021-02-25T22:00:00Z
        > ingest AAPL yahoo 2018-01-02 history 0:BUY less=2020-06-10 less=2021-02-22
        299 accepted, 0 replaced, 0 unchanged, Some(New)
        > deliver AAPL
        [#1] v1
        > supply feed watchlist=AAPL
        Config: [AAPL watched next 2021-02-25T22:00:00.000Z missing 2021-02-22]
        > ingest AAPL yahoo 2020-05-31 history 0:BUY less=2021-02-22
        1 accepted, 0 replaced, 192 unchanged, Some(New)
        > deliver AAPL
        [#2] v2
        > supply feed watchlist=AAPL
        Config: [AAPL watched next 2021-02-25T22:00:00.000Z missing 2021-02-22]
        > at 2021-03-02T22:00:00Z
        > ingest AAPL yahoo 2021-02-15 tail=8 0:BUY 1:BUY 2:BUY 3:BUY less=2021-02-22
        3 accepted, 0 replaced, 8 unchanged, Some(New)
        > deliver AAPL
        [#3] v3
        > supply feed watchlist=AAPL
        Config: [AAPL watched next 2021-03-02T22:00:00.000Z]
        ",
    );
}
#[test]
fn what_was_sent_is_filled_up_and_a_late_bar_takes_its_place() {
    holds(
        "
        > at 2021-02-25T22:00:00Z
        > bars AAPL history
        300 accepted, 0 replaced, 0 unchanged
        > bars AAPL 0 BUY
        1 accepted, 0 replaced, 0 unchanged
        > bars AAPL 5 BUY
        1 accepted, 0 replaced, 0 unchanged
        > deliver AAPL
        [] v3 dirty
        > supply feed watchlist=AAPL
        Config: [AAPL watched next 2021-02-25T22:00:00.000Z missing 2018-01-02]
        > at 2021-03-04T22:00:00Z
        > ingest AAPL yahoo 2018-01-02 history 0:BUY 1:BUY 2:BUY 4:BUY 5:BUY
        3 accepted, 0 replaced, 302 unchanged, Some(New)
        > deliver AAPL
        [#1] v4
        > supply feed watchlist=AAPL
        Config: [AAPL watched next 2021-03-04T22:00:00.000Z missing 2021-03-02]
        > ingest AAPL yahoo 2021-02-18 tail=5 0:BUY 1:BUY 2:BUY 3:BUY 4:BUY 5:BUY
        1 accepted, 0 replaced, 10 unchanged, Some(New)
        > deliver AAPL
        [#2] v5
        > supply feed watchlist=AAPL
        Config: [AAPL watched next 2021-03-04T22:00:00.000Z]
        ",
    );
}
#[test]
fn a_provisional_bar_that_never_became_final_is_withdrawn() {
    holds(
        "
        > at 2021-02-25T19:00:00Z
        > ingest AAPL yahoo 2018-01-02 history 0:BUY
        301 accepted, 0 replaced, 0 unchanged, Some(New)
        > at 2021-02-25T22:05:00Z
        > ingest AAPL yahoo 2021-02-15 tail=8
        0 accepted, 0 replaced, 8 unchanged, Some(Unchanged)
        > says AAPL
        AAPL:2021-02-25:1 provisional
        > at 2021-02-26T22:05:00Z
        > ingest AAPL yahoo 2021-02-15 tail=8 1:BUY
        1 accepted, 0 replaced, 8 unchanged, Some(New)
        > revisions AAPL
        [2021-02-25 85 is nothing]
        > says AAPL
        AAPL:2021-02-26:1 final
        > closes AAPL 500
        301 closes
        ",
    );
}
#[test]
fn old_bars_weekends_and_empty_answers_are_borne() {
    holds(
        "
        > at 2021-02-28T12:00:00Z
        > ingest BTC-USD yahoo 2018-01-02 history 0:BUY 1:BUY old=2017-12-31 old=2021-02-27 old=2021-02-28
        304 accepted, 0 replaced, 0 unchanged, Some(New)
        > deliver BTC-USD
        [#1] v1
        > supply feed watchlist=BTC-USD
        Config: [BTC-USD watched provisional next 2021-02-28T12:00:00.000Z]
        > says BTC-USD
        BTC-USD:2021-02-28:1 provisional
        > ingest MSFT yahoo 2018-01-02
        0 accepted, 0 replaced, 0 unchanged, None
        > latest MSFT
        UnknownSymbol
        > deliver MSFT
        > supply feed watchlist=MSFT
        Config: [BTC-USD provisional, MSFT watched stale next 2021-02-28T12:00:00.000Z missing 2018-01-02]
        > bars OLD history
        300 accepted, 0 replaced, 0 unchanged
        > bars OLD 0 BUY
        1 accepted, 0 replaced, 0 unchanged
        > ingest OLD yahoo 2020-06-01 history 0:BUY x=0.5
        wants everything from 2018-01-02
        > ingest OLD yahoo 2018-01-02 history 0:BUY x=0.5 less=2020-01-02
        0 accepted, 301 replaced, 0 unchanged, Some(New)
        > closes OLD 500
        301 closes
        > revisions OLD
        [301 bars 2020-01-02 to 2021-02-25 by 0.5]
        ",
    );
}

fn latest(world: &mut World, symbol: &str) -> Signal {
    match world.call(symbol, Call::Latest) {
        Ok(Reply::Latest(signal)) => *signal,
        answer => panic!("{answer:?}"),
    }
}

#[test]
fn a_split_moves_no_score() {
    for ratio in ["0.25", "0.1", "20"] {
        let mut world = World::new(100);
        world.command("at 2021-02-25T22:00:00Z");
        world.command("ingest AAPL yahoo 2018-01-02 history 0:BUY");
        let before = latest(&mut world, "AAPL");
        // The answer lacks the oldest bars: they are scaled like the others.
        for bars in ["history 0:BUY", "tail=8 0:BUY"] {
            world.command(&format!("ingest AAPL yahoo 2018-01-02 {bars} x={ratio}"));
            let after = latest(&mut world, "AAPL");
            let scores = |signal: &Signal| {
                let content = &signal.content;
                [
                    content.unslug_score,
                    content.fear_score,
                    content.combined_trust,
                ]
            };
            for (before, after) in scores(&before).into_iter().zip(scores(&after)) {
                assert!(
                    (before - after).abs() < 1e-9,
                    "{before} is {after} by {ratio}"
                );
            }
            world.command("ingest AAPL yahoo 2018-01-02 history 0:BUY");
        }
    }
}
