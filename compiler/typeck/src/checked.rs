//! What checking produces: functions over concrete shapes, calling each other.

use ptc_plan::float::FloatTensor;
use ptc_plan::operator::Operator;
use ptc_plan::step::{Fixed, Party as Knower};
use ptc_syntax::span::Span;
use ptc_syntax::tree::{Element, Party};

/// A model with its entries checked for concrete sizes.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Empty when the file has none: a library.
    pub model: String,
    /// The model's name in the source, or the start of the file.
    pub place: Span,
    /// `dim`s with the values used, in the order of the source.
    pub dims: Vec<(String, u64)>,
    pub entries: Vec<Entry>,
    pub bodies: Vec<Body>,
}

impl Checked {
    pub fn body(&self, id: BodyId) -> &Body {
        &self.bodies[id.0]
    }
}

#[derive(Clone, Debug)]
pub struct Entry {
    pub name: String,
    pub span: Span,
    pub arguments: Vec<Argument>,
    pub body: BodyId,
    /// Who learns the result.
    pub receiver: Party,
    /// Where that is declared.
    pub receiver_span: Span,
}

/// An argument of an entry.
#[derive(Clone, Debug)]
pub struct Argument {
    pub name: String,
    pub ty: TensorType,
    /// Largest absolute value of a real.
    pub bound: f64,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TensorType {
    pub element: Element,
    pub shape: Vec<usize>,
    pub visibility: Party,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BodyId(pub usize);

/// A value of a body: the result of its step with this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub usize);

/// A function for one combination of sizes, shapes and visibilities. The first steps are its arguments.
#[derive(Clone, Debug)]
pub struct Body {
    pub steps: Vec<Step>,
    pub result: Slot,
    /// `#[tolerance]` on the function or its module.
    pub tolerance: Option<f64>,
    /// `#[allow(leaks = ...)]` on the function or its module.
    pub leaks: Vec<String>,
    /// Steps when every call is expanded.
    pub expanded: usize,
}

#[derive(Clone, Debug)]
pub struct Step {
    pub kind: StepKind,
    pub ty: TensorType,
    /// Below the path of the body; empty for the path itself.
    pub name: String,
    pub span: Span,
    /// Ring and scale pinned by the author.
    pub fixed: Option<Fixed>,
}

#[derive(Clone, Debug)]
pub enum StepKind {
    Argument,
    /// A checkpoint tensor, its path below the body's.
    Parameter {
        path: String,
    },
    Constant(FloatTensor),
    Apply {
        operator: Operator,
        operands: Vec<Slot>,
    },
    Reveal {
        to: Knower,
        reason: String,
        value: Slot,
    },
    Call(Call),
}

#[derive(Clone, Debug)]
pub struct Call {
    pub body: BodyId,
    pub arguments: Vec<Slot>,
    /// Checkpoint path of the called module below the body's.
    pub path: String,
    /// Names inside the callee stand below this.
    pub name: String,
}
