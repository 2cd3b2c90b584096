//! Who makes correlated randomness, for how many queries at once, and what a build spends least of: the arguments that every command takes which builds a
//! plan.

use ptc_cost::assign::{EXTENSIONS, Fixed, extension_name};
use ptc_cost::objective::Objective as Spent;
use ptc_cost::profile::{MAX_BYTES, Profile, names};
use ptc_driver::Request;
use ptc_driver::recipes::{self, Wanted};
use ptc_driver::search::Search;
use ptc_plan::check::MAX_BATCH;
use ptc_plan::file::Trust;
use ptc_plan::step::Method;
use ptc_plan::two_party::transfer::Extension;

use crate::failure::Failure;
use crate::files;

#[derive(clap::Args)]
pub struct TrustArguments {
    /// Where correlated randomness comes from.
    #[arg(long, value_enum, default_value_t = Mode::TwoParty)]
    pub trust: Mode,
    /// What the plan spends least of.
    #[arg(long, value_enum, default_value_t = Objective::Total)]
    pub optimize: Objective,
    /// The link and the machines that seconds are predicted for: `lan` (1 Gbit/s, 0.5 ms there and back), `lan-fast`
    /// (5 Gbit/s, 1 ms), `wan` (400 Mbit/s, 4 ms), `wan-slow` (100 Mbit/s, 40 ms), `loopback`, or a file that `ptc profile`
    /// has written.
    #[arg(long, value_name = "NAME|FILE", default_value = "lan")]
    pub profile: String,
    /// Multiply by the server's weights in the query, on the encrypted input, instead of preparing these products: a little
    /// less traffic where one query is all there is. The query itself takes longer.
    #[arg(long)]
    pub inline: bool,
    /// Serve so many queries at once: they share rounds, and what is prepared for them costs less for each. Inputs and
    /// results are stacked; `ptc run` and `ptc sim` take as many as there are, one by one.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_BATCH)))]
    pub batch: Option<u32>,
    /// For comparisons: how functions are computed, instead of the cheapest way, e.g. `maximum=levels,rounds=few`.
    #[arg(long, value_name = "NAME=WAY,...", value_parser = recipes::parse, hide_short_help = true)]
    pub recipe: Option<Wanted>,
    /// For comparisons: how transfers are extended: `iknp`, `softspoken-2`, `softspoken-4`, `softspoken-8`, `silent`.
    #[arg(long, value_name = "NAME", value_parser = extension, hide_short_help = true)]
    pub extension: Option<Extension>,
    /// For comparisons: how products are made in preparing, where there are two ways.
    #[arg(long, value_enum, hide_short_help = true)]
    pub method: Option<MethodName>,
    /// For comparisons: how many bytes a second of computing is worth in packing encrypted products.
    #[arg(long, value_name = "BYTES", hide_short_help = true)]
    pub second_bytes: Option<u32>,
    /// For comparisons: no shared value gets a narrower ring. Powers of two are shifted in rings 24 bits wider.
    #[arg(long, value_name = "BITS", value_parser = clap::value_parser!(u32).range(1..=40), hide_short_help = true)]
    pub least_ring: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
pub enum Mode {
    /// The two parties make it themselves, by oblivious transfer and homomorphic encryption: nobody else is trusted.
    TwoParty,
    /// A third process that sees no data and colludes with neither party (`ptc deal`). Faster.
    Dealer,
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub enum Objective {
    /// Seconds of the query alone: all has been prepared.
    Online,
    /// Seconds of preparation and one query together.
    Total,
    /// Bytes of preparation and one query together.
    Traffic,
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub enum MethodName {
    /// By homomorphic encryption.
    Encrypted,
    /// By oblivious transfers.
    Transfers,
}

fn extension(text: &str) -> Result<Extension, String> {
    let name = |extension: &Extension| extension_name(*extension).replace(' ', "-");
    let found = EXTENSIONS.into_iter().find(|extension| name(extension) == text);
    found.ok_or_else(|| format!("there are {}", EXTENSIONS.each_ref().map(name).join(", ")))
}

impl TrustArguments {
    /// Whom the plan trusts. What else is asked for goes into `request`.
    pub fn settle(&self, request: &mut Request) -> Result<Trust, Failure> {
        request.inline = self.inline;
        request.passes.batch = self.batch.filter(|&queries| queries > 1);
        request.passes.least_ring = self.least_ring.unwrap_or(request.passes.least_ring);
        request.search = Some(self.search()?);
        let about_two = [
            ("--inline", self.inline),
            ("--extension", self.extension.is_some()),
            ("--method", self.method.is_some()),
            ("--second-bytes", self.second_bytes.is_some()),
        ];
        match (self.trust, about_two.into_iter().find(|(_, given)| *given)) {
            (Mode::TwoParty, _) => Ok(Trust::default()),
            (Mode::Dealer, None) => Ok(Trust::Dealer),
            (Mode::Dealer, Some((misplaced, _))) => Err(Failure::new(
                format!("`{misplaced}` is about how two parties alone prepare, and here a dealer does"),
                format!("leave `{misplaced}` away, or build with `--trust two-party`"),
            )),
        }
    }

    fn search(&self) -> Result<Search, Failure> {
        let objective = match self.optimize {
            Objective::Online => Spent::Online,
            Objective::Total => Spent::Total,
            Objective::Traffic => Spent::Traffic,
        };
        let method = self.method.map(|method| match method {
            MethodName::Encrypted => Method::Encrypted,
            MethodName::Transfers => Method::Transfers,
        });
        let making = Fixed { extension: self.extension, second_bytes: self.second_bytes, method };
        Ok(Search { profile: self.profile()?, objective, making, recipes: self.recipe.unwrap_or_default() })
    }

    /// The profile by its name, or from its file.
    pub fn profile(&self) -> Result<Profile, Failure> {
        if let Some(profile) = Profile::built_in(&self.profile) {
            return Ok(profile);
        }
        let path = std::path::Path::new(&self.profile);
        if !path.exists() {
            let known = names().collect::<Vec<_>>().join(", ");
            return Err(Failure::new(
                format!("there is no profile `{}`", self.profile),
                format!("give a file that `ptc profile -o FILE` has written, or one of {known}"),
            ));
        }
        Profile::parse(&files::read_text(path, MAX_BYTES)?).map_err(Failure::from)
    }
}
