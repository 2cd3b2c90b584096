//! `ptc profile`: this machine, and the link to a peer, as numbers.

use std::path::PathBuf;
use std::time::Duration;

use ptc_cost::profile::Profile;
use ptc_net::Channel;
use ptc_net::tcp::{self, IDLE};
use ptc_net::tls::Side;
use ptc_plan::step::Party;

use crate::backend::BackendArguments;
use crate::connection::Door;
use crate::failure::Failure;
use crate::files;
use crate::measure;
use crate::peers::{Peers, secure};

/// Measure this machine, and the link to the other party, for `--profile`
///
/// Takes some seconds; nothing else should run meanwhile. Where both parties measure at once, one with `--listen` and one
/// with `--connect`, both write the link between them; each writes its own machine.
#[derive(clap::Args)]
pub struct Arguments {
    /// Where to write the profile.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// What reports call it. Default: the file's name.
    #[arg(long)]
    pub name: Option<String>,
    /// Wait here for the other party, as the server.
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "connect")]
    pub listen: Option<String>,
    /// Find the other party there, as the client.
    #[arg(long, value_name = "HOST:PORT")]
    pub connect: Option<String>,
    /// The link to assume where none is measured: `lan`, `lan-fast`, `wan`, `wan-slow` or `loopback`.
    #[arg(long, value_name = "NAME", default_value = "lan", conflicts_with_all = ["listen", "connect"])]
    pub link: String,
    /// Both parties run on this machine, and share its processors.
    #[arg(long)]
    pub shared: bool,
    #[command(flatten)]
    pub peers: Peers,
    #[command(flatten)]
    pub backend: BackendArguments,
}

const PATIENCE: Duration = Duration::from_secs(600);

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let mut profile = Profile::built_in(&arguments.link).ok_or_else(|| {
        Failure::new(format!("there is no link `{}`", arguments.link), "see `--link` in `ptc profile --help`")
    })?;
    let door = arguments.listen.as_deref().map(|address| Door::open(address, &arguments.peers, IDLE)).transpose()?;
    let guard = match &arguments.connect {
        Some(address) => arguments.peers.guard(address)?,
        None => None,
    };
    let backend = arguments.backend.open()?;
    let shared = arguments.shared || profile.machine.shared;
    profile.machine = measure::machine(&*backend, &mut |what, seconds| eprintln!("{what:<26}{seconds:>7.3} s"))?;
    profile.machine.shared = shared;
    let peer: Option<(Box<dyn Channel>, Party)> = match (door, &arguments.connect) {
        (Some(door), _) => {
            eprintln!("waiting for the other party on {}", door.address()?);
            Some((door.knock(Some(PATIENCE))?.enter()?, Party::Server))
        }
        (None, Some(address)) => {
            let channel = tcp::connect(address, PATIENCE, IDLE)?;
            Some((Box::new(secure(channel, Side::Connects, guard.as_deref())?), Party::Client))
        }
        (None, None) => None,
    };
    if let Some((mut channel, party)) = peer {
        let link = measure::link(&mut channel, party)?;
        (profile.round_trip_us, profile.bits_per_second) = (link.round_trip_us, link.bits_per_second);
        let [server, client] = link.bits_per_second.map(|rate| rate / 1e6);
        let trip = link.round_trip_us / 1e3;
        eprintln!("link: {trip:.3} ms there and back, {server:.0} Mbit/s from the server, {client:.0} from the client");
    }
    let stem = arguments.output.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    profile.name = arguments.name.or(stem).unwrap_or_else(|| "measured".into());
    let text = profile.json();
    // What is written can be read.
    Profile::parse(&text)?;
    files::write(&arguments.output, text.as_bytes())?;
    Ok(())
}
