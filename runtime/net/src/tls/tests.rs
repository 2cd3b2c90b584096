use super::establish::linger;
use super::*;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::client::Resumption;

use crate::channel::{Channel, Counters};
use crate::tcp::{IDLE, Tcp, connect, listen};

const SHORT: Duration = Duration::from_millis(300);

fn identity() -> Identity {
    Identity::fresh().unwrap()
}

fn known(name: &str, identity: &Identity) -> Vec<(String, PublicKey)> {
    vec![(name.to_string(), identity.public())]
}

fn plain_pair(idle: Duration) -> (Tcp, Tcp) {
    let listener = listen("127.0.0.1:0").unwrap();
    let address = listener.local_address().unwrap().to_string();
    let other = thread::spawn(move || connect(&address, IDLE, idle).unwrap());
    let accepted = listener.accept(Some(IDLE), idle).unwrap();
    (accepted, other.join().unwrap())
}

type Outcome = Result<Tcp, PeerError>;

/// The accepting side and the connecting one, each with whom it lets in.
fn meet(
    (own, lets_in): (&Identity, &[(String, PublicKey)]),
    (other, expects): (&Identity, &[(String, PublicKey)]),
) -> [Outcome; 2] {
    let (accepted, connected) = plain_pair(IDLE);
    thread::scope(|scope| {
        let client = scope.spawn(|| connected.secure(Side::Connects, Keys { identity: other, allowed: expects }));
        let server = accepted.secure(Side::Accepts, Keys { identity: own, allowed: lets_in });
        [server, client.join().unwrap()]
    })
}

fn pair() -> (Tcp, Tcp) {
    let (a, b) = (identity(), identity());
    let [server, client] = meet((&a, &known("b", &b)), (&b, &known("a", &a)));
    (server.unwrap(), client.unwrap())
}

fn first_line(error: PeerError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_string()
}

/// What one side says of a peer that is a bare socket.
fn against(side: Side, peer: impl FnOnce(TcpStream) + Send + 'static, idle: Duration) -> PeerError {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let other = thread::spawn(move || peer(listener.accept().unwrap().0));
    let own = identity();
    let channel = connect(&address, IDLE, idle).unwrap();
    let error = channel.secure(side, Keys { identity: &own, allowed: &known("peer", &identity()) }).err().unwrap();
    other.join().unwrap();
    error
}

/// The first bytes that this program sends to make a connection.
fn hello() -> Vec<u8> {
    let own = identity();
    let keys = Keys { identity: &own, allowed: &[] };
    let pinned = Arc::new(verify::Pinned::new(vec![], config::provider().signature_verification_algorithms));
    let mut connection = config::connection(Side::Connects, keys, pinned).unwrap();
    let mut bytes = vec![];
    connection.write_tls(&mut bytes).unwrap();
    bytes
}

#[test]
fn two_that_know_each_other_speak() {
    let (a, b) = (identity(), identity());
    let [server, client] = meet((&a, &known("b", &b)), (&b, &known("a", &a)));
    let (mut server, mut client) = (server.unwrap(), client.unwrap());
    let size = 5 << 20;
    let other = thread::spawn(move || {
        let received = client.exchange(vec![2; size], size + 1).unwrap();
        client.send(b"last".to_vec()).unwrap();
        (received, client)
    });
    assert_eq!(server.exchange(vec![1; size + 1], size).unwrap(), vec![2; size]);
    assert_eq!(server.receive(100).unwrap(), b"last");
    let (received, client) = other.join().unwrap();
    assert_eq!(received, vec![1; size + 1]);
    // Frames are counted as without encryption; what it adds is counted beside them, and small.
    let size = size as u64;
    assert_eq!(server.counters(), Counters { rounds: 1, sent: size + 9, received: size + 8 + 12 });
    assert_eq!(
        (server.overhead().sent, server.overhead().received),
        (client.overhead().received, client.overhead().sent)
    );
    let records = (size + 9).div_ceil(16 << 10) + 20;
    assert!((300..2000 + 22 * records).contains(&server.overhead().sent), "{:?}", server.overhead());
    let (one, other) = (server.binding(), client.binding());
    assert_eq!((one.exporter, one.own, one.peer), (other.exporter, other.peer, other.own));
    assert_eq!((one.own, one.peer), (*a.public().as_bytes(), *b.public().as_bytes()));
    assert_ne!(one.exporter, [0; 32]);
    assert_eq!(server.transcript().own(), client.transcript().others());
}

#[test]
fn each_connection_has_keying_material_of_its_own() {
    let (a, b) = (identity(), identity());
    let exporter = || {
        let [server, client] = meet((&a, &known("b", &b)), (&b, &known("a", &a)));
        assert!(client.is_ok());
        server.unwrap().binding().exporter
    };
    assert_ne!(exporter(), exporter());
}

#[test]
fn both_directions_flow_at_once() {
    let size = 48 << 20;
    let (mut a, mut b) = pair();
    let other = thread::spawn(move || b.exchange(vec![2; size], size).unwrap().iter().all(|&x| x == 1));
    assert!(a.exchange(vec![1; size], size).unwrap().iter().all(|&x| x == 2));
    assert!(other.join().unwrap());
}

#[test]
fn a_key_that_is_not_expected_is_named_and_refused() {
    let (a, b, stranger) = (identity(), identity(), identity());
    // The one that connects is a stranger to the other.
    let [server, client] = meet((&a, &known("bea", &b)), (&stranger, &known("a", &a)));
    let error = server.err().unwrap().to_string();
    assert!(
        error.starts_with(&format!("the peer's key is {}, and `bea` was expected\n", stranger.public())),
        "{error}"
    );
    assert!(error.contains(&format!("`ptc keys trust NAME {}`", stranger.public())), "{error}");
    let error = client.err().unwrap().to_string();
    assert!(error.starts_with("the peer does not let this side's key in\n"), "{error}");
    assert!(error.contains(&format!("ptc keys trust NAME {}", stranger.public())), "{error}");
    // The one that accepts is another than was meant.
    let [server, client] = meet((&stranger, &known("bea", &b)), (&b, &known("anna", &a)));
    let expected = format!("the peer's key is {}, and `anna` was expected", stranger.public());
    assert_eq!(first_line(client.err().unwrap()), expected);
    assert_eq!(first_line(server.err().unwrap()), "the peer does not let this side's key in");
    // Nobody is let in.
    let [server, client] = meet((&a, &[]), (&b, &known("anna", &a)));
    assert!(first_line(server.err().unwrap()).ends_with("and nobody was expected"));
    assert!(matches!(client, Err(PeerError::KeyRefused(key)) if key == b.public()));
}

#[test]
fn one_of_several_is_let_in() {
    let (a, b, c) = (identity(), identity(), identity());
    let several = [known("b", &b), known("c", &c)].concat();
    for one in [&b, &c] {
        let [server, client] = meet((&a, &several), (one, &known("a", &a)));
        assert!(client.is_ok());
        assert_eq!(server.unwrap().binding().peer, *one.public().as_bytes());
    }
}

#[test]
fn a_plain_peer_and_an_encrypted_one_name_each_other() {
    for side in [Side::Accepts, Side::Connects] {
        let own = identity();
        let (accepted, connected) = plain_pair(IDLE);
        let (encrypted, mut plain) = if side == Side::Accepts { (accepted, connected) } else { (connected, accepted) };
        let other = thread::spawn(move || {
            // A greeting, as it begins a session.
            plain.send(vec![b'p'; 790]).and_then(|()| plain.receive(1 << 17)).err().unwrap()
        });
        let error =
            encrypted.secure(side, Keys { identity: &own, allowed: &known("peer", &identity()) }).err().unwrap();
        assert_eq!(first_line(error), "the peer speaks without encryption, and this side with it");
        let error = other.join().unwrap();
        assert_eq!(first_line(error), "the peer speaks with encryption, and this side without it");
    }
}

#[test]
fn a_plain_side_that_hears_first_names_an_encrypted_one() {
    // As a dealer does.
    let (mut plain, connected) = plain_pair(IDLE);
    let other = thread::spawn(move || {
        let own = identity();
        connected.secure(Side::Connects, Keys { identity: &own, allowed: &known("dealer", &identity()) }).err().unwrap()
    });
    assert!(matches!(plain.receive(1 << 17), Err(PeerError::Encrypted)));
    drop(plain);
    assert!(matches!(other.join().unwrap(), PeerError::Plain));
}

#[test]
fn a_silent_stranger_is_dropped_in_time() {
    let start = Instant::now();
    let error = against(Side::Accepts, |mut stream| drop(stream.read(&mut [0])), SHORT);
    assert!(start.elapsed() < 20 * SHORT);
    assert_eq!(first_line(error), "the peer stalled: a handshake did not move for 0.3 s");
}

#[test]
fn a_stranger_that_drips_is_dropped_in_time() {
    let start = Instant::now();
    let drip = |mut stream: TcpStream| {
        for byte in hello() {
            if stream.write_all(&[byte]).is_err() {
                return;
            }
            thread::park_timeout(SHORT / 6);
        }
    };
    let error = against(Side::Accepts, drip, SHORT);
    assert!(matches!(error, PeerError::Stalled { .. }), "{error}");
    // The peer has to see that the connection is gone.
    assert!(start.elapsed() < 40 * SHORT);
}

#[test]
fn little_is_read_before_a_key_is_proved() {
    // A hello that promises more of itself than is ever read: records of a handshake message of 64 kB.
    let flood = |mut stream: TcpStream| {
        let mut hello = vec![1, 0, 0xff, 0xff];
        hello.resize(60_000, 0);
        for part in hello.chunks(1000) {
            let record = [&[22, 3, 1][..], &(part.len() as u16).to_be_bytes(), part].concat();
            if stream.write_all(&record).is_err() {
                return;
            }
        }
        let _ = stream.read(&mut [0]);
    };
    let error = against(Side::Accepts, flood, SHORT * 3);
    assert!(matches!(error, PeerError::TooLong { limit: MOST_BEFORE_KEY, .. } | PeerError::Tls(_)), "{error}");
}

#[test]
fn garbage_and_half_a_handshake_are_errors() {
    let garbage = |mut stream: TcpStream| {
        let _ = stream.write_all(&[22, 3, 1, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        linger(&mut stream);
    };
    assert!(matches!(against(Side::Accepts, garbage, IDLE), PeerError::Tls(_)));
    let half = |mut stream: TcpStream| {
        let bytes = hello();
        let _ = stream.write_all(&bytes[..bytes.len() / 2]);
    };
    assert_eq!(
        first_line(against(Side::Accepts, half, IDLE)),
        "the peer closed the connection while a handshake was expected"
    );
    // One that leaves right after its hello.
    let half_open = |mut stream: TcpStream| drop(stream.write_all(&hello()));
    let error = against(Side::Accepts, half_open, SHORT);
    assert!(matches!(error, PeerError::Closed(_)), "{error}");
    assert!(matches!(against(Side::Connects, drop, IDLE), PeerError::Closed(_)));
}

#[test]
fn an_earlier_version_is_refused() {
    // A hello of TLS 1.2: no extension tells of a later version.
    let earlier = |mut stream: TcpStream| {
        let groups: [&[u8]; 2] = [&[0, 10, 0, 4, 0, 2, 0, 29], &[0, 13, 0, 4, 0, 2, 8, 7]];
        let extensions = groups.concat();
        let body = [&[3, 3][..], &[7; 32], &[0], &[0, 2, 0xc0, 0x2b], &[1, 0], &[0, 16], &extensions].concat();
        let message = [&[1, 0, 0, body.len() as u8][..], &body].concat();
        let record = [&[22, 3, 1, 0, message.len() as u8][..], &message].concat();
        let _ = stream.write_all(&record);
        let mut answer = [0; 7];
        stream.read_exact(&mut answer).unwrap();
        // An alert: `protocol_version`.
        assert_eq!((answer[0], answer[6]), (21, 70));
    };
    assert!(matches!(against(Side::Accepts, earlier, IDLE), PeerError::Tls(_)));
}

#[test]
fn somebody_without_a_key_is_refused() {
    // A client of TLS 1.3 that takes any key and has none of its own.
    let listener = listen("127.0.0.1:0").unwrap();
    let mut connected = TcpStream::connect(listener.local_address().unwrap()).unwrap();
    let accepted = listener.accept(Some(IDLE), IDLE).unwrap();
    let own = identity();
    let server_key = own.public();
    let other = thread::spawn(move || {
        let algorithms = config::provider().signature_verification_algorithms;
        let pinned = Arc::new(verify::Pinned::new(vec![server_key], algorithms));
        let builder = rustls::ClientConfig::builder_with_provider(Arc::new(config::provider()));
        let builder = builder.with_protocol_versions(&[&rustls::version::TLS13]).unwrap();
        let mut config = builder.dangerous().with_custom_certificate_verifier(pinned).with_no_client_auth();
        config.resumption = Resumption::disabled();
        let mut connection = rustls::ClientConnection::new(Arc::new(config), "ptc".try_into().unwrap()).unwrap();
        while connection.is_handshaking() {
            if connection.complete_io(&mut connected).is_err() {
                return;
            }
        }
    });
    let error = accepted.secure(Side::Accepts, Keys { identity: &own, allowed: &known("peer", &identity()) });
    assert!(matches!(error, Err(PeerError::Tls(_))));
    other.join().unwrap();
}

/// What one side sends to a peer goes through `change` once, after the handshake.
fn bent(change: impl Fn(Vec<u8>) -> Vec<u8> + Send + 'static) -> PeerError {
    let (a, b) = (identity(), identity());
    let front = TcpListener::bind("127.0.0.1:0").unwrap();
    let back = listen("127.0.0.1:0").unwrap();
    let (front_address, back_address) = (front.local_addr().unwrap(), back.local_address().unwrap());
    let (ready, begin) = std::sync::mpsc::channel();
    let between = thread::spawn(move || {
        let (mut client, mut server) = (front.accept().unwrap().0, TcpStream::connect(back_address).unwrap());
        let (mut from_server, mut to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        thread::spawn(move || io::copy(&mut from_server, &mut to_client));
        client.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let (mut bytes, mut honest) = (vec![0; 1 << 16], true);
        loop {
            match client.read(&mut bytes) {
                Ok(0) => return,
                Ok(count) if honest && begin.try_recv().is_err() => server.write_all(&bytes[..count]).unwrap(),
                Ok(count) => {
                    honest = false;
                    let _ = server.write_all(&change(bytes[..count].to_vec()));
                }
                Err(_) => {}
            }
        }
    });
    let error = thread::scope(|scope| {
        let client = scope.spawn(|| {
            let channel = connect(&front_address.to_string(), IDLE, IDLE).unwrap();
            let mut channel = channel.secure(Side::Connects, Keys { identity: &b, allowed: &known("a", &a) }).unwrap();
            ready.send(()).unwrap();
            channel.send(b"a message".to_vec()).unwrap();
            channel
        });
        let channel = back.accept(Some(IDLE), SHORT).unwrap();
        let mut channel = channel.secure(Side::Accepts, Keys { identity: &a, allowed: &known("b", &b) }).unwrap();
        let error = channel.receive(100).and_then(|_| channel.receive(100)).err().unwrap();
        drop((channel, client.join().unwrap()));
        error
    });
    between.join().unwrap();
    error
}

#[test]
fn a_changed_a_repeated_and_a_missing_byte_end_the_connection() {
    let changed = |mut bytes: Vec<u8>| {
        if let Some(byte) = bytes.get_mut(9) {
            *byte ^= 1;
        }
        bytes
    };
    assert!(matches!(bent(changed), PeerError::Tls(_)));
    // The same record twice: the first counts, the second fails.
    assert!(matches!(bent(|bytes| bytes.repeat(2)), PeerError::Tls(_)));
    let cut = |mut bytes: Vec<u8>| {
        bytes.pop();
        bytes
    };
    assert!(matches!(bent(cut), PeerError::Stalled { .. } | PeerError::Closed(_)));
}

/// Prints what encryption costs on this machine: `cargo test --release -p ptc-net cost -- --nocapture`.
#[test]
fn cost_of_encryption_over_loopback() {
    const SIZE: usize = 8 << 20;
    let measure = |(mut a, mut b): (Tcp, Tcp), times: usize| {
        let other = thread::spawn(move || {
            for _ in 0..times {
                b.exchange(vec![1; SIZE], SIZE).unwrap();
            }
            for _ in 0..200 {
                b.exchange(vec![1; 64], 64).unwrap();
            }
        });
        let start = Instant::now();
        for _ in 0..times {
            a.exchange(vec![1; SIZE], SIZE).unwrap();
        }
        let bulk = start.elapsed().as_secs_f64();
        let start = Instant::now();
        for _ in 0..200 {
            a.exchange(vec![1; 64], 64).unwrap();
        }
        let trip = start.elapsed().as_secs_f64() / 200.0;
        other.join().unwrap();
        ((times * SIZE) as f64 / bulk / 1e6, trip * 1e6)
    };
    let times = 8;
    let (plain, encrypted) = (measure(plain_pair(IDLE), times), measure(pair(), times));
    for (name, (rate, trip)) in [("plain", plain), ("TLS 1.3", encrypted)] {
        println!("{name:<8} {rate:>6.0} MB/s each way at once, {trip:>5.1} us a round");
    }
    assert!(encrypted.0 > 1.0);
}
