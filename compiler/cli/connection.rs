//! How a party finds the other one: addresses, how long to look, how long to bear silence, whose key is let in.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ptc_net::tls::Side;
use ptc_net::{Channel, PeerError, tcp};

use crate::failure::Failure;
use crate::peers::{Guard, Peers, as_peer_error, secure};
use crate::progress::Progress;

#[derive(Clone, clap::Args)]
pub struct Meeting {
    #[command(flatten)]
    pub address: Address,
    /// How long to look for the others. Default: 30 to connect, 600 to be connected to.
    #[arg(long, value_name = "SECONDS")]
    pub wait: Option<u64>,
    /// How long a connection may be silent. A party waits longer where the plan tells that the other may take long: to
    /// prepare, or to receive from a dealer, a second for each 125 kB.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub timeout: u64,
    #[command(flatten)]
    pub peers: Peers,
    /// Who the dealer is, as `--peer` says who the other party is. Needed where the dealer is on another machine.
    #[arg(long, value_name = "NAME|KEY")]
    pub dealer_key: Option<String>,
}

#[derive(Clone, clap::Args)]
#[group(required = true, multiple = false)]
pub struct Address {
    /// Wait for the other party here.
    #[arg(long, value_name = "HOST:PORT")]
    pub listen: Option<String>,
    /// Find the other party there.
    #[arg(long, value_name = "HOST:PORT")]
    pub connect: Option<String>,
}

impl Meeting {
    fn patience(&self, usual: u64) -> Duration {
        Duration::from_secs(self.wait.unwrap_or(usual))
    }

    fn idle(&self) -> Duration {
        Duration::from_secs(self.timeout.max(1))
    }

    /// Whether somebody who said `--wait` still waits for a place at a server that has none.
    pub fn waits(&self, since: Instant) -> bool {
        self.wait.is_some_and(|seconds| since.elapsed() < Duration::from_secs(seconds))
    }

    /// Where the other party comes in, on the side that listens. Says on both sides what is wrong with the keys.
    pub fn door(&self) -> Result<Option<Door>, Failure> {
        match (&self.address.listen, &self.address.connect) {
            (Some(address), _) => Ok(Some(Door::open(address, &self.peers, self.idle())?)),
            (None, Some(address)) => self.peers.guard(address).map(|_| None),
            (None, None) => Ok(None),
        }
    }

    /// The connection to the other party.
    pub fn find(&self, door: Option<Door>, progress: &Progress) -> Result<Box<dyn Channel>, Failure> {
        match (door, &self.address.connect) {
            (Some(door), _) => {
                progress.say(&format!("waiting for the other party on {}", door.address()?));
                Ok(door.knock(Some(self.patience(600)))?.enter()?)
            }
            (None, Some(address)) => {
                progress.say(&format!("connecting to the other party at {address}"));
                Ok(self.reach(address, self.patience(30), self.peers.guard(address)?)?)
            }
            (None, None) => Err(Failure::new("no way to the other party", "add `--listen` or `--connect`")),
        }
    }

    /// Looks for the other party once more, for `patience`.
    pub fn seek(&self, patience: Duration) -> Result<Box<dyn Channel>, PeerError> {
        match &self.address.connect {
            Some(address) => {
                let guard = self.peers.guard(address).map_err(|failure| as_peer_error(&failure))?;
                self.reach(address, patience, guard)
            }
            None => Err(PeerError::Closed("an address to connect to".into())),
        }
    }

    /// Says before the session what is wrong with the dealer's key.
    pub fn check_dealer(&self, address: Option<&str>) -> Result<(), Failure> {
        match (address, &self.dealer_key) {
            (Some(address), key) => self.peers.guard_of(key.as_deref(), address).map(drop),
            (None, Some(_)) => {
                Err(Failure::new("`--dealer-key` without a dealer", "leave it away, or add `--dealer HOST:PORT`"))
            }
            (None, None) => Ok(()),
        }
    }

    /// The connection to a dealer.
    pub fn dial(&self, address: &str) -> Result<Box<dyn Channel>, PeerError> {
        let guard = self.peers.guard_of(self.dealer_key.as_deref(), address);
        self.reach(address, self.patience(30), guard.map_err(|failure| as_peer_error(&failure))?)
    }

    fn reach(
        &self,
        address: &str,
        patience: Duration,
        guard: Option<Arc<Guard>>,
    ) -> Result<Box<dyn Channel>, PeerError> {
        let channel = tcp::connect(address, patience, self.idle())?;
        Ok(Box::new(secure(channel, Side::Connects, guard.as_deref())?))
    }
}

/// Where others come in.
pub struct Door {
    listener: tcp::Listener,
    idle: Duration,
    guard: Option<Arc<Guard>>,
}

/// Somebody who has connected, and has yet to say who it is.
pub struct Caller {
    channel: tcp::Tcp,
    guard: Option<Arc<Guard>>,
}

impl Door {
    pub fn open(address: &str, peers: &Peers, idle: Duration) -> Result<Door, Failure> {
        let guard = peers.guard(address)?;
        Ok(Door { listener: tcp::listen(address)?, idle, guard })
    }

    pub fn address(&self) -> Result<SocketAddr, PeerError> {
        self.listener.local_address()
    }

    /// The next one; without `patience` it waits for ever.
    pub fn knock(&self, patience: Option<Duration>) -> Result<Caller, PeerError> {
        Ok(Caller { channel: self.listener.accept(patience, self.idle)?, guard: self.guard.clone() })
    }
}

impl Caller {
    /// Ends the connection from outside.
    pub fn cutter(&self) -> Result<tcp::Cutter, PeerError> {
        self.channel.cutter().map_err(PeerError::Io)
    }

    /// Lets the caller in, once it has proved its key where one is needed. It may take as long as a connection may be silent:
    /// where several are served, in a thread of its own.
    pub fn enter(self) -> Result<Box<dyn Channel>, PeerError> {
        Ok(Box::new(secure(self.channel, Side::Accepts, self.guard.as_deref())?))
    }
}
