//! Blocks, statements and expressions.

use std::rc::Rc;

use ptc_plan::step::Fixed;
use ptc_syntax::codes;
use ptc_syntax::diagnostic::Diagnostic;
use ptc_syntax::span::Span;
use ptc_syntax::tree::{Block, Element, Expr, ExprKind, Name, Party, Statement, TensorType};

use crate::check::Checker;
use crate::checked;
use crate::program::Entity;
use crate::scope::Frame;
use crate::value::{FieldShape, Instance, Tensor, Value, describe_type, shape_text};
use crate::visibility::written;

/// Calls and expressions on one path: the parser bounds one function, this bounds all of them together.
const MAX_DEPTH: usize = 384;

impl<'p> Checker<'p> {
    /// The value of the block; none when it has none.
    pub(crate) fn block(&mut self, frame: &mut Frame, block: &'p Block) -> Option<Value> {
        frame.enter();
        for statement in &block.statements {
            self.statement(frame, statement);
        }
        let value = block.value.as_ref().map(|value| self.expression(frame, value));
        frame.leave();
        value
    }

    fn statement(&mut self, frame: &mut Frame, statement: &'p Statement) {
        match statement {
            Statement::Let { name, ty, value, .. } => {
                let value = self.named_value(frame, name, value);
                let value = match ty {
                    Some(ty) => self.ascribe(frame, value, ty, name.span),
                    None => value,
                };
                self.note(name.span, &value);
                frame.declare(&name.text, value);
            }
            Statement::Assign { name, value, .. } => {
                let value = self.named_value(frame, name, value);
                self.note(name.span, &value);
                // A name that was never declared has been reported with the names.
                frame.assign(&name.text, value);
            }
            Statement::For { variable, over, body, .. } => self.repeat(frame, variable, over, body),
            Statement::Error(_) => {}
        }
    }

    fn named_value(&mut self, frame: &mut Frame, name: &Name, expr: &'p Expr) -> Value {
        let naming = frame.start_naming(&name.text);
        let value = self.expression(frame, expr);
        frame.stop_naming(naming, &name.text, &value);
        match value {
            Value::Tensor(tensor) if tensor.ty.visibility != Party::Public => {
                let text = format!("`{}` is {}", name.text, written(tensor.ty.visibility));
                Value::Tensor(Tensor { why: tensor.why.then(name.span, text), ..tensor })
            }
            other => other,
        }
    }

    /// `let x: real[S, D] fixed<40, 14> = ...`
    fn ascribe(&mut self, frame: &mut Frame, value: Value, ty: &'p TensorType, span: Span) -> Value {
        if ty.element == Element::Int {
            if !matches!(value, Value::Number(_) | Value::Unknown) {
                let message = format!("an `int` is known at compile time; this is {}", value.describe());
                self.report.add(Diagnostic::new(codes::E0302, span, message).label(ty.span, "declared here"));
                return Value::Unknown;
            }
            return value;
        }
        let Some(operand) = self.tensor(frame, value, span) else { return Value::Unknown };
        let fits = self.declared_sizes(frame, ty).is_none_or(|sizes| {
            let fits = operand.tensor.ty.element == ty.element && sizes.accept(&operand.tensor.ty.shape);
            if !fits {
                let message =
                    format!("this is {}, not {}", describe_type(&operand.tensor.ty), sizes.describe(ty.element));
                self.report.add(Diagnostic::new(codes::E0302, span, message).label(ty.span, "declared here"));
            }
            fits
        });
        if !fits {
            return Value::Unknown;
        }
        self.pin(frame, &operand.tensor, ty);
        Value::Tensor(operand.tensor)
    }

    /// Ring and scale that the author gives a value.
    pub(crate) fn pin(&mut self, frame: &mut Frame, tensor: &Tensor, ty: &'p TensorType) {
        let Some((bits, frac)) = &ty.fixed else { return };
        let (Some(wide), Some(behind)) = (self.whole(frame, bits, "a ring"), self.whole(frame, frac, "a scale")) else {
            return;
        };
        match (u32::try_from(wide), u32::try_from(behind)) {
            (Ok(bits @ 1..=64), Ok(frac)) if frac < bits => {
                frame.steps[tensor.slot.0].fixed = Some(Fixed { bits, frac });
            }
            _ => {
                let message =
                    format!("`fixed<{wide}, {behind}>`: a ring has 1 to 64 bits, fewer of them behind the point");
                self.report.add(Diagnostic::new(codes::E0303, bits.span.to(frac.span), message));
            }
        }
    }

    /// The body once for each element; the graph has no loops.
    fn repeat(&mut self, frame: &mut Frame, variable: &Name, over: &'p Expr, body: &'p Block) {
        let values: Box<dyn Iterator<Item = Value>> = match &over.kind {
            ExprKind::Range(from, to) => {
                let (from, to) = (self.whole(frame, from, "a loop's bound"), self.whole(frame, to, "a loop's bound"));
                let (Some(from), Some(to)) = (from, to) else { return };
                Box::new((from..to).map(|at| Value::Number(at as f64)))
            }
            _ => match self.expression(frame, over) {
                Value::Instance(Instance { shape: FieldShape::Array { element, length }, cover, path, name }) => {
                    let whole =
                        Instance { shape: FieldShape::Array { element: element.clone(), length }, cover, path, name };
                    Box::new((0..length).map(move |at| Value::Instance(array_element(&whole, &element, at))))
                }
                Value::Unknown => return,
                Value::Tensor(tensor) => {
                    self.not_at_compile_time(&tensor, over.span, "a loop's bound");
                    return;
                }
                other => {
                    let message = format!("a loop runs over an array of fields or a range, not {}", other.describe());
                    let hint = "write `for block in blocks` or `for i in 0..4`";
                    self.report.add(Diagnostic::new(codes::E0305, over.span, message).hint(hint));
                    return;
                }
            },
        };
        for value in values {
            // An empty body would not add steps; it still costs time.
            if !self.spend(over.span) {
                return;
            }
            let value = self.materialise(frame, value, over.span);
            self.note(variable.span, &value);
            frame.enter();
            frame.declare(&variable.text, value);
            self.block(frame, body);
            frame.leave();
        }
    }

    pub(crate) fn expression(&mut self, frame: &mut Frame, expr: &'p Expr) -> Value {
        self.depth += 1;
        let value = match self.depth > MAX_DEPTH {
            true => {
                self.too_deep(expr.span);
                Value::Unknown
            }
            false => self.expression_inner(frame, expr),
        };
        self.depth -= 1;
        self.note(expr.span, &value);
        value
    }

    /// Reported once: the way out passes many such places.
    fn too_deep(&mut self, span: Span) {
        if !std::mem::replace(&mut self.reported_depth, true) {
            let message = "calls and expressions are nested too deep";
            self.report.add(Diagnostic::new(codes::E0308, span, message));
        }
    }

    fn expression_inner(&mut self, frame: &mut Frame, expr: &'p Expr) -> Value {
        match &expr.kind {
            ExprKind::Number(number) => Value::Number(*number),
            ExprKind::Text(_) => Value::Text,
            ExprKind::Name(name) => self.name(frame, name, expr.span),
            ExprKind::Field(of, name) => self.member(frame, of, name, expr.span),
            ExprKind::Call { callee, arguments } => self.call(frame, callee, arguments, expr.span),
            ExprKind::Index(of, subscripts) => self.index(frame, of, subscripts, expr.span),
            ExprKind::Unary(op, operand) => self.unary(frame, *op, operand, expr.span),
            ExprKind::Binary(op, left, right) => self.binary(frame, *op, left, right, expr.span),
            ExprKind::Range(..) => {
                let message = "a range stands after `in` or between brackets";
                self.report.add(Diagnostic::new(codes::E0310, expr.span, message));
                Value::Unknown
            }
            ExprKind::List(elements) => {
                Value::List(elements.iter().map(|element| (self.expression(frame, element), element.span)).collect())
            }
            ExprKind::Table { element, ranges } => self.table(frame, element, ranges, expr.span),
            ExprKind::If { condition, then, otherwise } => {
                self.choose(frame, condition, then, otherwise.as_ref(), expr.span)
            }
            ExprKind::Block(block) => self.block(frame, block).unwrap_or_else(|| self.no_value(block.span)),
            ExprKind::Paren(inner) => self.expression(frame, inner),
            ExprKind::Error => Value::Unknown,
        }
    }

    fn name(&mut self, frame: &mut Frame, name: &str, span: Span) -> Value {
        if let Some(value) = frame.local(name) {
            return value.clone();
        }
        if let Some(&number) = frame.numbers.get(name) {
            return Value::Number(number);
        }
        if let Some(value) = self.own_field(frame, name, span) {
            return value;
        }
        let what = match self.program.resolve(frame.unit, name) {
            Some(Entity::Size(id)) => return self.size_item(id, span).map_or(Value::Unknown, Value::Number),
            // Reported with the names.
            None => return Value::Unknown,
            Some(Entity::Module(_)) => "a module: it becomes a value as the type of a field",
            Some(Entity::Model) => "a model: its entries are run by `ptc run`",
            Some(Entity::Functions(_) | Entity::Intrinsic(_)) => "a function: call it",
        };
        self.report.add(Diagnostic::new(codes::E0209, span, format!("`{name}` is {what}")));
        Value::Unknown
    }

    /// A condition is known when the graph is made: it chooses what is computed.
    fn choose(
        &mut self,
        frame: &mut Frame,
        condition: &'p Expr,
        then: &'p Block,
        otherwise: Option<&'p Block>,
        span: Span,
    ) -> Value {
        let truth = match self.expression(frame, condition) {
            Value::Truth(truth) => truth,
            Value::Unknown => return Value::Unknown,
            Value::Tensor(tensor) => {
                self.private_condition(&tensor, condition.span);
                return Value::Unknown;
            }
            other => {
                let message = format!("a condition is a truth value, not {}", other.describe());
                let hint = "compare: `S > 128`";
                self.report.add(Diagnostic::new(codes::E0304, condition.span, message).hint(hint));
                return Value::Unknown;
            }
        };
        match (truth, otherwise) {
            (true, _) => self.block(frame, then).unwrap_or_else(|| self.no_value(then.span)),
            (false, Some(otherwise)) => self.block(frame, otherwise).unwrap_or_else(|| self.no_value(otherwise.span)),
            (false, None) => self.no_value(span),
        }
    }

    fn private_condition(&mut self, tensor: &Tensor, span: Span) {
        if tensor.ty.visibility == Party::Public {
            let message = "an `if` on a value that is known only at run time is not supported yet";
            let hint = "`select(bit, a, b)` chooses between two values; an `if` takes comparisons of sizes";
            self.report.add(Diagnostic::new(codes::E0409, span, message).hint(hint));
            return;
        }
        self.not_at_compile_time(tensor, span, "the condition of an `if`");
    }

    fn no_value(&mut self, span: Span) -> Value {
        let message = "this block has no value";
        let hint = "its last expression, without `;`, is its value; an `if` needs an `else`";
        self.report.add(Diagnostic::new(codes::E0307, span, message).hint(hint));
        Value::Unknown
    }
}

pub(crate) fn array_element(array: &Instance, element: &Rc<FieldShape>, at: usize) -> Instance {
    Instance {
        shape: element.as_ref().clone(),
        cover: array.cover,
        path: array.path.replacen("{}", &at.to_string(), 1),
        name: format!("{}.{at}", array.name),
    }
}

/// The sizes of a declared type: all of them, or the last ones.
pub(crate) struct DeclaredSizes {
    pub any_leading: bool,
    pub sizes: Vec<usize>,
}

impl DeclaredSizes {
    pub fn accept(&self, shape: &[usize]) -> bool {
        match self.any_leading {
            true => shape.ends_with(&self.sizes),
            false => shape == self.sizes,
        }
    }

    pub fn describe(&self, element: Element) -> String {
        let element = crate::value::element_name(element);
        match self.any_leading {
            false => format!("{element}{}", shape_text(&self.sizes)),
            true => {
                let sizes: Vec<String> = self.sizes.iter().map(|size| format!(", {size}")).collect();
                format!("{element}[..{}]", sizes.concat())
            }
        }
    }
}

impl<'p> Checker<'p> {
    /// None when a diagnostic says which size is wrong.
    pub(crate) fn declared_sizes(&mut self, frame: &mut Frame, ty: &'p TensorType) -> Option<DeclaredSizes> {
        let sizes: Vec<Option<usize>> = ty.sizes.iter().map(|size| self.size(frame, size)).collect();
        Some(DeclaredSizes { any_leading: ty.any_leading, sizes: sizes.into_iter().collect::<Option<_>>()? })
    }
}

/// A type with its sizes.
pub(crate) fn tensor_type(element: Element, shape: Vec<usize>, visibility: Party) -> checked::TensorType {
    checked::TensorType { element, shape, visibility }
}
