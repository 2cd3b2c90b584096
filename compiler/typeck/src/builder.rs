//! Appending operators to the function being checked, with shape, kind of element and visibility.

use ptc_plan::float::FloatTensor;
use ptc_plan::operator::Operator;
use ptc_syntax::codes;
use ptc_syntax::diagnostic::Diagnostic;
use ptc_syntax::span::Span;
use ptc_syntax::tree::{Element, Party};

use crate::check::Checker;
use crate::checked::{StepKind, TensorType};
use crate::scope::Frame;
use crate::value::{Operand, Tensor, Value, describe_type};
use crate::visibility::{Why, combine};

/// Elements of a constant that a source may ask for.
const MAX_CONSTANT: usize = 1 << 24;

impl Checker<'_> {
    /// `operator` on `operands`; a diagnostic when the shapes do not fit.
    pub(crate) fn emit(&mut self, frame: &mut Frame, operator: Operator, operands: &[&Operand], span: Span) -> Value {
        match self.apply(frame, operator, operands, span) {
            Some(operand) => Value::Tensor(operand.tensor),
            None => Value::Unknown,
        }
    }

    /// As [`Checker::emit`], for a part of a longer expression.
    pub(crate) fn apply(
        &mut self,
        frame: &mut Frame,
        operator: Operator,
        operands: &[&Operand],
        span: Span,
    ) -> Option<Operand> {
        let shapes: Vec<&[usize]> = operands.iter().map(|operand| operand.tensor.ty.shape.as_slice()).collect();
        let shape = match operator.shape(&shapes) {
            Ok(shape) => shape,
            Err(message) => {
                let mut diagnostic = Diagnostic::new(codes::E0301, span, message);
                for operand in operands {
                    if operand.span != span {
                        let text = format!("this is {}", describe_type(&operand.tensor.ty));
                        diagnostic = diagnostic.label(operand.span, text);
                    }
                }
                self.report.add(diagnostic);
                return None;
            }
        };
        if !self.spend(span) {
            return None;
        }
        let element = element(&operator, operands);
        let seen = operands.iter().map(|operand| (operand.tensor.ty.visibility, &operand.tensor.why));
        let (visibility, why) = combine(seen, span);
        let ty = TensorType { element, shape, visibility };
        let part = operator.name();
        let slots = operands.iter().map(|operand| operand.tensor.slot).collect();
        let slot = frame.push(StepKind::Apply { operator, operands: slots }, ty.clone(), part, span);
        Some(Operand { tensor: Tensor { slot, ty, why }, span })
    }

    pub(crate) fn constant(
        &mut self,
        frame: &mut Frame,
        element: Element,
        value: FloatTensor,
        span: Span,
    ) -> Option<Operand> {
        if value.data.len() > MAX_CONSTANT {
            let message = format!("a constant of {} elements is larger than {MAX_CONSTANT}", value.data.len());
            self.report.add(Diagnostic::new(codes::E0308, span, message));
            return None;
        }
        if !self.spend(span) {
            return None;
        }
        let ty = TensorType { element, shape: value.shape.clone(), visibility: Party::Public };
        let slot = frame.push(StepKind::Constant(value), ty.clone(), "constant", span);
        let why = Why::new(span, "a constant is @public", vec![]);
        Some(Operand { tensor: Tensor { slot, ty, why }, span })
    }

    /// The value as reals: bits become 0 and 1.
    pub(crate) fn real(&mut self, frame: &mut Frame, value: Value, span: Span) -> Option<Operand> {
        match value {
            Value::Unknown => None,
            Value::Number(number) => self.constant(frame, Element::Real, FloatTensor::scalar(number as f32), span),
            Value::Tensor(tensor) => match tensor.ty.element {
                Element::Real => Some(Operand { tensor, span }),
                Element::Bit => self.apply(frame, Operator::BitToReal, &[&Operand { tensor, span }], span),
                Element::Token | Element::Int => {
                    let message = format!("reals are needed here, not {}", describe_type(&tensor.ty));
                    let hint = "ids select rows: `table[ids]`";
                    self.report.add(Diagnostic::new(codes::E0304, span, message).hint(hint));
                    None
                }
            },
            other => self.not_a_tensor(&other, span),
        }
    }

    /// The value as truth values.
    pub(crate) fn bit(&mut self, frame: &mut Frame, value: Value, span: Span) -> Option<Operand> {
        match value {
            Value::Unknown => None,
            Value::Truth(truth) => {
                let value = FloatTensor::scalar(if truth { 1.0 } else { 0.0 });
                self.constant(frame, Element::Bit, value, span)
            }
            Value::Tensor(tensor) if tensor.ty.element == Element::Bit => Some(Operand { tensor, span }),
            other @ (Value::Tensor(_) | Value::Number(_)) => {
                let message = format!("bits are needed here, not {}", other.describe());
                let hint = "a comparison makes bits: `x > 0`";
                self.report.add(Diagnostic::new(codes::E0304, span, message).hint(hint));
                None
            }
            other => self.not_a_tensor(&other, span),
        }
    }

    /// The value as a tensor of whatever elements.
    pub(crate) fn tensor(&mut self, frame: &mut Frame, value: Value, span: Span) -> Option<Operand> {
        match value {
            Value::Tensor(tensor) => Some(Operand { tensor, span }),
            Value::Truth(_) => self.bit(frame, value, span),
            other => self.real(frame, other, span),
        }
    }

    pub(crate) fn reshape(&mut self, frame: &mut Frame, x: &Operand, shape: Vec<usize>, span: Span) -> Option<Operand> {
        if x.tensor.ty.shape == shape {
            return Some(x.clone());
        }
        self.apply(frame, Operator::Reshape { shape }, &[x], span)
    }

    fn not_a_tensor<T>(&mut self, value: &Value, span: Span) -> Option<T> {
        let message = format!("a tensor is needed here, not {}", value.describe());
        let hint = match value {
            Value::Instance(_) => Some("call the module: `layer(x)`"),
            _ => None,
        };
        let mut diagnostic = Diagnostic::new(codes::E0310, span, message);
        diagnostic.hint = hint.map(String::from);
        self.report.add(diagnostic);
        None
    }
}

fn element(operator: &Operator, operands: &[&Operand]) -> Element {
    use Operator::*;
    let of = |at: usize| operands.get(at).map_or(Element::Real, |operand| operand.tensor.ty.element);
    match operator {
        Less | Not | And | Or | Xor | Compare { .. } => Element::Bit,
        Reshape { .. } | Permute { .. } | Slice { .. } | Concat { .. } | Broadcast { .. } | Gather => of(0),
        Select => of(1),
        _ => Element::Real,
    }
}
