//! The ideal writer: what a server costs that does nothing but write. One thread, one frame made
//! beforehand, one system call per socket.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use anyhow::{Context, Result, ensure};
use mio::net::{TcpListener as Listener, TcpStream as Stream};
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket, Type};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// The path of the connection whose bytes are broadcasts, one each.
pub(crate) const CONTROL: &str = "/control";
/// What its standard output begins with; the address follows.
pub(crate) const LISTENING: &str = "listening on ";

const LISTENER: Token = Token(usize::MAX);
/// The longest request of a handshake, bytes.
const LONGEST: usize = 4096;

/// A connection that has not said yet what it is for, or the one that triggers.
struct Caller {
    stream: Stream,
    request: Vec<u8>,
    triggers: bool,
}

/// Serves until it is killed; `length` is the payload's, bytes.
///
/// # Errors
/// When it cannot listen, or the poll fails.
pub(crate) fn serve(length: usize) -> Result<()> {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    let address: SocketAddr = ([127, 0, 0, 1], 0).into();
    listener.bind(&address.into())?;
    // More than a load dials at a time: a lost handshake would be tried again after a second.
    listener.listen(1024)?;
    let listener = TcpListener::from(listener);
    println!("{LISTENING}{}", listener.local_addr()?);
    listener.set_nonblocking(true)?;
    let mut listener = Listener::from_std(listener);
    let mut poll = Poll::new()?;
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut events = Events::with_capacity(1024);
    let mut callers: Vec<Option<Caller>> = Vec::new();
    let mut sockets: Vec<TcpStream> = Vec::new();
    let frame = frame(length)?;
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            other => other?,
        }
        for event in &events {
            if event.token() == LISTENER {
                accept(&listener, &poll, &mut callers)?;
                continue;
            }
            let Some(place) = callers.get_mut(event.token().0) else {
                continue;
            };
            let Some(mut caller) = place.take() else {
                continue;
            };
            let mut piece = [0; LONGEST];
            let read = match caller.stream.read(&mut piece) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    *place = Some(caller);
                    continue;
                }
                // It is gone.
                Ok(0) | Err(_) => continue,
                Ok(read) => read,
            };
            if caller.triggers {
                for _ in 0..read {
                    sockets.retain_mut(|socket| socket.write_all(&frame).is_ok());
                }
                *place = Some(caller);
                continue;
            }
            caller.request.extend_from_slice(&piece[..read]);
            if !caller.request.ends_with(b"\r\n\r\n") {
                ensure!(caller.request.len() < LONGEST, "a long handshake");
                *place = Some(caller);
                continue;
            }
            let request = String::from_utf8_lossy(&caller.request).into_owned();
            if request.starts_with(&format!("GET {CONTROL} ")) {
                caller.triggers = true;
                *place = Some(caller);
                continue;
            }
            sockets.push(open(&poll, caller.stream, &request)?);
        }
    }
}

fn accept(listener: &Listener, poll: &Poll, callers: &mut Vec<Option<Caller>>) -> Result<()> {
    loop {
        let mut stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            other => other?.0,
        };
        let token = Token(callers.len());
        poll.registry()
            .register(&mut stream, token, Interest::READABLE)?;
        callers.push(Some(Caller {
            stream,
            request: Vec::new(),
            triggers: false,
        }));
    }
}

/// Answers the handshake; from then on writes block, and nobody reads.
fn open(poll: &Poll, mut stream: Stream, request: &str) -> Result<TcpStream> {
    poll.registry().deregister(&mut stream)?;
    let key = request
        .lines()
        .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))
        .context("a handshake has a key")?;
    let accept = derive_accept_key(key.trim().as_bytes());
    let mut stream = TcpStream::from(stream);
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    // A client that left meanwhile is noticed at the first broadcast.
    let _ = stream.write_all(answer.as_bytes());
    Ok(stream)
}

/// One text frame of a server.
fn frame(length: usize) -> Result<Vec<u8>> {
    let mut frame = vec![0x81];
    match u16::try_from(length).context("a short payload")? {
        short @ 0..126 => frame.push(short as u8),
        long => {
            frame.push(126);
            frame.extend(long.to_be_bytes());
        }
    }
    frame.resize(frame.len() + length, b'x');
    Ok(frame)
}

/// Asks for broadcasts of the ideal writer at `address`: one for each byte written to it.
pub(crate) fn control(address: SocketAddr) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.write_all(format!("GET {CONTROL} HTTP/1.1\r\n\r\n").as_bytes())?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_tell_their_length() {
        assert_eq!(frame(3).unwrap(), b"\x81\x03xxx");
        let long = frame(330).unwrap();
        assert_eq!(long[..4], [0x81, 126, 1, 74]);
        assert_eq!(long.len(), 334);
        assert!(frame(70_000).is_err());
    }
}
