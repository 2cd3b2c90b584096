//! The core operators as functions of the language: one row each.

use ptc_plan::float::FloatTensor;
use ptc_plan::operator::Operator;
use ptc_plan::step::Party as Knower;
use ptc_syntax::codes;
use ptc_syntax::diagnostic::Diagnostic;
use ptc_syntax::span::Span;
use ptc_syntax::tree::{Argument, Element, Expr, ExprKind, Party};

use crate::arguments;
use crate::check::Checker;
use crate::checked::StepKind;
use crate::expression::tensor_type;
use crate::scope::Frame;
use crate::value::{Operand, Tensor, Value, describe_type};
use crate::visibility::Why;

#[derive(Debug)]
pub(crate) struct Intrinsic {
    pub name: &'static str,
    parameters: &'static [&'static str],
    /// The others have defaults.
    required: usize,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// Of each element.
    Elementwise(Operator),
    /// Of a number known at compile time.
    Number(fn(f64) -> f64),
    /// Of the last axis, with an epsilon and its default.
    Rows(fn(f64) -> Operator, f64),
    Softmax,
    MatMul,
    Reshape,
    Permute,
    Broadcast,
    Concat,
    Sum,
    Mean,
    Max,
    Select,
    Causal,
    Size,
    Reveal,
}

const fn row(name: &'static str, parameters: &'static [&'static str], required: usize, kind: Kind) -> Intrinsic {
    Intrinsic { name, parameters, required, kind }
}

const fn elementwise(name: &'static str, operator: Operator) -> Intrinsic {
    row(name, &["x"], 1, Kind::Elementwise(operator))
}

static ALL: &[Intrinsic] = &[
    row("matmul", &["a", "b"], 2, Kind::MatMul),
    row("reshape", &["x", "shape"], 2, Kind::Reshape),
    row("permute", &["x", "axes"], 2, Kind::Permute),
    row("broadcast", &["x", "shape"], 2, Kind::Broadcast),
    row("concat", &["parts", "axis"], 2, Kind::Concat),
    row("sum", &["x", "axis", "keep"], 1, Kind::Sum),
    row("mean", &["x", "axis", "keep"], 1, Kind::Mean),
    row("max", &["x", "axis", "keep"], 1, Kind::Max),
    row("size", &["x", "axis"], 2, Kind::Size),
    row("select", &["bit", "a", "b"], 3, Kind::Select),
    row("causal", &["size"], 1, Kind::Causal),
    row("reveal", &["x", "to", "reason"], 3, Kind::Reveal),
    row("softmax", &["x", "mask"], 1, Kind::Softmax),
    row("normalize", &["x", "eps"], 1, Kind::Rows(|eps| Operator::Normalize { eps }, 1e-12)),
    row("rms_normalize", &["x", "eps"], 1, Kind::Rows(|eps| Operator::RmsNormalize { eps }, 1e-6)),
    row("l2_normalize", &["x", "eps"], 1, Kind::Rows(|eps| Operator::L2Normalize { eps }, 1e-12)),
    row("cos", &["x"], 1, Kind::Number(f64::cos)),
    row("floor", &["x"], 1, Kind::Number(f64::floor)),
    row("log", &["x"], 1, Kind::Number(f64::ln)),
    row("sin", &["x"], 1, Kind::Number(f64::sin)),
    elementwise("exp", Operator::Exp),
    elementwise("gelu", Operator::Gelu),
    elementwise("gelu_tanh", Operator::GeluTanh),
    elementwise("reciprocal", Operator::Reciprocal),
    elementwise("relu", Operator::Relu),
    elementwise("rsqrt", Operator::Rsqrt),
    elementwise("sigmoid", Operator::Sigmoid),
    elementwise("silu", Operator::Silu),
    elementwise("sqrt", Operator::Sqrt),
    elementwise("square", Operator::Square),
    elementwise("tanh", Operator::Tanh),
];

pub(crate) fn find(name: &str) -> Option<&'static Intrinsic> {
    ALL.iter().find(|intrinsic| intrinsic.name == name)
}

pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|intrinsic| intrinsic.name)
}

pub(crate) fn parameters(intrinsic: &'static Intrinsic) -> &'static [&'static str] {
    intrinsic.parameters
}

impl<'p> Checker<'p> {
    pub(crate) fn intrinsic(
        &mut self,
        frame: &mut Frame,
        intrinsic: &'static Intrinsic,
        arguments: &'p [Argument],
        span: Span,
    ) -> Value {
        match arguments::bind(intrinsic.name, intrinsic.parameters, intrinsic.required, arguments, span) {
            Ok(bound) => self.build(frame, intrinsic, &bound, span).unwrap_or(Value::Unknown),
            Err(diagnostic) => {
                self.report.add(*diagnostic);
                Value::Unknown
            }
        }
    }

    /// None when a diagnostic says why.
    fn build(
        &mut self,
        frame: &mut Frame,
        intrinsic: &'static Intrinsic,
        bound: &[Option<&'p Expr>],
        span: Span,
    ) -> Option<Value> {
        // `arguments::bind` has given every required parameter its argument.
        let argument = |at: usize| bound.get(at).copied().flatten();
        let first = argument(0)?;
        let result = match &intrinsic.kind {
            Kind::Elementwise(operator) => {
                let value = self.expression(frame, first);
                if let Value::Number(number) = value
                    && let Some(folded) = fold(operator, number)
                {
                    return Some(Value::Number(folded));
                }
                let x = self.real(frame, value, first.span)?;
                self.apply(frame, operator.clone(), &[&x], span)?
            }
            Kind::Number(function) => {
                let x = self.number(frame, first, &format!("the argument of `{}`", intrinsic.name))?;
                let number = function(x);
                if !number.is_finite() {
                    let message = format!("`{}` of {x} is not a number", intrinsic.name);
                    self.report.add(Diagnostic::new(codes::E0303, first.span, message));
                    return None;
                }
                return Some(Value::Number(number));
            }
            Kind::Rows(operator, default) => {
                let x = self.real_argument(frame, first)?;
                let eps = match argument(1) {
                    Some(eps) => self.number(frame, eps, "an epsilon")?,
                    None => *default,
                };
                if !(eps >= 0.0 && eps.is_finite()) {
                    let message = format!("an epsilon is at least 0, not {eps}");
                    self.report.add(Diagnostic::new(codes::E0303, span, message));
                    return None;
                }
                self.apply(frame, operator(eps), &[&x], span)?
            }
            Kind::Softmax => {
                let x = self.real_argument(frame, first)?;
                match argument(1) {
                    None => self.apply(frame, Operator::Softmax, &[&x], span)?,
                    Some(mask) => {
                        let value = self.expression(frame, mask);
                        let keep = self.bit(frame, value, mask.span)?;
                        self.apply(frame, Operator::Softmax, &[&x, &keep], span)?
                    }
                }
            }
            Kind::MatMul => {
                let a = self.real_argument(frame, first);
                let b = self.real_argument(frame, argument(1)?);
                self.matmul(frame, a?, b?, span)?
            }
            Kind::Reshape => {
                let x = self.tensor_argument(frame, first);
                let shape = self.size_list(frame, argument(1)?)?;
                self.apply(frame, Operator::Reshape { shape }, &[&x?], span)?
            }
            Kind::Broadcast => {
                let x = self.tensor_argument(frame, first);
                let shape = self.size_list(frame, argument(1)?)?;
                self.apply(frame, Operator::Broadcast { shape }, &[&x?], span)?
            }
            Kind::Permute => {
                let x = self.tensor_argument(frame, first)?;
                let axes = self.axis_list(frame, argument(1)?, x.tensor.ty.shape.len())?;
                self.apply(frame, Operator::Permute { axes }, &[&x], span)?
            }
            Kind::Concat => self.concat(frame, first, argument(1)?, span)?,
            Kind::Sum | Kind::Mean | Kind::Max => {
                let x = self.real_argument(frame, first)?;
                self.reduce(frame, &intrinsic.kind, x, argument(1), argument(2), span)?
            }
            Kind::Size => {
                let x = self.tensor_argument(frame, first)?;
                let axis = self.axis(frame, argument(1)?, x.tensor.ty.shape.len())?;
                return Some(Value::Number(x.tensor.ty.shape[axis] as f64));
            }
            Kind::Select => {
                let value = self.expression(frame, first);
                let bit = self.bit(frame, value, first.span);
                let a = self.tensor_argument(frame, argument(1)?);
                let b = self.tensor_argument(frame, argument(2)?);
                self.select(frame, bit?, a?, b?, span)?
            }
            Kind::Causal => {
                let size = self.size(frame, first)?;
                self.causal(frame, size, span)?
            }
            Kind::Reveal => {
                let x = self.tensor_argument(frame, first);
                let to = self.receiver(argument(1)?);
                let reason = self.reason(argument(2)?);
                self.reveal(frame, x?, to?, reason?, span)?
            }
        };
        Some(Value::Tensor(result.tensor))
    }

    fn real_argument(&mut self, frame: &mut Frame, expr: &'p Expr) -> Option<Operand> {
        let value = self.expression(frame, expr);
        self.real(frame, value, expr.span)
    }

    fn tensor_argument(&mut self, frame: &mut Frame, expr: &'p Expr) -> Option<Operand> {
        let value = self.expression(frame, expr);
        self.tensor(frame, value, expr.span)
    }

    /// As numpy: a vector on the left is a row, on the right a column, and that axis goes again.
    fn matmul(&mut self, frame: &mut Frame, a: Operand, b: Operand, span: Span) -> Option<Operand> {
        let (row, column) = (a.tensor.ty.shape.as_slice(), b.tensor.ty.shape.as_slice());
        let a_matrix = match *row {
            [n] => self.reshape(frame, &a, vec![1, n], span)?,
            _ => a.clone(),
        };
        let b_matrix = match *column {
            [n] => self.reshape(frame, &b, vec![n, 1], span)?,
            _ => b.clone(),
        };
        let (operator, right) = match transposed(frame, &b_matrix) {
            Some(original) => (Operator::MatMul { transpose_b: true }, original),
            None => (Operator::MatMul { transpose_b: false }, b_matrix),
        };
        let product = self.apply(frame, operator, &[&a_matrix, &right], span)?;
        let mut shape = product.tensor.ty.shape.clone();
        if b.tensor.ty.shape.len() == 1 {
            shape.pop();
        }
        if a.tensor.ty.shape.len() == 1 {
            let at = shape.len() - if b.tensor.ty.shape.len() == 1 { 1 } else { 2 };
            shape.remove(at);
        }
        self.reshape(frame, &product, shape, span)
    }

    fn concat(&mut self, frame: &mut Frame, parts: &'p Expr, axis: &'p Expr, span: Span) -> Option<Operand> {
        let Value::List(values) = self.expression(frame, parts) else {
            let message = "`concat` takes a list of tensors";
            self.report.add(Diagnostic::new(codes::E0310, parts.span, message).hint("write `concat([a, b], axis: 0)`"));
            return None;
        };
        let parts: Vec<Option<Operand>> =
            values.into_iter().map(|(value, span)| self.tensor(frame, value, span)).collect();
        let parts: Vec<Operand> = parts.into_iter().collect::<Option<_>>()?;
        let first = parts.first().map(|part| part.tensor.ty.clone());
        let Some(first) = first else {
            self.report.add(Diagnostic::new(codes::E0310, span, "`concat` of nothing"));
            return None;
        };
        if let Some(other) = parts.iter().find(|part| part.tensor.ty.element != first.element) {
            let types = (describe_type(&first), describe_type(&other.tensor.ty));
            let message = format!("`concat` of {} and {}", types.0, types.1);
            self.report.add(Diagnostic::new(codes::E0304, other.span, message));
            return None;
        }
        let axis = self.axis(frame, axis, first.shape.len())?;
        let operands: Vec<&Operand> = parts.iter().collect();
        self.apply(frame, Operator::Concat { axis }, &operands, span)
    }

    /// Along one axis, or along all of them. The axis goes, unless it is to be kept.
    fn reduce(
        &mut self,
        frame: &mut Frame,
        kind: &Kind,
        x: Operand,
        axis: Option<&'p Expr>,
        keep: Option<&'p Expr>,
        span: Span,
    ) -> Option<Operand> {
        let kept = match keep {
            Some(keep) => self.whole(frame, keep, "`keep`")? != 0,
            None => false,
        };
        let (x, axis, shape) = match axis {
            Some(axis) => {
                let axis = self.axis(frame, axis, x.tensor.ty.shape.len())?;
                let mut shape = x.tensor.ty.shape.clone();
                shape.remove(axis);
                (x, axis, shape)
            }
            None => {
                let count = x.tensor.ty.shape.iter().product();
                (self.reshape(frame, &x, vec![count], span)?, 0, vec![])
            }
        };
        let count = x.tensor.ty.shape[axis];
        let operator = match kind {
            Kind::Max => Operator::Max { axis },
            _ => Operator::Sum { axis },
        };
        let mut result = self.apply(frame, operator, &[&x], span)?;
        if matches!(kind, Kind::Mean) {
            result = self.apply(frame, Operator::Scale { by: 1.0 / count as f64 }, &[&result], span)?;
        }
        match kept {
            true => Some(result),
            false => self.reshape(frame, &result, shape, span),
        }
    }

    fn select(&mut self, frame: &mut Frame, bit: Operand, a: Operand, b: Operand, span: Span) -> Option<Operand> {
        if a.tensor.ty.element != b.tensor.ty.element {
            let types = (describe_type(&a.tensor.ty), describe_type(&b.tensor.ty));
            let message = format!("`select` between {} and {}", types.0, types.1);
            self.report.add(Diagnostic::new(codes::E0304, span, message));
            return None;
        }
        if a.tensor.ty.element == Element::Bit {
            // Of bits: where `bit`, a, elsewhere b.
            let differ = self.apply(frame, Operator::Xor, &[&a, &b], span)?;
            let chosen = self.apply(frame, Operator::And, &[&bit, &differ], span)?;
            return self.apply(frame, Operator::Xor, &[&chosen, &b], span);
        }
        self.apply(frame, Operator::Select, &[&bit, &a, &b], span)
    }

    fn causal(&mut self, frame: &mut Frame, size: usize, span: Span) -> Option<Operand> {
        let Some(elements) = size.checked_mul(size).filter(|elements| *elements <= 1 << 24) else {
            let message = format!("a causal mask of {size} rows has more than 2^24 elements");
            self.report.add(Diagnostic::new(codes::E0308, span, message));
            return None;
        };
        let data = (0..elements).map(|at| if at % size <= at / size { 1.0 } else { 0.0 }).collect();
        self.constant(frame, Element::Bit, FloatTensor::new(vec![size, size], data), span)
    }

    fn receiver(&mut self, expr: &Expr) -> Option<Knower> {
        match &expr.kind {
            ExprKind::Name(name) if name == "client" => Some(Knower::Client),
            ExprKind::Name(name) if name == "server" => Some(Knower::Server),
            _ => {
                let message = "`to` is `client` or `server`";
                let hint = "what both may learn is revealed to one and to the other";
                self.report.add(Diagnostic::new(codes::E0408, expr.span, message).hint(hint));
                None
            }
        }
    }

    fn reason(&mut self, expr: &Expr) -> Option<String> {
        match &expr.kind {
            ExprKind::Text(text) if !text.trim().is_empty() => Some(text.clone()),
            _ => {
                let message = "`reason` is a text that says why this may be opened";
                self.report.add(Diagnostic::new(codes::E0408, expr.span, message));
                None
            }
        }
    }

    fn reveal(&mut self, frame: &mut Frame, x: Operand, to: Knower, reason: String, span: Span) -> Option<Operand> {
        let party = match to {
            Knower::Client => Party::Client,
            Knower::Server => Party::Server,
        };
        if x.tensor.ty.visibility == Party::Public || x.tensor.ty.visibility == party {
            return Some(x);
        }
        if !self.spend(span) {
            return None;
        }
        let ty = tensor_type(x.tensor.ty.element, x.tensor.ty.shape.clone(), party);
        let kind = StepKind::Reveal { to, reason, value: x.tensor.slot };
        let slot = frame.push(kind, ty.clone(), "reveal", span);
        let why = Why::new(span, "revealed here", vec![]);
        Some(Operand { tensor: Tensor { slot, ty, why }, span })
    }

    /// A written list of sizes.
    fn size_list(&mut self, frame: &mut Frame, expr: &'p Expr) -> Option<Vec<usize>> {
        let sizes: Vec<Option<usize>> = self.list(expr)?.iter().map(|size| self.size(frame, size)).collect();
        sizes.into_iter().collect()
    }

    fn axis_list(&mut self, frame: &mut Frame, expr: &'p Expr, count: usize) -> Option<Vec<usize>> {
        let axes: Vec<Option<usize>> = self.list(expr)?.iter().map(|axis| self.axis(frame, axis, count)).collect();
        axes.into_iter().collect()
    }

    fn list(&mut self, expr: &'p Expr) -> Option<&'p [Expr]> {
        match &expr.kind {
            ExprKind::List(elements) => Some(elements),
            _ => {
                let message = "a list is written here, as in `[S, D]`";
                self.report.add(Diagnostic::new(codes::E0310, expr.span, message));
                None
            }
        }
    }

    /// An axis of a tensor of `count` axes; below 0 counts from the last.
    fn axis(&mut self, frame: &mut Frame, expr: &'p Expr, count: usize) -> Option<usize> {
        let axis = self.whole(frame, expr, "an axis")?;
        let from_front = if axis < 0 { axis + count as i64 } else { axis };
        match usize::try_from(from_front).ok().filter(|axis| *axis < count) {
            Some(axis) => Some(axis),
            None => {
                let message = format!("axis {axis} of a tensor of {count} axes");
                self.report.add(Diagnostic::new(codes::E0306, expr.span, message));
                None
            }
        }
    }
}

/// What `b` is the transpose of, when that is how it was made.
fn transposed(frame: &Frame, b: &Operand) -> Option<Operand> {
    let step = &frame.steps[b.tensor.slot.0];
    let StepKind::Apply { operator: Operator::Permute { axes }, operands } = &step.kind else { return None };
    let count = axes.len();
    let mut swapped: Vec<usize> = (0..count).collect();
    if count < 2 {
        return None;
    }
    swapped.swap(count - 2, count - 1);
    let original = *operands.first().filter(|_| *axes == swapped)?;
    let ty = frame.steps[original.0].ty.clone();
    Some(Operand { tensor: Tensor { slot: original, ty, why: b.tensor.why.clone() }, span: b.span })
}

/// Of a number known at compile time.
fn fold(operator: &Operator, x: f64) -> Option<f64> {
    let result = match operator {
        Operator::Exp => x.exp(),
        Operator::Reciprocal => 1.0 / x,
        Operator::Relu => x.max(0.0),
        Operator::Rsqrt => 1.0 / x.sqrt(),
        Operator::Sqrt => x.sqrt(),
        Operator::Square => x * x,
        Operator::Tanh => x.tanh(),
        _ => return None,
    };
    Some(result)
}
