//! Who the other side is, and whether a connection is encrypted: always between machines, on one machine where a key is
//! given.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use ptc_net::PeerError;
use ptc_net::key::{Identity, PublicKey};
use ptc_net::tcp::Tcp;
use ptc_net::tls::{Keys, Side};

use crate::failure::Failure;
use crate::identity;

#[derive(Clone, Default, clap::Args)]
pub struct Peers {
    /// Who the other side is: a name that `ptc keys trust` gave, or a key. Where others come in, it may be given several
    /// times. The connection is encrypted (TLS 1.3), and nobody else is let in. Needed wherever an address is not of this
    /// machine.
    #[arg(long, value_name = "NAME|KEY")]
    pub peer: Vec<String>,
    /// The other side is anybody whom `ptc keys trust` named.
    #[arg(long, conflicts_with = "peer")]
    pub any_trusted: bool,
    /// This side's key. Default: `ptc/identity.key` in the user's configuration folder, which `ptc keys new` makes.
    #[arg(long, value_name = "FILE")]
    pub identity: Option<PathBuf>,
    /// Do not encrypt, which is refused between machines.
    #[arg(long, conflicts_with_all = ["peer", "any_trusted"])]
    pub plain: bool,
}

/// This side's key and whom it lets in: what an encrypted connection needs.
pub struct Guard {
    identity: Identity,
    allowed: Vec<(String, PublicKey)>,
    /// Who is known beside them.
    known: Vec<(String, PublicKey)>,
}

impl Peers {
    /// None where the connection is plain.
    pub fn guard(&self, address: &str) -> Result<Option<Arc<Guard>>, Failure> {
        match is_encrypted(address, self.plain, self.any_trusted || !self.peer.is_empty())? {
            true => Ok(Some(Arc::new(self.open()?))),
            false => Ok(None),
        }
    }

    /// The same for a third process with a key of its own.
    pub fn guard_of(&self, third: Option<&str>, address: &str) -> Result<Option<Arc<Guard>>, Failure> {
        if third.is_none() && !self.plain && !is_loopback(address) {
            return Err(Failure::new(
                format!("the dealer's `{address}` is not only of this machine, and who the dealer is is not said"),
                "`--dealer-key NAME|KEY` says it: the key is what `ptc keys show` prints on the dealer's machine",
            ));
        }
        let peer = third.map(String::from).into_iter().collect();
        Peers { peer, any_trusted: false, identity: self.identity.clone(), plain: self.plain && third.is_none() }
            .guard(address)
    }

    fn open(&self) -> Result<Guard, Failure> {
        let identity = match &self.identity {
            Some(path) => identity::read(path)?,
            None => identity::read(&identity::place()?)?,
        };
        let by_key = |peer: &String| peer.parse::<PublicKey>().is_ok();
        // Who gives keys and no name needs no list.
        let known = match self.peer.iter().all(by_key) && !self.any_trusted {
            true => identity::trusted().unwrap_or_default(),
            false => identity::trusted()?,
        };
        let allowed = match self.any_trusted {
            true if known.is_empty() => {
                return Err(Failure::new("nobody is trusted yet", "`ptc keys trust NAME KEY` adds somebody"));
            }
            true => known.clone(),
            false => self.peer.iter().map(|peer| named(peer, &known)).collect::<Result<_, _>>()?,
        };
        if allowed.iter().any(|(_, key)| *key == identity.public()) {
            return Err(Failure::new(
                "the other side's key is this side's own",
                "give the key that `ptc keys show` prints on the other side, or another `--identity` here",
            ));
        }
        Ok(Guard { identity, allowed, known })
    }
}

/// A key, or the key of a name.
fn named(peer: &str, known: &[(String, PublicKey)]) -> Result<(String, PublicKey), Failure> {
    if let Ok(key) = peer.parse::<PublicKey>() {
        let name = known.iter().find(|(_, other)| *other == key).map(|(name, _)| name.clone());
        return Ok((name.unwrap_or_else(|| peer.to_string()), key));
    }
    let found = known.iter().find(|(name, _)| name == peer);
    found.cloned().ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(|(name, _)| name.as_str()).collect();
        let there =
            if names.is_empty() { "none is trusted yet".into() } else { format!("there are {}", names.join(", ")) };
        Failure::new(
            format!("no trusted key is called `{}`; {there}", peer.escape_debug()),
            "`ptc keys trust NAME KEY` adds one; a key itself can be given too",
        )
    })
}

/// The rule: between machines always, and never otherwise unless a key is given.
fn is_encrypted(address: &str, plain: bool, peer: bool) -> Result<bool, Failure> {
    match (is_loopback(address), plain, peer) {
        (_, false, true) => Ok(true),
        (true, _, false) => Ok(false),
        (false, true, _) => Err(Failure::new(
            format!("`--plain` is refused: `{address}` is not only of this machine"),
            "who reads along between machines, or poses as the other side, could learn what must stay private; give \
             `--peer NAME|KEY` instead",
        )),
        (false, false, false) => Err(Failure::new(
            format!("`{address}` is not only of this machine, and who the other side is is not said"),
            "`--peer NAME|KEY` says it: each side makes a key with `ptc keys new`, and gives the other what `ptc keys show` \
             prints",
        )),
        (true, true, true) => Err(Failure::new("`--plain` and `--peer` exclude each other", "leave one away")),
    }
}

/// As it is written: what a name leads to may change.
fn is_loopback(address: &str) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// The connection, encrypted where there is a guard.
pub fn secure(channel: Tcp, side: Side, guard: Option<&Guard>) -> Result<Tcp, PeerError> {
    let Some(Guard { identity, allowed, known }) = guard else { return Ok(channel) };
    channel.secure(side, Keys { identity, allowed }).map_err(|error| match error {
        PeerError::UnknownKey { key, expected } => {
            let other = known.iter().find(|(_, other)| *other == key);
            let not = other.map_or(String::new(), |(name, _)| format!(", not `{name}`,"));
            PeerError::UnknownKey { key, expected: expected + &not }
        }
        error => error,
    })
}

/// For where only errors of the connection are told.
pub fn as_peer_error(failure: &Failure) -> PeerError {
    PeerError::Unfit(failure.text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_told_by_what_is_written() {
        for address in ["127.0.0.1:7000", "127.0.0.2:1", "localhost:7000", "[::1]:7000", "[::ffff:127.0.0.1]:7000"] {
            assert!(is_loopback(address), "{address}");
        }
        for address in
            ["0.0.0.0:7000", "10.0.0.1:7000", "[::]:7000", "example.org:7000", "localhost.example.org:1", ":7000"]
        {
            assert!(!is_loopback(address), "{address}");
        }
    }

    #[test]
    fn encryption_cannot_be_turned_off_between_machines() {
        let (here, there) = ("127.0.0.1:7000", "192.0.2.1:7000");
        let rule = |address, plain, peer| is_encrypted(address, plain, peer).ok();
        assert_eq!(rule(here, false, false), Some(false));
        assert_eq!(rule(here, true, false), Some(false));
        assert_eq!(rule(here, false, true), Some(true));
        assert_eq!(rule(there, false, true), Some(true));
        for refused in [(here, true, true), (there, true, false), (there, true, true), (there, false, false)] {
            assert_eq!(rule(refused.0, refused.1, refused.2), None, "{refused:?}");
        }
        let Err(Failure::Message { message, hint, .. }) = is_encrypted(there, true, false) else { panic!("refused") };
        assert!(message.starts_with("`--plain` is refused") && hint.is_some_and(|hint| hint.contains("--peer")));
    }
}
