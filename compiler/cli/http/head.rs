//! The head of a request: its line and its fields.

use std::net::IpAddr;

use super::Fault;

pub struct Request {
    pub method: String,
    /// Without what follows a question mark.
    pub path: String,
    /// Names in lower case.
    fields: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    /// The field of this name in lower case, where there is one and no other.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut found = self.fields.iter().filter(|(own, _)| own == name);
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }

    fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(own, _)| own == name)
    }
}

pub struct Head {
    pub request: Request,
    /// Of the body.
    pub length: usize,
    /// Whether the connection stays.
    pub keep: bool,
    /// Whether the client waits for a word before it sends the body.
    pub expects: bool,
}

const NO_REQUEST: Fault = (400, "this is no request of HTTP/1.1");

/// `head` ends with an empty line.
pub fn parse(head: &[u8]) -> Result<Head, Fault> {
    let text = std::str::from_utf8(head).map_err(|_| NO_REQUEST)?;
    let mut lines = text.split("\r\n");
    let mut words = lines.next().unwrap_or("").split(' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(NO_REQUEST);
    };
    if !method.bytes().all(|byte| byte.is_ascii_uppercase()) || !target.starts_with('/') {
        return Err(NO_REQUEST);
    }
    let keep = match version {
        "HTTP/1.1" => true,
        "HTTP/1.0" => false,
        _ => return Err((505, "HTTP/1.1 is spoken here")),
    };
    let mut fields = vec![];
    for line in lines.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').ok_or(NO_REQUEST)?;
        // A name with a space, or a line that goes on, is read differently by different programs.
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(NO_REQUEST);
        }
        fields.push((name.to_ascii_lowercase(), value.trim().to_string()));
    }
    let path = target.split('?').next().unwrap_or(target).to_string();
    let request = Request { method: method.into(), path, fields, body: vec![] };
    let length = match request.has("content-length") {
        false => 0,
        true => {
            let digits = request.field("content-length").filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
            digits.and_then(|text| text.parse().ok()).ok_or((400, "the length of the body is no single number"))?
        }
    };
    let says = |name: &str, word: &str| request.field(name).is_some_and(|value| value.eq_ignore_ascii_case(word));
    let keep = keep && !says("connection", "close");
    let expects = says("expect", "100-continue");
    Ok(Head { length, keep, expects, request })
}

impl Head {
    /// Why the body is not read.
    pub fn fault(&self, most: usize) -> Option<Fault> {
        if self.request.has("transfer-encoding") {
            return Some((411, "the body needs a `Content-Length`; chunks are not read"));
        }
        (self.length > most).then_some((413, "the body is longer than is allowed here"))
    }
}

/// Whether it was sent to this machine by its own address, and not by a page of elsewhere.
pub fn is_own(request: &Request) -> bool {
    let origin = match request.has("origin") {
        true => request.field("origin").and_then(|origin| Some(is_loopback(origin.split_once("://")?.1))),
        false => Some(true),
    };
    request.field("host").is_some_and(is_loopback) && origin == Some(true)
}

/// `localhost`, or an address of loopback, with or without a port.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split(':').next().unwrap_or(host),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(lines: &str) -> Result<Head, Fault> {
        parse(format!("{}\r\n\r\n", lines.replace('\n', "\r\n")).as_bytes())
    }

    #[test]
    fn a_request_is_read() {
        let head =
            head("POST /v1/x?y=1 HTTP/1.1\nHost: localhost:80\nContent-Length: 12\nExpect: 100-continue").ok().unwrap();
        assert_eq!((head.request.method.as_str(), head.request.path.as_str()), ("POST", "/v1/x"));
        assert_eq!((head.length, head.keep, head.expects), (12, true, true));
        assert!(is_own(&head.request) && head.fault(12).is_none());
        assert_eq!(head.fault(11).map(|(status, _)| status), Some(413));
    }

    #[test]
    fn what_is_no_request_is_told() {
        for (lines, status) in [
            ("", 400),
            ("GET /", 400),
            ("GET / HTTP/1.1 x", 400),
            ("get / HTTP/1.1", 400),
            ("GET http://a/ HTTP/1.1", 400),
            ("GET / HTTP/2", 505),
            ("GET / HTTP/1.1\nHost localhost", 400),
            ("GET / HTTP/1.1\nHost : localhost", 400),
            ("GET / HTTP/1.1\nContent-Length: -1", 400),
            ("GET / HTTP/1.1\nContent-Length: +1", 400),
            ("GET / HTTP/1.1\nContent-Length: 1\nContent-Length: 2", 400),
            ("GET / HTTP/1.1\nContent-Length: 99999999999999999999999", 400),
        ] {
            assert_eq!(head(lines).err().map(|(status, _)| status), Some(status), "{lines}");
        }
        let chunked = head("POST / HTTP/1.1\nTransfer-Encoding: chunked").ok().unwrap();
        assert_eq!(chunked.fault(9).map(|(status, _)| status), Some(411));
    }

    #[test]
    fn only_this_machine_by_its_own_name_is_served() {
        for (fields, own) in [
            ("Host: 127.0.0.1:8080", true),
            ("Host: 127.8.8.8", true),
            ("Host: [::1]:8080", true),
            ("Host: LocalHost", true),
            ("Host: localhost:1\nOrigin: http://localhost:3000", true),
            ("Host: localhost:1\nOrigin: https://example.com", false),
            ("Host: localhost:1\nOrigin: null", false),
            ("Host: example.com", false),
            ("Host: localhost.example.com", false),
            ("Host: 10.0.0.1", false),
            ("Host: localhost\nHost: example.com", false),
            ("Accept: x", false),
        ] {
            let head = head(&format!("GET / HTTP/1.1\n{fields}")).ok().unwrap();
            assert_eq!(is_own(&head.request), own, "{fields}");
        }
    }
}
