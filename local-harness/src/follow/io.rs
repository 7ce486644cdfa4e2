//! What a follower is told and what it asks for.

use std::fmt;

use signalroom_core::time::Millis;

use super::{Message, Position};

/// Something that happened. What comes from a connection after [`Output::Close`],
/// [`Input::Failed`] or [`Input::Closed`] is not to be handed in any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input<'a> {
    /// Time has passed: the beginning, or what [`Output::WaitUntil`] named has come.
    Tick,
    /// The connect succeeded.
    Opened,
    /// The connect did not succeed.
    Failed(Failed),
    /// The answer to [`Output::CheckToken`]: the status of a REST request with the token; none
    /// when REST did not answer.
    Checked(Option<u16>),
    /// A text frame came.
    Text(&'a str),
    /// The connection ended, with the code of a close frame if one came.
    Closed(Option<u16>),
    /// A fresh token is there: connects use it from now on.
    Token(&'a str),
    /// There is no other token than the old one.
    NoToken,
}

/// How a connect failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// The server answered with this HTTP status.
    Status(u16),
    /// Nobody answered.
    Unreachable,
    /// It is not known, as in a browser.
    Unknown,
}

/// Something to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Open a socket that resumes from here; without a position, one that starts anew.
    Connect {
        /// Where to resume.
        resume: Option<Position>,
    },
    /// Send a text frame.
    Send(String),
    /// Hand this message on. Events come in order, each once.
    Deliver(Box<Message>),
    /// Everything up to here has been handed on: the place to continue from.
    Reached(Position),
    /// Get a fresh token, and answer [`Input::Token`] or [`Input::NoToken`].
    FreshToken,
    /// Ask REST whether the token is good, and answer [`Input::Checked`].
    CheckToken,
    /// Close the connection, or give the connect up.
    Close,
    /// For people: the connection is lost, the next connect comes at this time.
    Lost {
        /// Why.
        cause: Cause,
        /// When the next connect comes.
        until: Millis,
    },
    /// Nothing more to do before this time: come back with [`Input::Tick`]. It replaces any
    /// earlier one.
    WaitUntil(Millis),
    /// It is over.
    Stop(Reason),
}

/// Why a connection was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Closed by the server with this code.
    Closed(u16),
    /// It broke without a close.
    Broke,
    /// The server has been silent too long.
    Silent,
    /// A ping about hidden events stayed without an answer.
    Unanswered,
    /// The server follows another log than this connection did.
    OtherLog,
    /// The server sent what is no message.
    Garbled,
    /// The upgrade was answered with this status.
    Status(u16),
    /// The connect did not succeed.
    Unreachable,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(code) => write!(f, "closed by the server: {code}"),
            Self::Broke => f.write_str("the connection broke"),
            Self::Silent => f.write_str("the server has fallen silent"),
            Self::Unanswered => f.write_str("the server did not answer a ping"),
            Self::OtherLog => f.write_str("the server has another log"),
            Self::Garbled => f.write_str("the server does not speak the protocol"),
            Self::Status(status) => write!(f, "the server answered {status}"),
            Self::Unreachable => f.write_str("the server cannot be reached"),
        }
    }
}

/// Why not to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The token is not good any more and there is no other: ask the user to sign in.
    SignIn,
    /// Closed by the server with a code that forbids to come back.
    Closed(u16),
    /// The upgrade was refused with this status.
    Refused(u16),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SignIn => f.write_str("the token was refused; sign in again"),
            Self::Closed(code) => write!(f, "closed by the server for good: {code}"),
            Self::Refused(status) => write!(f, "the socket was refused: {status}"),
        }
    }
}
