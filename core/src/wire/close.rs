//! Close codes. One rule for any client: 1000, 1009 and 4500–4999 mean do not come back.

/// Why the server closes a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Close {
    /// A message over 16 KiB.
    TooBig,
    /// The server is going away and comes back.
    Restarting,
    /// The socket's token has expired.
    TokenExpired,
    /// The client reads more slowly than it is written to.
    SlowReader,
    /// Nothing was heard for three ping intervals.
    NoHeartbeat,
    /// Too many bad messages.
    BadMessages,
    /// The token was revoked.
    Revoked,
    /// More messages than a socket may send, and warned before.
    TooManyMessages,
    /// More sockets than a user may have.
    TooManyConnections,
}

impl Close {
    /// The code of the close frame.
    pub fn code(self) -> u16 {
        match self {
            Self::TooBig => 1009,
            Self::Restarting => 1012,
            Self::TokenExpired => 4001,
            Self::SlowReader => 4008,
            Self::NoHeartbeat => 4012,
            Self::BadMessages => 4500,
            Self::Revoked => 4501,
            Self::TooManyMessages => 4029,
            Self::TooManyConnections => 4503,
        }
    }

    /// The reason of the close frame, for people.
    pub fn reason(self) -> &'static str {
        match self {
            Self::TooBig => "message over 16 KiB",
            Self::Restarting => "restarting, come back",
            Self::TokenExpired => "token expired, bring a fresh one",
            Self::SlowReader => "too slow a reader",
            Self::NoHeartbeat => "no heartbeat",
            Self::BadMessages => "too many bad messages",
            Self::Revoked => "the token was revoked",
            Self::TooManyMessages => "too many messages, come back more calmly",
            Self::TooManyConnections => "too many connections of this user",
        }
    }
}
