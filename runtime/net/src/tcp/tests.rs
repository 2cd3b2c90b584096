use super::*;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

const SHORT: Duration = Duration::from_millis(200);

fn tcp_pair(idle: Duration) -> (Tcp, Tcp) {
    let listener = listen("127.0.0.1:0").unwrap();
    let address = listener.local_address().unwrap().to_string();
    let other = thread::spawn(move || connect(&address, IDLE, idle).unwrap());
    let accepted = listener.accept(Some(IDLE), idle).unwrap();
    (accepted, other.join().unwrap())
}

/// A channel whose peer is a bare socket.
fn against(peer: impl FnOnce(TcpStream) + Send + 'static) -> Tcp {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || peer(listener.accept().unwrap().0));
    connect(&address, IDLE, SHORT).unwrap()
}

fn frame(length: u32, sequence: u32, payload: &[u8]) -> Vec<u8> {
    [&length.to_le_bytes()[..], &sequence.to_le_bytes(), payload].concat()
}

#[test]
fn both_directions_flow_at_once() {
    // Far beyond what the kernel buffers: neither side may wait for the other to read first.
    let size = 64 << 20;
    let (mut a, mut b) = tcp_pair(IDLE);
    let other = thread::spawn(move || {
        let received = b.exchange(vec![2; size], size + 1).unwrap();
        (received.iter().all(|&x| x == 1), b.exchange(vec![7], 1).unwrap(), b.counters())
    });
    let received = a.exchange(vec![1; size + 1], size).unwrap();
    assert!(received.iter().all(|&x| x == 2));
    assert_eq!(a.exchange(vec![8], 1).unwrap(), [7]);
    let (right, last, counters) = other.join().unwrap();
    assert!(right);
    assert_eq!(last, [8]);
    let (large, small) = (size as u64 + 1 + 8 + 9, size as u64 + 8 + 9);
    assert_eq!(a.counters(), Counters { rounds: 2, sent: large, received: small });
    assert_eq!(counters, Counters { rounds: 2, sent: small, received: large });
}

#[test]
fn messages_of_all_sizes_keep_their_order() {
    let sizes = [1, 100, DIRECT - 8, DIRECT - 7, 5 << 20, 3, 300_000, 70_000, 1];
    let (mut a, mut b) = tcp_pair(IDLE);
    let other = thread::spawn(move || {
        for (at, size) in sizes.into_iter().enumerate() {
            b.send(vec![at as u8; size]).unwrap();
        }
    });
    for (at, size) in sizes.into_iter().enumerate() {
        assert_eq!(a.receive(5 << 20).unwrap(), vec![at as u8; size]);
    }
    other.join().unwrap();
}

#[test]
fn what_was_sent_arrives_after_the_channel_is_dropped() {
    let (a, mut b) = tcp_pair(IDLE);
    let other = thread::spawn(move || {
        let mut a = a;
        a.send(vec![5; 20 << 20]).unwrap();
    });
    assert_eq!(b.receive(20 << 20).unwrap().len(), 20 << 20);
    other.join().unwrap();
    assert!(matches!(b.receive(1), Err(PeerError::Closed(_))));
}

#[test]
fn a_peer_that_leaves_is_noticed() {
    let mut channel = against(drop);
    let error = channel.exchange(vec![], 4).unwrap_err();
    assert_eq!(error.to_string().lines().next(), Some("the peer closed the connection while a message was expected"));
    let mut channel = against(|mut stream| stream.write_all(&frame(4, 0, &[1, 2])).unwrap());
    let error = channel.exchange(vec![], 4).unwrap_err();
    let expected = "the peer closed the connection while the rest of a message after 10 bytes was expected";
    assert_eq!(error.to_string().lines().next(), Some(expected));
}

#[test]
fn a_silent_peer_is_given_up() {
    let mut channel = against(|mut stream| {
        // Stays connected until this side goes.
        let _ = stream.read(&mut [0]);
    });
    let error = channel.exchange(vec![], 4).unwrap_err();
    assert_eq!(error.to_string().lines().next(), Some("the peer stalled: a message did not move for 0.2 s"));
}

#[test]
fn a_peer_that_drips_is_given_up() {
    // Never silent for long, and never done: four seconds for what may take one.
    let limit = Duration::from_secs(1);
    let (mut a, b) = tcp_pair(limit);
    let dripping = thread::spawn(move || {
        let mut stream = b.wire.stream.try_clone().unwrap();
        for byte in frame(200, 0, &[7; 200]) {
            if stream.write_all(&[byte]).is_err() {
                return;
            }
            thread::park_timeout(Duration::from_millis(20));
        }
    });
    let error = a.receive(1000).unwrap_err();
    assert!(error.to_string().starts_with("the peer is too slow: the rest of a message after "), "{error}");
    assert!(error.to_string().contains("was not complete within 1.001 s"), "{error}");
    drop(a);
    dripping.join().unwrap();
}

#[test]
fn a_peer_that_does_not_read_is_given_up() {
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let mut channel = against(move |stream| {
        let _ = wait.recv();
        drop(stream);
    });
    let error = (0..100).find_map(|_| channel.send(vec![0; 8 << 20]).err()).unwrap();
    assert!(matches!(error, PeerError::Stalled { .. }), "{error}");
    drop(done);
}

#[test]
fn wrong_lengths_and_numbers_are_named() {
    let mut channel = against(|mut stream| stream.write_all(&frame(5, 0, &[0; 5])).unwrap());
    assert!(matches!(channel.exchange(vec![], 4), Err(PeerError::WrongLength { expected: 4, found: 5 })));
    let mut channel = against(|mut stream| stream.write_all(&frame(3, 0, &[0; 3])).unwrap());
    assert!(matches!(channel.exchange(vec![], 4), Err(PeerError::WrongLength { expected: 4, found: 3 })));
    let mut channel = against(|mut stream| stream.write_all(&frame(4, 9, &[0; 4])).unwrap());
    assert!(matches!(channel.exchange(vec![], 4), Err(PeerError::OutOfOrder { expected: 0, found: 9 })));
    let mut channel = against(|mut stream| stream.write_all(&frame(u32::MAX, 0, &[])).unwrap());
    assert!(matches!(channel.receive(1 << 20), Err(PeerError::TooLong { limit: 1048576, found: 4294967295 })));
}

#[test]
fn a_taken_port_is_named() {
    let first = listen("127.0.0.1:0").unwrap();
    let address = first.local_address().unwrap().to_string();
    let error = listen(&address).err().unwrap().to_string();
    assert!(error.starts_with(&format!("cannot listen on {address}: ")), "{error}");
    assert!(error.ends_with("hint: another process listens there; choose another port"), "{error}");
    assert!(listen("nonsense").err().unwrap().to_string().contains("HOST:PORT"));
}

#[test]
fn nobody_there_is_said_within_the_limit() {
    let address = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let error = connect(&address, SHORT, IDLE).err().unwrap();
    assert!(matches!(error, PeerError::Refused { .. }));
    assert!(error.to_string().starts_with(&format!("no connection to {address} within 0.2 s: ")), "{error}");
    let listener = listen("127.0.0.1:0").unwrap();
    let error = listener.accept(Some(SHORT), IDLE).err().unwrap();
    assert_eq!(error.to_string().lines().next(), Some("nobody connected to 127.0.0.1:0 within 0.2 s"));
}

#[test]
fn a_late_listener_is_found() {
    let address = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let target = address.clone();
    let other = thread::spawn(move || connect(&target, IDLE, IDLE).unwrap().send(vec![1, 2, 3]).unwrap());
    let listener = listen(&address).unwrap();
    assert_eq!(listener.accept(Some(IDLE), IDLE).unwrap().receive(3).unwrap(), [1, 2, 3]);
    other.join().unwrap();
}

#[test]
fn a_peer_with_work_of_its_own_is_waited_for() {
    let (mut a, mut b) = tcp_pair(SHORT);
    let worker = thread::spawn(move || {
        thread::park_timeout(SHORT * 2);
        b.send(b"done".to_vec()).unwrap();
        b
    });
    a.set_patience(SHORT * 50).unwrap();
    assert_eq!(a.receive(4).unwrap(), b"done");
    a.set_patience(Duration::ZERO).unwrap();
    assert!(matches!(a.receive(4), Err(PeerError::Stalled { idle: SHORT, .. })));
    worker.join().unwrap();
}

#[test]
fn a_peer_that_takes_in_what_it_is_sent_is_not_silent() {
    const CHUNK: usize = 256 << 10;
    let limit = SHORT * 3;
    let (mut a, b) = tcp_pair(limit);
    // Far more than the kernel buffers, read so slowly that all of it takes longer than the limit.
    let size = 256 * CHUNK;
    let start = std::time::Instant::now();
    let reader = thread::spawn(move || {
        let (mut stream, mut chunk) = (b.wire.stream.try_clone().unwrap(), vec![0; CHUNK]);
        stream.read_exact(&mut chunk[..HEADER]).unwrap();
        for _ in 0..size / CHUNK {
            stream.read_exact(&mut chunk).unwrap();
            thread::park_timeout(Duration::from_millis(6));
        }
        stream.write_all(&frame(4, 0, b"done")).unwrap();
        b
    });
    assert_eq!(a.exchange(vec![3; size], 4).unwrap(), b"done");
    assert!(start.elapsed() > limit);
    reader.join().unwrap();
}
