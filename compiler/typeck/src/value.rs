//! What an expression is while it is being checked.

use std::rc::Rc;

use ptc_syntax::span::Span;
use ptc_syntax::tree::{Element, Party};

use crate::checked::{Slot, TensorType};
use crate::program::ItemId;
use crate::visibility::Why;

#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// Known when the program runs.
    Tensor(Tensor),
    /// Known now: a literal, a size, a loop variable.
    Number(f64),
    /// Known now: a comparison of numbers.
    Truth(bool),
    Text,
    List(Vec<(Value, Span)>),
    /// A field that is a module, or an array.
    Instance(Instance),
    /// A diagnostic has been reported; nothing more is said about it.
    Unknown,
}

#[derive(Clone, Debug)]
pub(crate) struct Tensor {
    pub slot: Slot,
    pub ty: TensorType,
    pub why: Rc<Why>,
}

/// A tensor and the expression it came from.
#[derive(Clone, Debug)]
pub(crate) struct Operand {
    pub tensor: Tensor,
    pub span: Span,
}

/// A field's type with its sizes and numbers evaluated.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FieldShape {
    Tensor { element: Element, shape: Vec<usize> },
    Module { item: ItemId, numbers: Vec<f64> },
    Array { element: Rc<FieldShape>, length: usize },
}

/// Where a field stands below the module whose function is being checked.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub shape: FieldShape,
    /// Who owns the parameters below, unless they say otherwise, and where that is declared.
    pub cover: Option<Cover>,
    /// In the checkpoint; one `{}` for each array not yet indexed.
    pub path: String,
    /// In reports.
    pub name: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cover {
    pub party: Party,
    pub span: Span,
}

impl Value {
    /// For messages: what stands there instead of what is needed.
    pub fn describe(&self) -> String {
        match self {
            Value::Tensor(tensor) => describe_type(&tensor.ty),
            Value::Number(number) => format!("the number {number}"),
            Value::Truth(_) => "a compile-time truth value".into(),
            Value::Text => "a text".into(),
            Value::List(_) => "a list".into(),
            Value::Instance(Instance { shape: FieldShape::Array { .. }, .. }) => "an array of fields".into(),
            Value::Instance(_) => "a module".into(),
            Value::Unknown => "unknown".into(),
        }
    }
}

/// `real[32, 384]`
pub(crate) fn describe_type(ty: &TensorType) -> String {
    match ty.shape.is_empty() {
        true => format!("a single {}", element_name(ty.element)),
        false => format!("{}{}", element_name(ty.element), shape_text(&ty.shape)),
    }
}

pub(crate) fn element_name(element: Element) -> &'static str {
    match element {
        Element::Real => "real",
        Element::Token => "token",
        Element::Bit => "bit",
        Element::Int => "int",
    }
}

/// `[32, 384]`, and nothing for a single number.
pub(crate) fn shape_text(shape: &[usize]) -> String {
    if shape.is_empty() { String::new() } else { format!("{shape:?}") }
}
