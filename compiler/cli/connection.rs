//! How a party finds the other one: addresses, how long to look, how long to bear silence.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ptc_net::{Channel, PeerError, tcp};

use crate::failure::Failure;
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

    /// Where the other party comes in, on the side that listens.
    pub fn door(&self) -> Result<Option<Door>, Failure> {
        match &self.address.listen {
            Some(address) => Ok(Some(Door::open(address, self.idle())?)),
            None => Ok(None),
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
                Ok(Box::new(tcp::connect(address, self.patience(30), self.idle())?))
            }
            (None, None) => Err(Failure::new("no way to the other party", "add `--listen` or `--connect`")),
        }
    }

    /// Looks for the other party once more, for `patience`.
    pub fn seek(&self, patience: Duration) -> Result<Box<dyn Channel>, PeerError> {
        match &self.address.connect {
            Some(address) => Ok(Box::new(tcp::connect(address, patience, self.idle())?)),
            None => Err(PeerError::Closed("an address to connect to".into())),
        }
    }

    /// The connection to a dealer.
    pub fn dial(&self, address: &str) -> Result<Box<dyn Channel>, PeerError> {
        Ok(Box::new(tcp::connect(address, self.patience(30), self.idle())?))
    }
}

/// Where others come in.
pub struct Door {
    listener: tcp::Listener,
    idle: Duration,
}

/// Somebody who has connected, and has yet to say who it is.
pub struct Caller {
    channel: tcp::Tcp,
}

impl Door {
    pub fn open(address: &str, idle: Duration) -> Result<Door, Failure> {
        Ok(Door { listener: tcp::listen(address)?, idle })
    }

    pub fn address(&self) -> Result<SocketAddr, PeerError> {
        self.listener.local_address()
    }

    /// The next one; without `patience` it waits for ever.
    pub fn knock(&self, patience: Option<Duration>) -> Result<Caller, PeerError> {
        Ok(Caller { channel: self.listener.accept(patience, self.idle)? })
    }
}

impl Caller {
    /// Ends the connection from outside.
    pub fn cutter(&self) -> Result<tcp::Cutter, PeerError> {
        self.channel.cutter().map_err(PeerError::Io)
    }

    /// Lets the caller in. It may take as long as a connection may be silent: where several are served, in a thread of its own.
    pub fn enter(self) -> Result<Box<dyn Channel>, PeerError> {
        Ok(Box::new(self.channel))
    }
}
