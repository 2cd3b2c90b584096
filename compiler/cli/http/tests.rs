use super::*;

struct Echo;

impl Service for Echo {
    fn answer(&self, request: &Request) -> Response {
        Response::text(200, format!("{} {} {}", request.method, request.path, request.body.len()))
    }
}

fn start(limits: Limits) -> SocketAddr {
    let listener = listen("127.0.0.1:0").ok().unwrap();
    let address = listener.local_addr().unwrap();
    serve(listener, limits, Arc::new(Echo)).unwrap();
    address
}

const LIMITS: Limits =
    Limits { body: 100, connections: 2, idle: Duration::from_secs(30), transfer: Duration::from_millis(200) };

/// All that comes until the other side closes.
fn talk(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn requests_on_one_connection_are_answered_in_order() {
    let two = "POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc\
               GET /b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let answer = talk(start(LIMITS), two);
    let bodies: Vec<&str> = answer.split("\r\n\r\n").skip(1).collect();
    assert!(bodies[0].starts_with("POST /a 3HTTP/1.1 200 OK") && bodies[1] == "GET /b 0", "{answer}");
}

#[test]
fn what_is_too_long_or_too_slow_is_ended() {
    let address = start(LIMITS);
    let long = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 101\r\n\r\n";
    assert!(talk(address, long).starts_with("HTTP/1.1 413 "));
    let head = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(17 << 10));
    assert!(talk(address, &head).starts_with("HTTP/1.1 431 "));
    for unfinished in ["GET / HTTP/1.1\r\nHost:", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc"]
    {
        let start = Instant::now();
        assert_eq!(talk(address, unfinished), "");
        assert!(start.elapsed() < Duration::from_secs(10));
    }
    assert!(talk(address, "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n").starts_with("HTTP/1.1 403 "));
}

#[test]
fn a_crowd_is_turned_away_and_places_come_back() {
    let address = start(LIMITS);
    let held: Vec<TcpStream> = (0..2).map(|_| TcpStream::connect(address).unwrap()).collect();
    let mut third = String::new();
    TcpStream::connect(address).unwrap().read_to_string(&mut third).unwrap();
    assert!(third.starts_with("HTTP/1.1 503 "), "{third}");
    drop(held);
    let ask = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let start = Instant::now();
    while !talk(address, ask).starts_with("HTTP/1.1 200 ") {
        assert!(start.elapsed() < Duration::from_secs(10));
    }
}

#[test]
fn others_cannot_be_served() {
    let Err(Failure::Message { message, .. }) = listen("0.0.0.0:0") else { panic!("it listens") };
    assert_eq!(message, "0.0.0.0:0 is 0.0.0.0, which others can reach");
}
