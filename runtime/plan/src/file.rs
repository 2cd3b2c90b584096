//! The plan file: data only, the same bytes at both parties, checked in full before use.

use serde::{Deserialize, Serialize};

use crate::kernel::Kernel;
use crate::step::{Owner, Party, Step, Value, ValueId};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The model's name and the entry that this plan runs.
    pub model: String,
    pub entry: String,
    /// `dim` values in the order of the source.
    pub dims: Vec<(String, u64)>,
    pub trust: Trust,
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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trust {
    /// Nobody else: the parties make correlated randomness from oblivious transfers and homomorphic encryption.
    TwoParty { optimize: Objective },
    /// A third process deals correlated randomness, sees no data and colludes with neither party.
    Dealer,
}

/// Nobody else, and the least time.
impl Default for Trust {
    fn default() -> Trust {
        Trust::TwoParty { optimize: Objective::Total }
    }
}

/// What a plan spends least of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Objective {
    /// Seconds on a fast link, both phases together.
    Total,
    /// Bytes, both phases together.
    Traffic,
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
