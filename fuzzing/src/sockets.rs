//! Frames, as a room and a client get them.

use signalroom_core::auth::Role;
use signalroom_core::config::RoomConfig;
use signalroom_core::room::effects::{Effects, Output};
use signalroom_core::room::name::RoomName;
use signalroom_core::room::socket::{Attachment, ConnId, Hello};
use signalroom_core::room::{Event, Room};
use signalroom_core::store::Blank;
use signalroom_core::wire::frame::Frame;
use signalroom_core::wire::limits::MAX_ATTACHMENT_BYTES;
use signalroom_harness::follow::{Follower, Input};

use crate::decoders::{NOW, utf8};

const CONN: ConnId = ConnId(1);

/// Every line is a frame to the feed; every tenth byte value a binary one.
pub(crate) fn room(data: &[u8]) {
    let mut room = Room::restore(&RoomName::Feed, RoomConfig::default(), "epoch", [], &Blank)
        .expect("an empty room reads nothing");
    let hello = Box::new(Hello {
        sub: "ann".to_owned(),
        role: Role::Viewer,
        expires_at: NOW.plus(3_600_000),
        issued_at: Some(NOW),
        batch: false,
        symbols: None,
        city: false,
        market: false,
        resume: None,
    });
    tell(&mut room, Event::Connected { conn: CONN, hello });
    for line in data.split(|byte| *byte == b'\n') {
        let event = match utf8(line) {
            Some(text) => Event::Text {
                conn: CONN,
                text: text.to_owned(),
            },
            None => Event::Binary {
                conn: CONN,
                bytes: line.len(),
            },
        };
        tell(&mut room, event);
    }
}

fn tell(room: &mut Room, event: Event) {
    let mut fx = Effects::default();
    room.handle(event, NOW, &Blank, &mut fx)
        .expect("nothing is read");
    for output in fx.outputs {
        match output {
            Output::Publish(publication) => check(publication.frame()),
            Output::Send { frame, .. } => check(&frame),
            Output::Burst { frames, .. } => frames.iter().for_each(check),
            Output::Attach { attachment, .. } => {
                assert!(attachment.len() <= MAX_ATTACHMENT_BYTES);
                assert!(Attachment::decode(&attachment).is_ok(), "{attachment}");
            }
            Output::Close { .. } => {}
        }
    }
}

/// A frame is one JSON message with a type.
fn check(frame: &Frame) {
    let message: serde_json::Value = serde_json::from_str(frame.as_str()).expect("JSON");
    assert!(message["type"].is_string(), "{message}");
}

/// Every line is a frame to a client; it never forgets how far it has come.
pub(crate) fn follower(data: &[u8]) {
    let mut follower = Follower::new(None);
    let mut now = NOW;
    for input in [Input::Tick, Input::Opened] {
        follower.handle(input, now, 0.5);
    }
    for line in data.split(|byte| *byte == b'\n') {
        let before = follower.position().cloned();
        now = now.plus(i64::from(line.first().copied().unwrap_or_default()));
        if let Some(text) = utf8(line) {
            follower.handle(Input::Text(text), now, 0.5);
        }
        follower.handle(Input::Tick, now, 0.5);
        if let (Some(before), Some(after)) = (before, follower.position())
            && before.epoch == after.epoch
            && !utf8(line).is_some_and(|text| text.contains("resumed") || text.contains("snapshot"))
        {
            assert!(after.seq >= before.seq, "{before:?} then {after:?}");
        }
    }
}
