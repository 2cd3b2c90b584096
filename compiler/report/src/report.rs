//! What a report says, in the order in which it is read. Bytes of steps are payload; frame headers belong to rounds. The JSON
//! form is this, field by field; [`SCHEMA`] goes up with every change that a reader has to know of.

use std::collections::BTreeSet;

use ptc_plan::bound::Grade;
use ptc_plan::step::{Fixed, Party};
use serde::Serialize;

use crate::leakage::Leakage;
use crate::measured::Measured;

pub const SCHEMA: u32 = 1;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    pub schema: u32,
    pub model: String,
    pub entry: String,
    pub dims: Vec<(String, u64)>,
    /// Where correlated randomness comes from.
    pub trust: &'static str,
    pub online: Online,
    pub offline: Offline,
    pub times: Option<Times>,
    /// The widest ring, and where.
    pub widest: Option<Widest>,
    /// What the compiler chose among for the whole plan.
    pub choices: Vec<Choice>,
    /// Repeated parts of the model, and what is around them.
    pub layers: Vec<Layer>,
    /// Source lines in the order in which the plan first comes to them.
    pub lines: Vec<Line>,
    /// Approximations of values that no line produces any more.
    pub notes: Vec<Note>,
    /// The most traffic first.
    pub protocols: Vec<Protocol>,
    pub leakage: Leakage,
    /// Of a run of which both parties kept a trace.
    pub measured: Option<Measured>,
    /// Every step of the plan, in its order.
    pub steps: Vec<StepRow>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Online {
    pub rounds: u64,
    /// Frame headers included.
    pub server_bytes: u64,
    pub client_bytes: u64,
    /// Of both together.
    pub header_bytes: u64,
}

/// What is prepared: for each query, and once a session. Frame headers included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Offline {
    Dealer(Dealt),
    TwoParty(Made),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Dealt {
    pub dealer_to_server_bytes: u64,
    pub dealer_to_client_bytes: u64,
    pub dealer_to_server_once_bytes: u64,
    pub server_to_client_once_bytes: u64,
}

/// By the two parties alone. The first query of a session; later ones find what it leaves over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Made {
    pub rounds: u64,
    pub server_bytes: u64,
    pub client_bytes: u64,
    /// Random oblivious transfers, by who sends in them, and how they are extended.
    pub server_transfers: u64,
    pub client_transfers: u64,
    pub extension: &'static str,
    pub encrypted_products: u64,
    pub once_rounds: u64,
    pub server_once_bytes: u64,
    pub client_once_bytes: u64,
}

/// Predicted microseconds, and what for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Times {
    pub profile: String,
    pub online_us: f64,
    pub offline_us: f64,
    pub once_us: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Widest {
    pub value: String,
    pub ring: Ring,
    pub place: Option<Place>,
}

/// One of several ways, and what the whole plan costs with it in the unit of the objective.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Choice {
    pub subject: String,
    pub chosen: Way,
    pub runner_up: Option<Way>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Way {
    pub name: String,
    pub price: u64,
}

/// `Z_2^bits`, with `frac` bits behind the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Ring {
    pub bits: u32,
    pub frac: u32,
}

impl From<Fixed> for Ring {
    fn from(fixed: Fixed) -> Ring {
        Ring { bits: fixed.bits, frac: fixed.frac }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    pub file: String,
    pub line: u32,
}

/// How a step is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// In the clear, by its owner alone.
    Server,
    Client,
    /// In the clear, by both.
    Public,
    /// On shares, without a message.
    Local,
    /// On shares, with correlated randomness from homomorphic encryption, from oblivious transfers, or from a dealer.
    Encrypted,
    Transfers,
    Dealt,
    /// On ciphertexts, in the query itself.
    Inline,
    /// A value is opened.
    Revealed,
}

impl Scheme {
    pub const ALL: [Scheme; 9] = [
        Scheme::Server,
        Scheme::Client,
        Scheme::Public,
        Scheme::Local,
        Scheme::Encrypted,
        Scheme::Transfers,
        Scheme::Dealt,
        Scheme::Inline,
        Scheme::Revealed,
    ];

    /// As in the JSON form.
    pub fn name(self) -> &'static str {
        match self {
            Scheme::Server => "server",
            Scheme::Client => "client",
            Scheme::Public => "public",
            Scheme::Local => "local",
            Scheme::Encrypted => "encrypted",
            Scheme::Transfers => "transfers",
            Scheme::Dealt => "dealt",
            Scheme::Inline => "inline",
            Scheme::Revealed => "revealed",
        }
    }

    pub fn describe(self) -> &'static str {
        match self {
            Scheme::Server => "server alone, in the clear",
            Scheme::Client => "client alone, in the clear",
            Scheme::Public => "both, in the clear",
            Scheme::Local => "shares, no message",
            Scheme::Encrypted => "shares, prepared by encryption",
            Scheme::Transfers => "shares, prepared by transfers",
            Scheme::Dealt => "shares, prepared by the dealer",
            Scheme::Inline => "encrypted in the query",
            Scheme::Revealed => "opened",
        }
    }
}

/// Between which every element lies, and on what ground.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Range {
    pub low: f64,
    pub high: f64,
    pub grade: &'static str,
    pub sign: &'static str,
}

/// What rounds, bytes and times add up to. Bytes are payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Cost {
    /// Rounds in which it has a part; others share them.
    pub rounds: u64,
    /// Of them rounds on the longest chain of steps, which ends with the query.
    pub critical_rounds: u64,
    pub server_bytes: u64,
    pub client_bytes: u64,
    /// Before the query: from the dealer to the client, or between the two parties, both ways.
    pub offline_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub online_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offline_us: Option<f64>,
}

impl Cost {
    pub fn online_bytes(&self) -> u64 {
        self.server_bytes + self.client_bytes
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Layer {
    pub name: String,
    pub steps: u64,
    #[serde(flatten)]
    pub cost: Cost,
    /// What its lines cost in it, by index into the report's lines.
    pub lines: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Part {
    pub line: usize,
    #[serde(flatten)]
    pub cost: Cost,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    pub place: Option<Place>,
    pub text: String,
    #[serde(flatten)]
    pub cost: Cost,
    /// Of the shares that other lines read, or that are results.
    pub range: Option<Range>,
    /// How far they may lie from the exact computation.
    pub error: Option<f64>,
    pub steps: Vec<Group>,
    pub notes: Vec<Note>,
}

/// Steps of one line that differ in nothing that is shown: those of a loop's turns, for example.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    pub step: &'static str,
    pub protocol: &'static str,
    pub scheme: Scheme,
    /// Who computes, or whose factor it is.
    pub owner: Option<&'static str>,
    pub count: u64,
    /// Ring of the first input, where it is another.
    pub from: Option<Ring>,
    pub ring: Option<Ring>,
    pub range: Option<Range>,
    pub error: Option<f64>,
    /// Of all steps together.
    pub elements: u64,
    /// Rounds in which it has a part.
    #[serde(skip)]
    pub when: BTreeSet<u32>,
    #[serde(flatten)]
    pub cost: Cost,
    /// How else it could be made, and what that would take before the query (or in it, where that is said).
    pub alternatives: Vec<Alternative>,
    /// The party that learns the value, and why nobody learns more.
    pub leaks_to: Option<&'static str>,
    pub because: &'static str,
}

/// Bytes, both ways.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Alternative {
    pub way: &'static str,
    pub taken: bool,
    pub online_bytes: u64,
    pub offline_bytes: u64,
}

/// An approximation, and the largest error that it adds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Note {
    /// The first of the values that it stands for.
    pub value: String,
    pub count: u64,
    pub recipe: String,
    pub bound: f64,
    pub relative: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Protocol {
    pub step: &'static str,
    pub protocol: &'static str,
    pub because: &'static str,
    pub count: u64,
    pub elements: u64,
    #[serde(flatten)]
    pub cost: Cost,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepRow {
    pub step: &'static str,
    pub scheme: Scheme,
    /// The first of its results.
    pub value: String,
    pub shape: Vec<usize>,
    pub ring: Option<Ring>,
    pub range: Option<Range>,
    pub error: Option<f64>,
    /// Indices into the report's layers and lines.
    pub layer: usize,
    pub line: usize,
    /// The first of its rounds.
    pub round: u32,
    /// The step that it waits for.
    pub after: Option<usize>,
    /// The steps whose results it reads.
    pub inputs: Vec<usize>,
    /// Bytes that server and client send in each of its rounds.
    pub each_round: Vec<[u64; 2]>,
    #[serde(flatten)]
    pub cost: Cost,
}

impl Report {
    /// A table for people, at most 120 columns wide.
    pub fn text(&self) -> String {
        crate::text::text(self)
    }

    /// What anybody learns, and nothing else.
    pub fn leakage_text(&self) -> String {
        crate::text::leakage(self)
    }

    /// A page that needs nothing else.
    pub fn html(&self) -> String {
        crate::html::page(self)
    }

    pub fn json(&self) -> String {
        let text = serde_json::to_string_pretty(self).expect("text keys have a form in JSON");
        text + "\n"
    }
}

pub fn party_name(party: Party) -> &'static str {
    match party {
        Party::Server => "server",
        Party::Client => "client",
    }
}

pub fn grade_name(grade: Grade) -> &'static str {
    match grade {
        Grade::Proved => "proved",
        Grade::Calibrated => "calibrated",
        Grade::Assumed => "assumed",
        Grade::Gated => "gated",
    }
}
