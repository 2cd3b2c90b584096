//! Who makes correlated randomness: the arguments that every command takes which builds a plan.

use ptc_plan::file::{self, Trust};

use crate::failure::Failure;

#[derive(clap::Args)]
pub struct TrustArguments {
    /// Where correlated randomness comes from.
    #[arg(long, value_enum, default_value_t = Mode::Dealer)]
    pub trust: Mode,
    /// What two parties alone spend least of. Default: total.
    #[arg(long, value_enum)]
    pub optimize: Option<Objective>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub enum Mode {
    /// The two parties make it themselves, by oblivious transfer and homomorphic encryption: nobody else is trusted.
    TwoParty,
    /// A third process that sees no data and colludes with neither party (`ptc deal`). Faster.
    Dealer,
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub enum Objective {
    /// Seconds on a fast link, preparation and query together.
    Total,
    /// Bytes, preparation and query together: for slow links.
    Traffic,
}

impl TrustArguments {
    pub fn trust(&self) -> Result<Trust, Failure> {
        let optimize = match self.optimize {
            None | Some(Objective::Total) => file::Objective::Total,
            Some(Objective::Traffic) => file::Objective::Traffic,
        };
        match (self.trust, self.optimize) {
            (Mode::TwoParty, _) => Ok(Trust::TwoParty { optimize }),
            (Mode::Dealer, None) => Ok(Trust::Dealer),
            (Mode::Dealer, Some(_)) => Err(Failure::new(
                "`--optimize` chooses how two parties alone make correlated randomness, and here a dealer makes it",
                "leave `--optimize` away, or build with `--trust two-party`",
            )),
        }
    }
}
