//! What expressions turned out to be, by their place in the source: for editors, which show it where the cursor is.

use std::collections::HashMap;

use ptc_syntax::span::{FileId, Span};

use crate::check::Checker;
use crate::value::{FieldShape, Value, describe_type};
use crate::visibility::written;

/// Types that one place has in different uses of its function; more does not help a reader.
const MOST_TYPES: usize = 6;

/// Every type that a place had, in the order in which they were found.
#[derive(Debug, Default)]
pub struct Seen {
    types: HashMap<Span, Vec<String>>,
}

impl Seen {
    /// The innermost expression around a byte of a file, with its types.
    pub fn at(&self, file: FileId, at: u32) -> Option<(Span, &[String])> {
        let around = self.types.iter().filter(|(span, _)| span.file == file && span.start <= at && at <= span.end);
        // Of two that touch, `a` and `(` of `a(`, the one that goes on; of equal ends the shorter one.
        let inner = around.min_by_key(|(span, _)| (span.end - span.start, std::cmp::Reverse(span.start)));
        inner.map(|(span, types)| (*span, types.as_slice()))
    }

    /// The types of exactly this place.
    pub fn of(&self, span: Span) -> &[String] {
        self.types.get(&span).map_or(&[], Vec::as_slice)
    }

    fn note(&mut self, span: Span, text: String) {
        let types = self.types.entry(span).or_default();
        if types.len() < MOST_TYPES && !types.contains(&text) {
            types.push(text);
        }
    }
}

impl Checker<'_> {
    /// Keeps what stands at `span`, where somebody asked for it.
    pub(crate) fn note(&mut self, span: Span, value: &Value) {
        if self.seen.is_none() {
            return;
        }
        let text = match value {
            Value::Tensor(tensor) => format!("{} {}", describe_type(&tensor.ty), written(tensor.ty.visibility)),
            Value::Number(number) => number.to_string(),
            Value::Truth(truth) => truth.to_string(),
            Value::Instance(instance) => {
                let owner = instance.cover.map(|cover| format!(" {}", written(cover.party))).unwrap_or_default();
                format!("{}{owner}", self.describe_field(&instance.shape))
            }
            Value::Text | Value::List(_) | Value::Unknown => return,
        };
        if let Some(seen) = &mut self.seen {
            seen.note(span, text);
        }
    }

    /// `Linear<384, 1536>`, `[Block; 6]`
    fn describe_field(&self, shape: &FieldShape) -> String {
        match shape {
            FieldShape::Tensor { element, shape } => {
                let element = crate::value::element_name(*element);
                format!("{element}{}", crate::value::shape_text(shape))
            }
            FieldShape::Module { item, numbers } if numbers.is_empty() => self.program.name(*item).to_string(),
            FieldShape::Module { item, numbers } => {
                let text = |number: &f64| match number.fract() == 0.0 {
                    true => number.to_string(),
                    // `1e-12`, not all its zeros.
                    false => format!("{number:?}"),
                };
                let numbers: Vec<String> = numbers.iter().map(text).collect();
                format!("{}<{}>", self.program.name(*item), numbers.join(", "))
            }
            FieldShape::Array { element, length } => format!("[{}; {length}]", self.describe_field(element)),
        }
    }
}
