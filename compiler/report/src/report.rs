//! What a report says, in the order in which it is read. Bytes of steps are payload; frame headers belong to rounds.

use std::collections::BTreeSet;

use ptc_plan::step::{Fixed, Party};
use serde::Serialize;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    pub model: String,
    pub entry: String,
    pub dims: Vec<(String, u64)>,
    /// Where correlated randomness comes from.
    pub trust: &'static str,
    pub online: Online,
    pub offline: Offline,
    /// The widest ring, and where.
    pub widest: Option<Widest>,
    pub revealed: Vec<Revealed>,
    /// Source lines in the order in which the plan first comes to them.
    pub lines: Vec<Line>,
    /// Approximations of values that no line produces any more.
    pub notes: Vec<Note>,
    /// The most traffic first.
    pub protocols: Vec<Protocol>,
    /// What has to hold for all this to be true.
    pub assumptions: Vec<&'static str>,
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

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Widest {
    pub value: String,
    pub ring: Ring,
    pub place: Option<Place>,
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

/// A result of the entry.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Revealed {
    pub output: String,
    pub to: &'static str,
    pub shape: Vec<usize>,
    pub reason: String,
    /// The shared values that are opened for it; none where its party knows it anyway.
    pub opened: Vec<Opened>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Opened {
    pub value: String,
    pub shape: Vec<usize>,
    pub place: Option<Place>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    pub place: Option<Place>,
    pub text: String,
    /// Rounds in which the line has a part; other lines share them.
    pub rounds: u64,
    pub server_bytes: u64,
    pub client_bytes: u64,
    pub offline_bytes: u64,
    pub steps: Vec<Group>,
    pub notes: Vec<Note>,
}

/// Steps of one line that differ in nothing that is shown: those of a loop's turns, for example.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    pub step: &'static str,
    pub protocol: &'static str,
    /// Who computes, or whose factor it is.
    pub owner: Option<&'static str>,
    pub count: u64,
    /// Ring of the first input, where it is another.
    pub from: Option<Ring>,
    pub ring: Option<Ring>,
    /// Of all steps together.
    pub elements: u64,
    /// Rounds in which it has a part, and how many they are.
    #[serde(skip)]
    pub when: BTreeSet<u32>,
    pub rounds: u64,
    pub server_bytes: u64,
    pub client_bytes: u64,
    /// Before the query: from the dealer to the client, or between the two parties, both ways.
    pub offline_bytes: u64,
    /// The party that learns the value, and why nobody learns more.
    pub leaks_to: Option<&'static str>,
    pub because: &'static str,
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
    pub rounds: u64,
    pub server_bytes: u64,
    pub client_bytes: u64,
    pub offline_bytes: u64,
}

impl Report {
    /// A table for people, at most 120 columns wide.
    pub fn text(&self) -> String {
        crate::text::text(self)
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
