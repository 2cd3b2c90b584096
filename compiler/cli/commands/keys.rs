//! `ptc keys`: this side's key, and the keys of others.

use std::path::PathBuf;

use clap::Subcommand;
use ptc_net::key::PublicKey;

use crate::failure::Failure;
use crate::identity;

/// Make, show and trust the keys by which parties know each other
///
/// Each side makes a key once with `ptc keys new`, gives the other what `ptc keys show` prints, and trusts what it is given:
/// `ptc keys trust NAME KEY`. Then `--peer NAME` lets that side in and nobody else, over an encrypted connection.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Make this side's key (Ed25519), for this user alone
    New(Place),
    /// Print this side's public key, which anybody may know
    Show(Place),
    /// Trust a key, and give it a name
    Trust {
        name: String,
        /// What `ptc keys show` prints on the other side.
        key: String,
    },
    /// Print the names and keys that are trusted
    List,
    /// Trust a key no longer
    Forget { name: String },
}

#[derive(clap::Args)]
struct Place {
    /// The file of the key. Default: `ptc/identity.key` in the user's configuration folder.
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
}

impl Place {
    fn path(&self) -> Result<PathBuf, Failure> {
        match &self.identity {
            Some(path) => Ok(path.clone()),
            None => identity::place(),
        }
    }
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.what {
        What::New(place) => {
            let path = place.path()?;
            let public = identity::make(&path)?.public();
            eprintln!("made {}", path.display());
            show(public);
        }
        What::Show(place) => show(identity::read(&place.path()?)?.public()),
        What::Trust { name, key } => trust(name, &key)?,
        What::List => {
            for (name, key) in identity::trusted()? {
                println!("{name} {key}");
            }
        }
        What::Forget { name } => {
            let mut known = identity::trusted()?;
            let before = known.len();
            known.retain(|(other, _)| *other != name);
            if known.len() == before {
                let message = format!("no trusted key is called `{}`", name.escape_debug());
                return Err(Failure::new(message, "`ptc keys list` prints those that are"));
            }
            identity::write_trusted(&known)?;
            eprintln!("forgot {name}");
        }
    }
    Ok(())
}

/// The key alone on standard output, for scripts.
fn show(public: PublicKey) {
    println!("{public}");
    eprintln!("fingerprint {}", public.fingerprint());
}

fn trust(name: String, key: &str) -> Result<(), Failure> {
    identity::check_name(&name)?;
    let key: PublicKey = key.trim().parse()?;
    let mut known = identity::trusted()?;
    if let Some((_, other)) = known.iter().find(|(known, _)| *known == name) {
        if *other == key {
            return Ok(());
        }
        return Err(Failure::new(
            format!("`{name}` is the name of another key: {other}"),
            format!("`ptc keys forget {name}` first, if it is no longer that key"),
        ));
    }
    if let Some((other, _)) = known.iter().find(|(_, known)| *known == key) {
        return Err(Failure::new(format!("this key is trusted already, as `{other}`"), "a key has one name"));
    }
    eprintln!("trusted as {name}; the other side should read the same: fingerprint {}", key.fingerprint());
    known.push((name, key));
    known.sort();
    identity::write_trusted(&known)
}
