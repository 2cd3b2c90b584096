//! `ptc pool`: what is left in a pool.

use std::path::PathBuf;

use ptc_offline::pool::{Status, status};

use crate::failure::Failure;

/// Tell what a pool is for and how many queries are left in it
#[derive(clap::Args)]
pub struct Arguments {
    /// The folder that `ptc prepare` filled.
    pub pool: PathBuf,
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let Status { header, left } = status(&arguments.pool)?;
    let short = |bytes: &[u8]| bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>();
    println!("pool {} of party {}, for plan {}", short(&header.id), header.party.index(), short(&header.plan));
    match left.is_empty() {
        true => println!("none of {} queries is left", header.queries),
        false => println!("{} of {} queries are left, the next is number {}", left.len(), header.queries, left.start),
    }
    Ok(())
}
