//! Frames over tcp, bare and in TLS: whatever a peer writes, each message is one that was asked for, or an error.

use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::OnceLock;
use std::time::Duration;

use ptc_net::Channel;
use ptc_net::key::{Identity, PublicKey};
use ptc_net::tcp::Tcp;
use ptc_net::tls::{Keys, Side};

use super::bytes::Bytes;

/// A connection whose peer writes `bytes` and closes.
fn against(bytes: &[u8]) -> Tcp {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let mut peer = TcpStream::connect(listener.local_addr().expect("it listens")).expect("it accepts");
    let (stream, _) = listener.accept().expect("somebody has come");
    let own = Tcp::new(stream, Duration::from_secs(5)).expect("a fresh stream");
    // Less than what the kernel buffers: nobody waits for a reader.
    peer.write_all(bytes).expect("room in the kernel");
    peer.shutdown(Shutdown::Write).expect("an open stream");
    own
}

/// The first bytes say what is asked for, the others are what the peer writes before it closes.
pub fn frames(bytes: &[u8]) {
    let mut choices = Bytes::new(bytes);
    let asked: Vec<(bool, usize)> =
        (0..choices.below(8)).map(|_| (choices.byte() & 1 == 0, choices.below(1 << 12))).collect();
    let mut own = against(choices.take(1 << 15));
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

/// No bytes are the handshake of a peer whose key was drawn a moment ago.
pub fn tls(bytes: &[u8]) {
    static OWN: OnceLock<(Identity, Vec<(String, PublicKey)>)> = OnceLock::new();
    let (identity, allowed) = OWN.get_or_init(|| {
        let peer = Identity::fresh().expect("randomness").public();
        (Identity::fresh().expect("randomness"), vec![("peer".to_string(), peer)])
    });
    let mut choices = Bytes::new(bytes);
    let side = if choices.byte() & 1 == 0 { Side::Accepts } else { Side::Connects };
    let own = against(choices.take(1 << 15));
    assert!(own.secure(side, Keys { identity, allowed }).is_err(), "a stranger was let in");
}

/// A line of a key file, secret or public, comes back as it was or is none.
pub fn keys(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(identity) = Identity::from_line(&text) {
        let line = identity.danger_to_line();
        let again = Identity::from_line(&line).map(|identity| identity.public().to_string());
        assert!(again.is_ok_and(|again| again == identity.public().to_string()), "another key");
        assert_eq!(line.trim_end(), text.strip_suffix('\n').unwrap_or(&text));
    }
    if let Ok(key) = text.parse::<PublicKey>() {
        assert_eq!(key.to_string(), text);
        key.fingerprint();
    }
}
