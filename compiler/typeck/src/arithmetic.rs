//! `+ - * /`, comparisons, truth values. A number known at compile time scales or shifts; two tensors broadcast.

use ptc_plan::operator::Operator;
use ptc_syntax::codes;
use ptc_syntax::diagnostic::Diagnostic;
use ptc_syntax::span::Span;
use ptc_syntax::tree::{BinaryOp, Element, Expr, Party, UnaryOp};

use crate::check::Checker;
use crate::scope::Frame;
use crate::value::{Operand, Value, describe_type};

impl<'p> Checker<'p> {
    pub(crate) fn unary(&mut self, frame: &mut Frame, op: UnaryOp, expr: &'p Expr, span: Span) -> Value {
        let value = self.expression(frame, expr);
        match (op, value) {
            (_, Value::Unknown) => Value::Unknown,
            (UnaryOp::Negate, Value::Number(number)) => Value::Number(-number),
            (UnaryOp::Not, Value::Truth(truth)) => Value::Truth(!truth),
            (UnaryOp::Negate, value) => match self.real(frame, value, expr.span) {
                Some(x) => self.emit(frame, Operator::Negate, &[&x], span),
                None => Value::Unknown,
            },
            (UnaryOp::Not, value) => match self.bit(frame, value, expr.span) {
                Some(x) => self.emit(frame, Operator::Not, &[&x], span),
                None => Value::Unknown,
            },
        }
    }

    pub(crate) fn binary(
        &mut self,
        frame: &mut Frame,
        op: BinaryOp,
        left: &'p Expr,
        right: &'p Expr,
        span: Span,
    ) -> Value {
        let (a, b) = (self.expression(frame, left), self.expression(frame, right));
        if matches!(a, Value::Unknown) || matches!(b, Value::Unknown) {
            return Value::Unknown;
        }
        if let (Value::Number(a), Value::Number(b)) = (&a, &b) {
            return self.fold(op, *a, *b, frame.exact > 0, span);
        }
        if let (Value::Truth(a), Value::Truth(b)) = (&a, &b)
            && let Some(truth) = fold_truth(op, *a, *b)
        {
            return Value::Truth(truth);
        }
        let operands = Sides { a, b, left: left.span, right: right.span };
        use BinaryOp::*;
        match op {
            Add | Subtract | Multiply | Divide => self.arithmetic(frame, op, operands, span),
            Less | LessEqual | Greater | GreaterEqual => self.order(frame, op, operands, span),
            Equal | NotEqual => self.equality(frame, op, operands, span),
            And | Or => {
                let a = self.bit(frame, operands.a, operands.left);
                let b = self.bit(frame, operands.b, operands.right);
                let (Some(a), Some(b)) = (a, b) else { return Value::Unknown };
                let operator = if op == And { Operator::And } else { Operator::Or };
                self.emit(frame, operator, &[&a, &b], span)
            }
        }
    }

    fn fold(&mut self, op: BinaryOp, a: f64, b: f64, exact: bool, span: Span) -> Value {
        let number = match op {
            BinaryOp::Add => a + b,
            BinaryOp::Subtract => a - b,
            BinaryOp::Multiply => a * b,
            BinaryOp::Divide if b == 0.0 => {
                self.report.add(Diagnostic::new(codes::E0303, span, "division by 0"));
                return Value::Unknown;
            }
            BinaryOp::Divide => a / b,
            BinaryOp::Less => return Value::Truth(a < b),
            BinaryOp::LessEqual => return Value::Truth(a <= b),
            BinaryOp::Greater => return Value::Truth(a > b),
            BinaryOp::GreaterEqual => return Value::Truth(a >= b),
            BinaryOp::Equal => return Value::Truth(a == b),
            BinaryOp::NotEqual => return Value::Truth(a != b),
            BinaryOp::And | BinaryOp::Or => {
                let message = "`&&` and `||` join truth values, not numbers";
                self.report.add(Diagnostic::new(codes::E0304, span, message));
                return Value::Unknown;
            }
        };
        if exact && op == BinaryOp::Divide && number.fract() != 0.0 {
            let message = format!("{a} / {b} does not come out even, but a whole number is needed");
            self.report.add(Diagnostic::new(codes::E0303, span, message));
            return Value::Unknown;
        }
        Value::Number(number)
    }

    fn arithmetic(&mut self, frame: &mut Frame, op: BinaryOp, sides: Sides, span: Span) -> Value {
        if let Value::Number(by) = sides.b {
            let Some(x) = self.real(frame, sides.a, sides.left) else { return Value::Unknown };
            return self.with_number_behind(frame, op, &x, by, span);
        }
        if let Value::Number(by) = sides.a {
            let Some(x) = self.real(frame, sides.b, sides.right) else { return Value::Unknown };
            return self.with_number_before(frame, op, by, &x, span);
        }
        let a = self.real(frame, sides.a, sides.left);
        let b = self.real(frame, sides.b, sides.right);
        let (Some(a), Some(b)) = (a, b) else { return Value::Unknown };
        let operator = match op {
            BinaryOp::Add => Operator::Add,
            BinaryOp::Subtract => Operator::Subtract,
            BinaryOp::Multiply => Operator::Multiply,
            _ => Operator::Divide,
        };
        self.emit(frame, operator, &[&a, &b], span)
    }

    fn with_number_behind(&mut self, frame: &mut Frame, op: BinaryOp, x: &Operand, by: f64, span: Span) -> Value {
        let operator = match op {
            BinaryOp::Add => Operator::Offset { by },
            BinaryOp::Subtract => Operator::Offset { by: -by },
            BinaryOp::Multiply => Operator::Scale { by },
            _ if by == 0.0 => {
                self.report.add(Diagnostic::new(codes::E0303, span, "division by 0"));
                return Value::Unknown;
            }
            _ => Operator::Scale { by: 1.0 / by },
        };
        self.emit(frame, operator, &[x], span)
    }

    fn with_number_before(&mut self, frame: &mut Frame, op: BinaryOp, by: f64, x: &Operand, span: Span) -> Value {
        let first = match op {
            BinaryOp::Add => return self.emit(frame, Operator::Offset { by }, &[x], span),
            BinaryOp::Multiply => return self.emit(frame, Operator::Scale { by }, &[x], span),
            BinaryOp::Subtract => self.apply(frame, Operator::Negate, &[x], span),
            _ => self.apply(frame, Operator::Reciprocal, &[x], span),
        };
        let Some(first) = first else { return Value::Unknown };
        let second = match op {
            BinaryOp::Subtract => Operator::Offset { by },
            _ if by == 1.0 => return Value::Tensor(first.tensor),
            _ => Operator::Scale { by },
        };
        self.emit(frame, second, &[&first], span)
    }

    fn order(&mut self, frame: &mut Frame, op: BinaryOp, sides: Sides, span: Span) -> Value {
        let a = self.real(frame, sides.a, sides.left);
        let b = self.real(frame, sides.b, sides.right);
        let (Some(a), Some(b)) = (a, b) else { return Value::Unknown };
        // `a <= b` is the negation of `b < a`.
        let (less, negated) = match op {
            BinaryOp::Less => ([&a, &b], false),
            BinaryOp::Greater => ([&b, &a], false),
            BinaryOp::LessEqual => ([&b, &a], true),
            _ => ([&a, &b], true),
        };
        let Some(bit) = self.apply(frame, Operator::Less, &less, span) else { return Value::Unknown };
        match negated {
            true => self.emit(frame, Operator::Not, &[&bit], span),
            false => Value::Tensor(bit.tensor),
        }
    }

    /// Equal bits; equal ids, where somebody sees both.
    fn equality(&mut self, frame: &mut Frame, op: BinaryOp, sides: Sides, span: Span) -> Value {
        let a = self.tensor(frame, sides.a, sides.left);
        let b = self.tensor(frame, sides.b, sides.right);
        let (Some(a), Some(b)) = (a, b) else { return Value::Unknown };
        let equal = match (a.tensor.ty.element, b.tensor.ty.element) {
            (Element::Bit, Element::Bit) => {
                let Some(differ) = self.apply(frame, Operator::Xor, &[&a, &b], span) else { return Value::Unknown };
                if op == BinaryOp::NotEqual {
                    return Value::Tensor(differ.tensor);
                }
                return self.emit(frame, Operator::Not, &[&differ], span);
            }
            (Element::Token, Element::Token | Element::Real) | (Element::Real, Element::Token) => {
                self.equal_ids(frame, &a, &b, span)
            }
            _ => {
                let types = (describe_type(&a.tensor.ty), describe_type(&b.tensor.ty));
                let message = format!("equality is for bits and for ids, not for {} and {}", types.0, types.1);
                let hint = "reals are rounded: ask whether the difference is small, `(a - b) * (a - b) < 1e-6`";
                self.report.add(Diagnostic::new(codes::E0304, span, message).hint(hint));
                None
            }
        };
        let Some(equal) = equal else { return Value::Unknown };
        match op {
            BinaryOp::Equal => Value::Tensor(equal.tensor),
            _ => self.emit(frame, Operator::Not, &[&equal], span),
        }
    }

    fn equal_ids(&mut self, frame: &mut Frame, a: &Operand, b: &Operand, span: Span) -> Option<Operand> {
        let below = self.apply(frame, Operator::Less, &[a, b], span)?;
        if below.tensor.ty.visibility == Party::Secret {
            let message = "ids of different owners cannot be compared yet";
            let diagnostic = Diagnostic::new(codes::E0405, span, message);
            self.report.add(crate::visibility::explain(diagnostic, &below.tensor.why));
            return None;
        }
        let above = self.apply(frame, Operator::Less, &[b, a], span)?;
        let differ = self.apply(frame, Operator::Or, &[&below, &above], span)?;
        self.apply(frame, Operator::Not, &[&differ], span)
    }
}

/// Two operands with the expressions they came from.
struct Sides {
    a: Value,
    b: Value,
    left: Span,
    right: Span,
}

fn fold_truth(op: BinaryOp, a: bool, b: bool) -> Option<bool> {
    match op {
        BinaryOp::And => Some(a && b),
        BinaryOp::Or => Some(a || b),
        BinaryOp::Equal => Some(a == b),
        BinaryOp::NotEqual => Some(a != b),
        _ => None,
    }
}
