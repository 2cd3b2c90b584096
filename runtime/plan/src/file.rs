//! The plan file: data only, the same bytes at both parties, checked in full before use.

use serde::{Deserialize, Serialize};

use crate::kernel::Kernel;
use crate::step::{Owner, Party, Step, Value, ValueId};
use crate::two_party::transfer::Extension;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The model's name and the entry that this plan runs.
    pub model: String,
    pub entry: String,
    /// `dim` values in the order of the source.
    pub dims: Vec<(String, u64)>,
    pub trust: Trust,
    /// Queries that one run serves, if more than one: the first axis of every input and result.
    pub batch: Option<u32>,
    pub values: Vec<Value>,
    pub parameters: Vec<Parameter>,
    pub inputs: Vec<Input>,
    /// Public constants that stand in the source or that a pass made; known to both.
    pub constants: Vec<Constant>,
    pub kernels: Vec<Kernel>,
    /// In an order in which each step's inputs are ready, rounds ascending.
    pub steps: Vec<Step>,
    pub outputs: Vec<Output>,
    pub origins: Vec<Origin>,
    /// Bounds of approximations, for reports.
    pub notes: Vec<Note>,
    /// What the compiler chose among, for reports.
    pub choices: Vec<Choice>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trust {
    /// Nobody else: the parties make correlated randomness from oblivious transfers and homomorphic encryption.
    TwoParty { making: Making },
    /// A third process deals correlated randomness, sees no data and colludes with neither party.
    Dealer,
}

/// Nobody else, and the least time on a fast link.
impl Default for Trust {
    fn default() -> Trust {
        Trust::TwoParty { making: Making::FAST }
    }
}

/// How two parties alone make what a whole plan consumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Making {
    pub extension: Extension,
    /// Bytes that a second of computing is worth: packings of encrypted products spare the one or the other.
    pub second_bytes: u32,
}

impl Making {
    /// For a link of 1 Gbit/s.
    pub const FAST: Making = Making { extension: Extension::Subfield { bits: 4 }, second_bytes: 125_000_000 };
    /// For the fewest bytes: a link of 64 Mbit/s, and two cores.
    pub const SPARING: Making = Making { extension: Extension::Silent, second_bytes: 4_000_000 };
}

/// A checkpoint tensor and the clear value it becomes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    pub path: String,
    pub shape: Vec<usize>,
    pub owner: Owner,
    pub value: ValueId,
    /// Largest absolute value that the plan's rings allow; a weight beyond it is refused at load.
    pub limit: f32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Input {
    pub name: String,
    pub kind: InputKind,
    pub shape: Vec<usize>,
    pub owner: Owner,
    pub value: ValueId,
    /// Largest absolute value (for tokens: the number of rows of the table they index).
    pub limit: f32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InputKind {
    Real,
    Token,
    Bit,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Constant {
    pub value: ValueId,
    pub data: Vec<f32>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Output {
    pub name: String,
    pub to: Party,
    pub value: ValueId,
    pub reason: String,
    /// Whether it is a result of the entry; else the model opens it on its way.
    pub result: bool,
}

/// A place in the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    pub file: String,
    pub line: u32,
    pub text: String,
}

/// What was approximated how, and the bound on the error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Note {
    pub value: String,
    pub recipe: String,
    /// Absolute unless `relative`.
    pub bound: f64,
    pub relative: bool,
}

/// One of several ways that was taken because it costs least under the build's objective and profile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// What was decided, e.g. `row maximum of softmax`.
    pub subject: String,
    pub chosen: Way,
    /// The next best.
    pub runner_up: Option<Way>,
}

/// A way, and what the whole plan costs with it in the unit of the objective: microseconds, or bytes for `traffic`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Way {
    pub name: String,
    pub price: u64,
}
