//! Frames over tcp: whatever a peer writes, each message is one that was asked for, or an error.

use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use ptc_net::Channel;
use ptc_net::tcp::Tcp;

use super::bytes::Bytes;

/// The first bytes say what is asked for, the others are what the peer writes before it closes.
pub fn frames(bytes: &[u8]) {
    let mut choices = Bytes::new(bytes);
    let asked: Vec<(bool, usize)> =
        (0..choices.below(8)).map(|_| (choices.byte() & 1 == 0, choices.below(1 << 12))).collect();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let mut peer = TcpStream::connect(listener.local_addr().expect("it listens")).expect("it accepts");
    let (stream, _) = listener.accept().expect("somebody has come");
    let mut own = Tcp::new(stream, Duration::from_secs(5)).expect("a fresh stream");
    // Less than what the kernel buffers: nobody waits for a reader.
    peer.write_all(choices.take(1 << 15)).expect("room in the kernel");
    peer.shutdown(Shutdown::Write).expect("an open stream");
    for (rounds, size) in asked {
        let received = match rounds {
            true => own.exchange(vec![], size).inspect(|found| assert_eq!(found.len(), size)),
            false => own.receive(size).inspect(|found| assert!(found.len() <= size)),
        };
        if received.is_err() {
            return;
        }
    }
}
