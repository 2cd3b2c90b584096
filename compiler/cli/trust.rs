//! Who makes correlated randomness, and for how many queries at once: the arguments that every command takes which builds a
//! plan.

use ptc_driver::Request;
use ptc_plan::check::MAX_BATCH;
use ptc_plan::file::{Making, Trust};

use crate::failure::Failure;

#[derive(clap::Args)]
pub struct TrustArguments {
    /// Where correlated randomness comes from.
    #[arg(long, value_enum, default_value_t = Mode::TwoParty)]
    pub trust: Mode,
    /// What two parties alone spend least of. Default: total.
    #[arg(long, value_enum)]
    pub optimize: Option<Objective>,
    /// Multiply by the server's weights in the query, on the encrypted input, instead of preparing these products: a little
    /// less traffic where one query is all there is. The query itself takes longer.
    #[arg(long)]
    pub inline: bool,
    /// Serve so many queries at once: they share rounds, and what is prepared for them costs less for each. Inputs and
    /// results are stacked; `ptc run` and `ptc sim` take as many as there are, one by one.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_BATCH)))]
    pub batch: Option<u32>,
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
    /// Whom the plan trusts. What else is asked for goes into `request`.
    pub fn settle(&self, request: &mut Request) -> Result<Trust, Failure> {
        request.inline = self.inline;
        request.passes.batch = self.batch.filter(|&queries| queries > 1);
        let making = match self.optimize {
            None | Some(Objective::Total) => Making::FAST,
            Some(Objective::Traffic) => Making::SPARING,
        };
        let misplaced = match self {
            TrustArguments { trust: Mode::TwoParty, .. } => return Ok(Trust::TwoParty { making }),
            TrustArguments { optimize: Some(_), .. } => "--optimize",
            TrustArguments { inline: true, .. } => "--inline",
            _ => return Ok(Trust::Dealer),
        };
        Err(Failure::new(
            format!("`{misplaced}` is about how two parties alone prepare, and here a dealer does"),
            format!("leave `{misplaced}` away, or build with `--trust two-party`"),
        ))
    }
}
