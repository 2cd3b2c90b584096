//! `[j <= i for i in 0..S, j in 0..S]`: constants whose elements are computed from their places while the source is checked.

use ptc_plan::float::FloatTensor;
use ptc_syntax::codes;
use ptc_syntax::diagnostic::Diagnostic;
use ptc_syntax::span::Span;
use ptc_syntax::tree::{Element, Expr, TableRange};

use crate::check::Checker;
use crate::checked::StepKind;
use crate::scope::Frame;
use crate::value::{Operand, Tensor, Value};

/// Elements of all tables of a source together.
const MAX_CELLS: usize = 1 << 22;

/// From here on not every whole number is a float.
const MAX_ID: f32 = (1 << 24) as f32;

impl<'p> Checker<'p> {
    pub(crate) fn table(
        &mut self,
        frame: &mut Frame,
        element: &'p Expr,
        ranges: &'p [TableRange],
        span: Span,
    ) -> Value {
        let bounds: Vec<Option<(i64, i64)>> = ranges.iter().map(|range| self.bounds(frame, range)).collect();
        let Some(bounds) = bounds.into_iter().collect::<Option<Vec<_>>>() else { return Value::Unknown };
        let shape: Vec<usize> = bounds.iter().map(|(from, to)| (to - from) as usize).collect();
        let cells = shape.iter().fold(1usize, |cells, size| cells.saturating_mul(*size));
        if cells > MAX_CELLS - self.cells {
            let message = format!("this table and those before it have more than {MAX_CELLS} elements");
            self.report.add(Diagnostic::new(codes::E0308, span, message));
            return Value::Unknown;
        }
        self.cells += cells;
        let mut data = Vec::with_capacity(cells);
        let mut kind = None;
        let mut place: Vec<i64> = bounds.iter().map(|(from, _)| *from).collect();
        for _ in 0..cells {
            frame.enter();
            for (range, at) in ranges.iter().zip(&place) {
                frame.declare(&range.variable.text, Value::Number(*at as f64));
            }
            let value = self.expression(frame, element);
            frame.leave();
            let Some((found, number)) = self.cell(&value, element.span) else { return Value::Unknown };
            if *kind.get_or_insert(found) != found {
                let message = "some elements of this table are numbers, some are truth values";
                self.report.add(Diagnostic::new(codes::E0304, element.span, message));
                return Value::Unknown;
            }
            data.push(number);
            next(&mut place, &bounds);
        }
        let value = FloatTensor::new(shape, data);
        match self.constant(frame, kind.unwrap_or(Element::Real), value, span) {
            Some(operand) => Value::Tensor(operand.tensor),
            None => Value::Unknown,
        }
    }

    fn bounds(&mut self, frame: &mut Frame, range: &'p TableRange) -> Option<(i64, i64)> {
        let from = self.whole(frame, &range.from, "a table's bound");
        let to = self.whole(frame, &range.to, "a table's bound");
        let (from, to) = (from?, to?);
        if from < to {
            return Some((from, to));
        }
        let message = format!("the range {from}..{to} of a table is empty");
        let diagnostic = Diagnostic::new(codes::E0306, range.from.span.to(range.to.span), message);
        self.report.add(diagnostic.hint("an axis has at least one place: the range starts before it ends"));
        None
    }

    fn cell(&mut self, value: &Value, span: Span) -> Option<(Element, f32)> {
        match value {
            Value::Number(number) => Some((Element::Real, *number as f32)),
            Value::Truth(truth) => Some((Element::Bit, if *truth { 1.0 } else { 0.0 })),
            Value::Unknown => None,
            other => {
                let message = format!(
                    "an element of a table is a number or a truth value known at compile time, not {}",
                    other.describe()
                );
                let hint = "tables are constants: their elements follow from places, sizes and other constants";
                self.report.add(Diagnostic::new(codes::E0305, span, message).hint(hint));
                None
            }
        }
    }

    /// Whether these are constants that may serve as ids.
    pub(crate) fn whole_numbers(&self, frame: &Frame, tensor: &Tensor) -> bool {
        let StepKind::Constant(constant) = &frame.steps[tensor.slot.0].kind else { return false };
        let whole = |x: &f32| (0.0..MAX_ID).contains(x) && x.fract() == 0.0;
        tensor.ty.element == Element::Real && constant.data.iter().all(whole)
    }

    /// A constant of whole numbers as ids.
    pub(crate) fn ids(&mut self, frame: &mut Frame, tensor: &Tensor, span: Span) -> Option<Operand> {
        let StepKind::Constant(constant) = &frame.steps[tensor.slot.0].kind else { return None };
        let constant = constant.clone();
        self.constant(frame, Element::Token, constant, span)
    }
}

/// The next place in row-major order.
fn next(place: &mut [i64], bounds: &[(i64, i64)]) {
    for (at, (from, to)) in place.iter_mut().zip(bounds).rev() {
        *at += 1;
        if *at < *to {
            return;
        }
        *at = *from;
    }
}
