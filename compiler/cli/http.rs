//! A small HTTP/1.1 server on loopback, for programs on this machine: numbers of a server, the gateway of a client.
//!
//! Whoever asks is not trusted to be brief: heads, bodies, times and connections are bounded. A page in a browser must not
//! reach it by a name that it points here, so hosts other than loopback's own are refused, and so are origins.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::failure::Failure;

mod head;

pub use head::Request;
use head::{Head, is_own};

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub body: usize,
    pub connections: usize,
    /// How long a connection may wait for its next request.
    pub idle: Duration,
    /// How long a request may take to come, and an answer to go.
    pub transfer: Duration,
}

pub struct Response {
    pub status: u16,
    pub kind: &'static str,
    pub body: Vec<u8>,
}

impl Response {
    pub fn text(status: u16, body: impl Into<String>) -> Response {
        Response { status, kind: "text/plain; charset=utf-8", body: body.into().into_bytes() }
    }

    pub fn json(status: u16, body: &serde_json::Value) -> Response {
        Response { status, kind: "application/json", body: body.to_string().into_bytes() }
    }
}

/// Answers requests, and says what is wrong with those that are none in the form its clients know.
pub trait Service: Send + Sync {
    fn answer(&self, request: &Request) -> Response;
    fn refuse(&self, status: u16, message: &str) -> Response {
        Response::text(status, format!("{message}\n"))
    }
}

/// Only loopback is listened on: what comes here is not encrypted, and whoever reaches it may ask.
pub fn listen(address: &str) -> Result<TcpListener, Failure> {
    let hint = "an address is written HOST:PORT, for example 127.0.0.1:8080";
    let failed = |error: io::Error| Failure::new(format!("cannot listen on {address}: {error}"), hint);
    let places: Vec<SocketAddr> = address.to_socket_addrs().map_err(failed)?.collect();
    if let Some(open) = places.iter().find(|place| !place.ip().is_loopback()) {
        return Err(Failure::new(
            format!("{address} is {}, which others can reach", open.ip()),
            "HTTP is served on loopback alone: use 127.0.0.1, and a proxy of your own for others",
        ));
    }
    TcpListener::bind(&places[..]).map_err(failed)
}

/// Serves in threads of its own, one to accept and one for each connection, as long as the process lives.
pub fn serve(listener: TcpListener, limits: Limits, service: Arc<dyn Service>) -> io::Result<()> {
    let taken = Arc::new(AtomicUsize::new(0));
    let accept = move || {
        loop {
            match listener.accept() {
                Ok((stream, _)) => admit(stream, limits, &taken, &service),
                // No room until others leave, or one that has gave up.
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    };
    std::thread::Builder::new().name("http".into()).spawn(accept)?;
    Ok(())
}

fn admit(mut stream: TcpStream, limits: Limits, taken: &Arc<AtomicUsize>, service: &Arc<dyn Service>) {
    let place = Place(taken.clone());
    if taken.fetch_add(1, Ordering::SeqCst) >= limits.connections {
        let _ = stream.set_write_timeout(Some(Duration::from_millis(100)));
        let _ = write(&mut stream, &service.refuse(503, "too many connections"), false);
        return;
    }
    let service = service.clone();
    let talk = move || {
        let _place = place;
        // A connection that fails has nobody to be told.
        let _ = converse(stream, limits, &*service);
    };
    let _ = std::thread::Builder::new().name("http".into()).spawn(talk);
}

struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn converse(mut stream: TcpStream, limits: Limits, service: &dyn Service) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(limits.transfer))?;
    let mut rest = vec![];
    loop {
        let head = match read_head(&mut stream, &mut rest, limits)? {
            Some(Ok(head)) => head,
            Some(Err((status, message))) => return write(&mut stream, &service.refuse(status, message), false),
            None => return Ok(()),
        };
        if let Some((status, message)) = head.fault(limits.body) {
            return write(&mut stream, &service.refuse(status, message), false);
        }
        if !is_own(&head.request) {
            return write(&mut stream, &service.refuse(403, "only programs on this machine are served"), false);
        }
        let Head { mut request, length, keep, expects } = head;
        if expects {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let until = Instant::now() + limits.transfer;
        while rest.len() < length {
            if read_some(&mut stream, &mut rest, until)? == 0 {
                return Ok(());
            }
        }
        request.body = rest.drain(..length).collect();
        write(&mut stream, &service.answer(&request), keep)?;
        if !keep {
            return Ok(());
        }
    }
}

type Fault = (u16, &'static str);

/// None where the other side has nothing more to ask.
fn read_head(stream: &mut TcpStream, rest: &mut Vec<u8>, limits: Limits) -> io::Result<Option<Result<Head, Fault>>> {
    const MAX_HEAD: usize = 16 << 10;
    let mut until = Instant::now() + if rest.is_empty() { limits.idle } else { limits.transfer };
    loop {
        if let Some(end) = rest.windows(4).position(|four| four == b"\r\n\r\n") {
            let head: Vec<u8> = rest.drain(..end + 4).collect();
            return Ok(Some(head::parse(&head)));
        }
        if rest.len() > MAX_HEAD {
            return Ok(Some(Err((431, "the head of the request is too long"))));
        }
        let fresh = rest.is_empty();
        if read_some(stream, rest, until)? == 0 {
            return Ok(None);
        }
        if fresh {
            until = Instant::now() + limits.transfer;
        }
    }
}

fn read_some(stream: &mut TcpStream, into: &mut Vec<u8>, until: Instant) -> io::Result<usize> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    stream.set_read_timeout(Some(left))?;
    let mut bytes = [0; 16 << 10];
    let count = stream.read(&mut bytes)?;
    into.extend_from_slice(&bytes[..count]);
    Ok(count)
}

fn write(stream: &mut TcpStream, response: &Response, keep: bool) -> io::Result<()> {
    let Response { status, kind, body } = response;
    let connection = if keep { "keep-alive" } else { "close" };
    let mut message = format!(
        "HTTP/1.1 {status} {}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: {connection}\r\n\r\n",
        reason(*status),
        body.len()
    )
    .into_bytes();
    message.extend_from_slice(body);
    stream.write_all(&message)
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        411 => "Length Required",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "Unknown",
    }
}

#[cfg(test)]
mod tests;
