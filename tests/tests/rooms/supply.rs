//! What the feed hands out, and what it makes of what became of it.

use signalroom_core::store::{Columns, Sql};

use crate::support::script::holds;
use crate::support::world::World;

#[test]
fn what_is_due_goes_by_the_clock() {
    holds(
        "
        > at 2021-02-25T12:00:00Z
        > plan feed watchlist=A,B providers=yahoo run=r1
        [], look [A, B], stale [A never, B never], fetch [A 2018-01-02, B 2018-01-02], grants [yahoo 4]
        > plan feed watchlist=A,B providers=yahoo
        [], look [A, B], stale [A never, B never]
        > runs feed
        [r1 open]
        > wait 60000
        > ingest A yahoo 2018-01-02 history
        300 accepted, 0 replaced, 0 unchanged, Some(New)
        > deliver A
        [#1] v1
        > finish feed run=r1 ago=60000 watchlist=A,B providers=yahoo A:new@yahoo#etag B:failed!why
        stable: Mean trust 0.485 over 1 symbol.
        > runs feed
        [r1]
        > supply feed watchlist=A,B
        Config: [A watched next 2021-02-25T14:35:00.000Z, B watched stale next 2021-02-25T12:02:00.000Z 1 failed missing 2018-01-02 (why)]
        > plan feed watchlist=A,B providers=yahoo
        [], stale [B never]
        > wait 60000
        > plan feed watchlist=A,B providers=yahoo
        [], stale [B never], fetch [B 2018-01-02], grants [yahoo 2]
        > finish feed watchlist=A,B providers=yahoo B:failed!again
        stable: Mean trust 0.485 over 1 symbol.
        > supply feed watchlist=A,B
        Config: [A watched next 2021-02-25T14:35:00.000Z, B watched stale next 2021-02-25T12:04:00.000Z 2 failed missing 2018-01-02 (again)]
        > at 2021-02-25T14:34:59Z
        > plan feed watchlist=A,B providers=yahoo
        [], look [A], stale [B never], fetch [B 2018-01-02], grants [yahoo 2]
        > at 2021-02-25T14:35:00Z
        > plan feed watchlist=A,B providers=yahoo
        [], stale [B never], fetch [A 2021-02-14 if changed], grants [yahoo 2]
        > ingest A yahoo 2021-02-14 tail=8 0:BUY
        1 accepted, 0 replaced, 8 unchanged, Some(New)
        > deliver A
        [#2] v2
        > finish feed watchlist=A,B providers=yahoo A:new@yahoo#etag B:failed!third
        stable: Mean trust 0.659 over 1 symbol.
        > supply feed watchlist=A,B
        Config: [A watched provisional next 2021-02-25T14:40:00.000Z, B watched stale next 2021-02-25T14:39:00.000Z 3 failed missing 2018-01-02 (third)]
        > at 2021-02-25T21:59:59Z
        > plan feed watchlist=A providers=yahoo
        [], look [A], fetch [A 2021-02-15 if changed], grants [yahoo 2]
        > finish feed watchlist=A providers=yahoo A:unchanged@yahoo#etag
        stable: Mean trust 0.659 over 1 symbol.
        > supply feed watchlist=A
        Config: [A watched provisional next 2021-02-25T22:00:00.000Z]
        > at 2021-02-25T22:00:00Z
        > plan feed watchlist=A providers=yahoo
        [], fetch [A 2021-02-15], grants [yahoo 2]
        > ingest A yahoo 2021-02-15 tail=8 0:BUY
        0 accepted, 0 replaced, 9 unchanged, Some(New)
        > deliver A
        [#3] v3
        > finish feed watchlist=A providers=yahoo A:new@yahoo#etag
        stable: Mean trust 0.659 over 1 symbol.
        > supply feed watchlist=A
        Config: [A watched next 2021-02-26T14:35:00.000Z]
        > at 2021-02-26T22:00:00Z
        > plan feed watchlist=A providers=yahoo intraday=0
        [], look [A], stale [A 2021-02-25], fetch [A 2021-02-15 if changed], grants [yahoo 2]
        > finish feed watchlist=A providers=yahoo intraday=0 A:unchanged@yahoo
        stable: Mean trust 0.659 over 1 symbol.
        > supply feed watchlist=A
        Config: [A watched stale next 2021-02-26T22:10:00.000Z]
        ",
    );
}
#[test]
fn the_claims_of_a_run_that_died_lapse_and_its_late_word_frees_nobody_elses() {
    holds(
        "
        > at 2021-02-25T12:00:00Z
        > plan feed watchlist=A providers=yahoo run=dead
        [], look [A], stale [A never], fetch [A 2018-01-02], grants [yahoo 2]
        > wait 299999
        > plan feed watchlist=A providers=yahoo
        [], stale [A never]
        > wait 1
        > plan feed watchlist=A providers=yahoo run=next
        [], stale [A never], fetch [A 2018-01-02], grants [yahoo 2]
        > wait 60000
        > finish feed run=dead ago=360000 watchlist=A providers=yahoo A:failed!late
        null: No symbol has all three scores yet.
        > wait 120000
        > plan feed watchlist=A providers=yahoo
        [], stale [A never]
        > runs feed
        [next open, dead]
        > plan feed watchlist=A providers=yahoo only=A
        [], stale [A never], fetch [A 2018-01-02], grants [yahoo 2]
        > finish feed run=next ago=120000 watchlist=A providers=yahoo A:deferred
        null: No symbol has all three scores yet.
        > plan feed watchlist=A providers=yahoo
        [], stale [A never]
        ",
    );
}
#[test]
fn a_provider_is_left_alone_for_as_long_as_it_asked_for() {
    holds(
        "
        > at 2021-02-25T12:00:00Z
        > plan feed watchlist=A,B providers=yahoo,stooq
        [], look [A, B], stale [A never, B never], fetch [A 2018-01-02, B 2018-01-02], grants [yahoo 4, stooq 4]
        > finish feed watchlist=A,B providers=yahoo,stooq A:deferred B:deferred trouble=yahoo:3600000
        null: No symbol has all three scores yet.
        > plan feed watchlist=A,B providers=yahoo
        [], look [A, B], stale [A never, B never], 2 deferred
        > plan feed watchlist=A,B providers=yahoo,stooq
        [], look [A, B], stale [A never, B never], fetch [A 2018-01-02, B 2018-01-02], grants [stooq 4]
        > finish feed watchlist=A,B providers=yahoo,stooq A:deferred B:deferred answered=yahoo trouble=stooq
        null: No symbol has all three scores yet.
        > plan feed watchlist=A,B providers=yahoo,stooq
        [], look [A, B], stale [A never, B never], 2 deferred
        > wait 60000
        > plan feed watchlist=A,B providers=yahoo,stooq
        [], stale [A never, B never], fetch [A 2018-01-02, B 2018-01-02], grants [stooq 4]
        > wait 3540000
        > plan feed watchlist=A,B providers=yahoo,stooq
        [], look [A, B], stale [A never, B never], fetch [A 2018-01-02, B 2018-01-02], grants [yahoo 4, stooq 4]
        ",
    );
}
#[test]
fn a_rate_is_not_exceeded_and_the_rest_comes_later() {
    holds(
        "
        > at 2021-02-25T12:00:00Z
        > plan feed watchlist=A,B,C,D,E providers=yahoo rate=4
        [], look [A, B, C, D, E], stale [A never, B never, C never, D never, E never], fetch [A 2018-01-02, B 2018-01-02, C 2018-01-02, D 2018-01-02], grants [yahoo 4], 1 deferred
        > plan feed watchlist=A,B,C,D,E providers=yahoo rate=4
        [], look [A, B, C, D, E], stale [A never, B never, C never, D never, E never], 1 deferred
        > wait 15000
        > plan feed watchlist=A,B,C,D,E providers=yahoo rate=4
        [], look [A, B, C, D, E], stale [A never, B never, C never, D never, E never], fetch [E 2018-01-02], grants [yahoo 1]
        ",
    );
}
#[test]
fn a_budget_is_not_exceeded_and_what_waits_longest_is_first() {
    holds(
        "
        > at 2021-02-25T12:00:00Z
        > plan feed watchlist=A,B,C,D,E providers=yahoo subrequests=8
        [], look [A, B], stale [A never, B never, C never, D never, E never], fetch [A 2018-01-02], grants [yahoo 2], 4 deferred
        > finish feed watchlist=A,B,C,D,E providers=yahoo A:failed!why B:failed!why
        null: No symbol has all three scores yet.
        > plan feed watchlist=A,B,C,D,E providers=yahoo subrequests=8
        [], look [A, B], stale [A never, B never, C never, D never, E never], fetch [C 2018-01-02], grants [yahoo 2], 2 deferred
        > finish feed watchlist=A,B,C,D,E providers=yahoo C:failed!why D:failed!why
        null: No symbol has all three scores yet.
        > wait 60000
        > plan feed watchlist=A,B,C,D,E providers=yahoo subrequests=8
        [], stale [A never, B never, C never, D never, E never], fetch [E 2018-01-02, A 2018-01-02], grants [yahoo 4], 3 deferred
        > finish feed watchlist=A,B,C,D,E providers=yahoo E:failed!why A:failed!why
        null: No symbol has all three scores yet.
        > plan feed watchlist=A,B,C,D,E providers=yahoo subrequests=8
        [], stale [A never, B never, C never, D never, E never], fetch [B 2018-01-02, C 2018-01-02], grants [yahoo 4], 1 deferred
        > plan feed watchlist=A,B,C,D,E providers=yahoo subrequests=3
        [], stale [A never, B never, C never, D never, E never], 1 deferred
        > bars X history
        300 accepted, 0 replaced, 0 unchanged
        > deliver X
        [] v1 dirty
        > bars Y history
        300 accepted, 0 replaced, 0 unchanged
        > deliver Y
        [] v1 dirty
        > plan feed providers=yahoo subrequests=5
        [X]
        > plan feed watchlist=X,Y providers=yahoo subrequests=7
        [], fetch [X 2018-01-02], grants [yahoo 2], 1 deferred
        ",
    );
}
#[test]
fn what_is_asked_for_by_name_is_fetched_at_once() {
    holds(
        "
        > at 2021-02-25T12:00:00Z
        > ingest A yahoo 2018-01-02 history
        300 accepted, 0 replaced, 0 unchanged, Some(New)
        > deliver A
        [#1] v1
        > plan feed watchlist=A providers=yahoo
        []
        > finish feed watchlist=A providers=yahoo A:new@yahoo#etag
        stable: Mean trust 0.485 over 1 symbol.
        > plan feed watchlist=A providers=yahoo only=A
        [], fetch [A 2021-02-14 if changed], grants [yahoo 2]
        > plan feed watchlist=A providers=yahoo only=A,Z backfill
        [], fetch [A 2018-01-02, Z 2018-01-02], grants [yahoo 4]
        > plan feed watchlist=A providers=yahoo
        []
        > plan feed watchlist=A providers=yahoo only=Z
        [], fetch [Z 2018-01-02], grants [yahoo 2]
        > finish feed watchlist=A providers=yahoo A:unchanged@yahoo Z:failed!none
        stable: Mean trust 0.485 over 1 symbol.
        > plan feed watchlist=A providers=yahoo
        []
        > supply feed watchlist=A
        Config: [A watched next 2021-02-25T14:35:00.000Z]
        ",
    );
}
#[test]
fn a_symbol_that_is_not_watched_any_more_is_forgotten() {
    holds(
        "
        > at 2021-02-25T12:00:00Z
        > plan feed watchlist=A,B providers=yahoo
        [], look [A, B], stale [A never, B never], fetch [A 2018-01-02, B 2018-01-02], grants [yahoo 4]
        > finish feed watchlist=A,B providers=yahoo A:failed!why B:failed!why
        null: No symbol has all three scores yet.
        > supply feed watchlist=A,B
        Config: [A watched stale next 2021-02-25T12:01:00.000Z 1 failed missing 2018-01-02 (why), B watched stale next 2021-02-25T12:01:00.000Z 1 failed missing 2018-01-02 (why)]
        > watch feed remove B configured=A,B
        Desk: [A]
        > watch feed remove B configured=A,B
        NotWatched
        > watch feed add C configured=A,B
        Desk: [A, C]
        > supply feed watchlist=A,B
        Desk: [A watched stale next 2021-02-25T12:01:00.000Z 1 failed missing 2018-01-02 (why), C watched stale next 2021-02-25T12:00:00.000Z missing 2018-01-02]
        > plan feed watchlist=A,B providers=yahoo
        [], look [A, C], stale [A never, C never], fetch [C 2018-01-02], grants [yahoo 2]
        > watch feed reset configured=A,B
        Config: [A, B]
        > supply feed watchlist=A,B
        Config: [A watched stale next 2021-02-25T12:01:00.000Z 1 failed missing 2018-01-02 (why), B watched stale next 2021-02-25T12:00:00.000Z missing 2018-01-02]
        > plan feed watchlist=A,B providers=yahoo
        [], look [A, B], stale [A never, B never], fetch [B 2018-01-02], grants [yahoo 2]
        > watch feed set Q,P configured=A,B
        Desk: [P, Q]
        > watch feed set Q,P configured=A,B
        Desk: [P, Q]
        > audit feed
        [#1 watchlist_change by root, #2 watchlist_change by root, #3 watchlist_change by root, #4 watchlist_change by root]
        ",
    );
}
#[test]
fn series_are_merged_and_a_change_of_mood_is_told_to_those_who_follow_it() {
    holds(
        "
        > at 2021-02-25T12:00:00Z
        > connect feed 1 market
        1 < welcome e1 #0
        1 < snapshot [], city null
        > connect feed 2
        2 < welcome e1 #0
        2 < snapshot [], city null
        > market feed
        no mood
        > plan feed providers=fred,cboe
        [], series [vix, high_yield_spread, yield_curve, ten_year, put_call], grants [fred 44, cboe 44]
        > finish feed providers=fred,cboe series.vix:new@fred/2021-02-24/700 series.high_yield_spread:new@fred/2021-02-24/400 series.yield_curve:failed series.put_call:new@cboe/2021-02-24/300
        null: No symbol has all three scores yet.
        1 < market_update
        > plan feed providers=fred,cboe
        []
        > market feed
        mood None
        > finish feed providers=fred,cboe series.vix:unchanged@fred
        null: No symbol has all three scores yet.
        > wait 3600000
        > plan feed providers=fred,cboe
        [], series [ten_year, yield_curve, put_call, vix, high_yield_spread], grants [fred 44, cboe 44]
        > finish feed providers=fred,cboe series.vix:new@fred/2021-02-24/3
        null: No symbol has all three scores yet.
        > finish feed providers=fred,cboe series.vix:new@fred/2021-02-25/1
        null: No symbol has all three scores yet.
        1 < market_update
        ",
    );
}

#[test]
fn runs_are_kept_and_those_with_nothing_to_do_for_an_hour() {
    let mut world = World::new(100);
    world.command("at 2021-02-25T12:00:00Z");
    world.command("plan feed watchlist=A providers=yahoo run=died");
    for run in 0..70 {
        world.command(&format!("finish feed run=idle{run}"));
    }
    let shown = world.command("runs feed").said.expect("runs");
    assert_eq!(shown.matches("idle").count(), 60, "{shown}");
    assert!(shown.starts_with("[idle69, idle68") && shown.ends_with("idle10, died open]"));
    for run in 0..510 {
        world.command(&format!("finish feed run=busy{run} A:failed!why"));
    }
    let shown = world.command("runs feed").said.expect("runs");
    assert!(
        shown.starts_with("[busy509") && !shown.contains("died"),
        "{shown}"
    );
    assert_eq!(shown.matches("busy").count(), 500);
}

#[test]
fn a_series_keeps_its_newest_values() {
    let mut world = World::new(100);
    world.command("at 2021-02-25T12:00:00Z");
    world.command("finish feed providers=fred series.vix:new@fred/2021-02-24/700");
    world.command("finish feed providers=fred series.vix:new@fred/2021-02-26/5");
    let rows = world.room("feed").disk.query(
        "SELECT json_array_length(data), json_extract(data, '$[0][0]'), \
         json_extract(data, '$[599][0]') FROM series",
        &[],
    );
    let rows = rows.expect("the database answers");
    assert_eq!(rows[0].integer(0), Ok(600));
    assert_eq!(rows[0].text(1), Ok("2019-07-08"));
    assert_eq!(rows[0].text(2), Ok("2021-02-26"));
}
