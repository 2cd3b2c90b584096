//! Numbers known at compile time: `dim`, `const`, sizes, bounds of loops, axes.

use std::collections::BTreeMap;

use ptc_syntax::codes;
use ptc_syntax::diagnostic::Diagnostic;
use ptc_syntax::span::Span;
use ptc_syntax::tree::{Expr, Item, Party, SizeKind};

use crate::check::Checker;
use crate::program::ItemId;
use crate::scope::Frame;
use crate::value::{Tensor, Value};
use crate::visibility::{explain, written};

/// As the operators' limit on elements.
pub(crate) const MAX_SIZE: f64 = (1u64 << 36) as f64;

/// A `dim` or `const`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SizeState {
    Evaluating,
    Known(f64),
    /// A diagnostic says why.
    Unknown,
}

impl<'p> Checker<'p> {
    pub(crate) fn size_item(&mut self, id: ItemId, used: Span) -> Option<f64> {
        match self.sizes.get(&id) {
            Some(SizeState::Known(value)) => return Some(*value),
            Some(SizeState::Unknown) => return None,
            Some(SizeState::Evaluating) => {
                let message = format!("`{}` depends on itself", self.program.name(id));
                self.report.add(Diagnostic::new(codes::E0208, used, message));
                return None;
            }
            None => {}
        }
        let Item::Size(size) = self.program.item(id) else { return None };
        let set = self.dims.get(&size.name.text);
        let value = match (size.kind, set) {
            (SizeKind::Dim, Some(&set)) if !self.program.units[id.unit.0].library => Some(set as f64),
            _ => {
                self.sizes.insert(id, SizeState::Evaluating);
                let mut frame = Frame::new(id.unit, None, BTreeMap::new());
                let value = self.number(&mut frame, &size.value, "a size");
                // A constant may be any number; a dim is a size.
                match (size.kind, value) {
                    (SizeKind::Dim, Some(value)) => self.checked_size(value, size.value.span).map(|size| size as f64),
                    (SizeKind::Const, value) => value,
                    (SizeKind::Dim, None) => None,
                }
            }
        };
        self.sizes.insert(id, value.map_or(SizeState::Unknown, SizeState::Known));
        value
    }

    /// A number known at compile time. `what` says what it is for: `a size`, `an axis`.
    pub(crate) fn number(&mut self, frame: &mut Frame, expr: &'p Expr, what: &str) -> Option<f64> {
        match self.expression(frame, expr) {
            Value::Number(number) => Some(number),
            Value::Unknown => None,
            Value::Tensor(tensor) => {
                self.not_at_compile_time(&tensor, expr.span, what);
                None
            }
            other => {
                let message = format!("{what} is a number known at compile time, not {}", other.describe());
                self.report.add(Diagnostic::new(codes::E0305, expr.span, message));
                None
            }
        }
    }

    /// A whole number, from which divisions must come out even.
    pub(crate) fn whole(&mut self, frame: &mut Frame, expr: &'p Expr, what: &str) -> Option<i64> {
        frame.exact += 1;
        let number = self.number(frame, expr, what);
        frame.exact -= 1;
        let number = number?;
        if number.fract() != 0.0 || number.abs() > MAX_SIZE {
            let message = format!("{what} is a whole number of at most 2^36, not {number}");
            self.report.add(Diagnostic::new(codes::E0303, expr.span, message));
            return None;
        }
        Some(number as i64)
    }

    /// A size: a whole number above 0.
    pub(crate) fn size(&mut self, frame: &mut Frame, expr: &'p Expr) -> Option<usize> {
        let whole = self.whole(frame, expr, "a size")?;
        self.checked_size(whole as f64, expr.span)
    }

    pub(crate) fn checked_size(&mut self, value: f64, span: Span) -> Option<usize> {
        if (1.0..=MAX_SIZE).contains(&value) && value.fract() == 0.0 {
            return Some(value as usize);
        }
        let message = format!("a size is a whole number from 1 to 2^36, not {value}");
        self.report.add(Diagnostic::new(codes::E0303, span, message));
        None
    }

    /// Shapes, loops and conditions are the same for every input: they may not depend on one.
    pub(crate) fn not_at_compile_time(&mut self, tensor: &Tensor, span: Span, what: &str) {
        let party = tensor.ty.visibility;
        if party == Party::Public {
            let message = format!("{what} must be known at compile time, but this value is known only when it runs");
            let hint = "use a number, a `dim`, a `const` or a loop variable";
            self.report.add(Diagnostic::new(codes::E0305, span, message).hint(hint));
            return;
        }
        let message = format!("{what} depends on a value that is {}", written(party));
        let diagnostic = Diagnostic::new(codes::E0404, span, message).hint(
            "what both parties do must not depend on a private value; `select(bit, a, b)` chooses between two values \
             without telling which",
        );
        self.report.add(explain(diagnostic, &tensor.why));
    }
}
