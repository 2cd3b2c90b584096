//! `x[0..S, :]`, `x[-1]`, `table[ids]`, `blocks[2]`.

use ptc_plan::operator::Operator;
use ptc_syntax::codes;
use ptc_syntax::diagnostic::Diagnostic;
use ptc_syntax::span::Span;
use ptc_syntax::tree::{Element, Expr, Party, Subscript};

use crate::check::Checker;
use crate::expression::array_element;
use crate::scope::Frame;
use crate::value::{FieldShape, Instance, Operand, Value, describe_type};
use crate::visibility::{explain, join, written};

impl<'p> Checker<'p> {
    pub(crate) fn index(&mut self, frame: &mut Frame, of: &'p Expr, subscripts: &'p [Subscript], span: Span) -> Value {
        match self.expression(frame, of) {
            Value::Unknown => Value::Unknown,
            Value::Instance(instance) => self.index_array(frame, &instance, subscripts, span),
            Value::Tensor(tensor) => {
                let x = Operand { tensor, span: of.span };
                self.index_tensor(frame, x, subscripts, span).map_or(Value::Unknown, |x| Value::Tensor(x.tensor))
            }
            other => {
                let message = format!("{} cannot be indexed", other.describe());
                self.report.add(Diagnostic::new(codes::E0310, of.span, message));
                Value::Unknown
            }
        }
    }

    fn index_array(&mut self, frame: &mut Frame, array: &Instance, subscripts: &'p [Subscript], span: Span) -> Value {
        let FieldShape::Array { element, length } = &array.shape else {
            let message = "a module cannot be indexed";
            self.report.add(Diagnostic::new(codes::E0310, span, message));
            return Value::Unknown;
        };
        let [Subscript::At(at)] = subscripts else {
            let message = "an array of fields takes one index";
            self.report.add(Diagnostic::new(codes::E0306, span, message));
            return Value::Unknown;
        };
        let Some(index) = self.whole(frame, at, "an index") else { return Value::Unknown };
        match position(index, *length) {
            Some(at) => {
                let value = Value::Instance(array_element(array, element, at));
                self.materialise(frame, value, span)
            }
            None => {
                let message = format!("index {index} of an array of {length}");
                self.report.add(Diagnostic::new(codes::E0306, at.span, message));
                Value::Unknown
            }
        }
    }

    fn index_tensor(
        &mut self,
        frame: &mut Frame,
        x: Operand,
        subscripts: &'p [Subscript],
        span: Span,
    ) -> Option<Operand> {
        let axes = x.tensor.ty.shape.len();
        if subscripts.len() > axes {
            let ty = describe_type(&x.tensor.ty);
            let message = format!("{} subscripts on {ty}, which has {axes} axes", subscripts.len());
            self.report.add(Diagnostic::new(codes::E0306, span, message));
            return None;
        }
        // The later axes first: their numbers do not change when an axis before them goes.
        let mut result = x;
        let mut dropped = vec![];
        let mut ids = None;
        for (axis, subscript) in subscripts.iter().enumerate().rev() {
            match subscript {
                Subscript::All(_) => {}
                Subscript::Range { start, end, span: range } => {
                    let size = result.tensor.ty.shape[axis];
                    let start = match start {
                        Some(start) => self.whole(frame, start, "the start of a slice")?,
                        None => 0,
                    };
                    let end = match end {
                        Some(end) => self.whole(frame, end, "the end of a slice")?,
                        None => size as i64,
                    };
                    result = self.slice(frame, &result, axis, (start, end), *range, span)?;
                }
                Subscript::At(at) => match self.subscript(frame, at)? {
                    At::Number(index) => {
                        let size = result.tensor.ty.shape[axis];
                        let Some(place) = position(index, size) else {
                            let message = format!("index {index} of an axis of {size}");
                            self.report.add(Diagnostic::new(codes::E0306, at.span, message));
                            return None;
                        };
                        let operator = Operator::Slice { axis, start: place, length: 1 };
                        result = self.apply(frame, operator, &[&result], span)?;
                        dropped.push(axis);
                    }
                    At::Ids(operand) if axis == 0 => ids = Some(operand),
                    At::Ids(_) => {
                        let message = "ids select rows: they index the first axis only";
                        self.report.add(Diagnostic::new(codes::E0306, at.span, message));
                        return None;
                    }
                },
            }
        }
        if !dropped.is_empty() {
            let shape = result.tensor.ty.shape.iter().enumerate();
            let shape = shape.filter(|(axis, _)| !dropped.contains(axis)).map(|(_, &size)| size).collect();
            result = self.reshape(frame, &result, shape, span)?;
        }
        match ids {
            Some(ids) => self.look_up(frame, &result, &ids, span),
            None => Some(result),
        }
    }

    fn slice(
        &mut self,
        frame: &mut Frame,
        x: &Operand,
        axis: usize,
        (start, end): (i64, i64),
        range: Span,
        span: Span,
    ) -> Option<Operand> {
        let size = x.tensor.ty.shape[axis];
        let from = if start < 0 { start + size as i64 } else { start };
        let to = if end < 0 { end + size as i64 } else { end };
        match (usize::try_from(from), usize::try_from(to)) {
            (Ok(from), Ok(to)) if from < to && to <= size => {
                if to - from == size {
                    return Some(x.clone());
                }
                let operator = Operator::Slice { axis, start: from, length: to - from };
                self.apply(frame, operator, &[x], span)
            }
            _ => {
                let message = format!("the slice {start}..{end} of an axis of {size}");
                let label = format!("this is {}", describe_type(&x.tensor.ty));
                let hint = "a slice starts before it ends, inside the axis";
                self.report.add(Diagnostic::new(codes::E0306, range, message).label(x.span, label).hint(hint));
                None
            }
        }
    }

    fn subscript(&mut self, frame: &mut Frame, at: &'p Expr) -> Option<At> {
        match self.expression(frame, at) {
            Value::Unknown => None,
            Value::Number(number) if number.fract() == 0.0 => Some(At::Number(number as i64)),
            Value::Tensor(tensor) if tensor.ty.element == Element::Token => {
                Some(At::Ids(Operand { tensor, span: at.span }))
            }
            Value::Tensor(tensor) if self.whole_numbers(frame, &tensor) => {
                self.ids(frame, &tensor, at.span).map(At::Ids)
            }
            other => {
                let message =
                    format!("an index is a whole number, a range or a `token` tensor, not {}", other.describe());
                self.report.add(Diagnostic::new(codes::E0304, at.span, message));
                None
            }
        }
    }

    /// Rows of a table by ids. Who knows the ids and may see the table looks them up alone.
    fn look_up(&mut self, frame: &mut Frame, table: &Operand, ids: &Operand, span: Span) -> Option<Operand> {
        let (of_table, of_ids) = (table.tensor.ty.visibility, ids.tensor.ty.visibility);
        if join(of_table, of_ids) != Party::Secret {
            return self.apply(frame, Operator::Gather, &[table, ids], span);
        }
        let (table_is, ids_are) = (written(of_table), written(of_ids));
        let message = format!("a look-up by {ids_are} ids in a table that is {table_is} is not supported yet");
        let hint = match (of_table, of_ids) {
            (_, Party::Secret) => {
                "a secret index is a private look-up; ids that an entry takes from one party are looked up by that party \
                 alone"
                    .to_string()
            }
            (Party::Secret, _) => {
                "a secret table is not looked up yet; `reveal` it to who has the ids, or look up before it becomes secret"
                    .to_string()
            }
            _ => format!("declare the table @public or {ids_are}, so that the owner of the ids looks them up alone"),
        };
        let diagnostic = Diagnostic::new(codes::E0405, span, message).hint(hint);
        let diagnostic = explain(diagnostic, &ids.tensor.why);
        self.report.add(explain(diagnostic, &table.tensor.why));
        None
    }
}

enum At {
    Number(i64),
    Ids(Operand),
}

/// A place on an axis; below 0 counts from its end.
fn position(index: i64, size: usize) -> Option<usize> {
    let at = if index < 0 { index + size as i64 } else { index };
    usize::try_from(at).ok().filter(|at| *at < size)
}
