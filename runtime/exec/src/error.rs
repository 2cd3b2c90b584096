//! Why a session ends early.

use ptc_correlation::supply::SupplyError;
use ptc_net::PeerError;
use ptc_offline::pool::PoolError;
use ptc_offline::two_party::SessionError;
use ptc_plan::encoding::PlanError;

#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Peer(#[from] PeerError),
    #[error("{}", .0.to_string().replace("the peer", "the dealer"))]
    Dealer(PeerError),
    #[error(
        "the plan's correlated randomness comes from {0}, and the session was opened for another source\n\
         hint: give a dealer to a plan that has one, and to no other"
    )]
    Trust(&'static str),
    #[error(transparent)]
    Weights(SessionError),
    #[error("the dealer refused: {0}")]
    DealerRefused(String),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error("the plans differ: {}\nhint: both parties and the dealer need the same plan file", .0.join("; "))]
    PlansDiffer(Vec<String>),
    #[error(
        "both sides are party {0}\nhint: one side runs with `--party 0` and the weights, the other with `--party 1`"
    )]
    SameRole(usize),
    #[error(
        "the peer speaks version {found} of the session protocol, this program {expected}\nhint: run the same version of `ptc` on both sides"
    )]
    Version { expected: u32, found: u32 },
    #[error(
        "the two sides mean different sessions: their keys or their connection differ\n\
         hint: something stands between the two; check both keys with `ptc keys show` and `ptc keys list`"
    )]
    SessionsDiffer,
    /// What each party computes from public values must come out the same to the last bit.
    #[error("the public values that the two parties hold differ\nhint: {0}")]
    PublicValuesDiffer(&'static str),
    #[error("the other side {0}, this one does not\nhint: both sides prepare, or both run")]
    OtherPurpose(&'static str),
    #[error("the server turned this client away: {0}\nhint: try again later, or `--wait SECONDS` for a place")]
    TurnedAway(String),
    #[error(
        "the client asks its queries one by one, and the server runs a number that it is told before\n\
         hint: `ptc client` goes with `ptc serve`, `ptc run` with either"
    )]
    NobodyListens,
    #[error("the session has {0} queries, and another is asked")]
    TooManyQueries(u32),
    #[error(transparent)]
    Pool(#[from] PoolError),
    #[error("{}", .0.join("\n"))]
    Parameters(Vec<String>),
    #[error("{}", .0.join("\n"))]
    Inputs(Vec<String>),
    #[error("the supply of correlations does not fit the plan: {0}")]
    Supply(#[from] SupplyError),
    #[error("no randomness from the operating system: {0}")]
    Entropy(std::io::Error),
}
