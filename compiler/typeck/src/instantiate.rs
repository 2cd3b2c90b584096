//! Functions for the sizes, shapes and visibilities they are called with, each combination checked once.

use std::collections::BTreeMap;

use ptc_syntax::codes;
use ptc_syntax::diagnostic::Diagnostic;
use ptc_syntax::span::Span;
use ptc_syntax::tree::{Element, ExprKind, Function, Item, Parameter, Party};

use crate::attributes;
use crate::check::Checker;
use crate::checked::{Body, BodyId, Slot, Step, StepKind, TensorType};
use crate::expression::DeclaredSizes;
use crate::fields::bits;
use crate::program::{FunctionId, ItemId, Member};
use crate::prune::prune;
use crate::scope::{Frame, Owner};
use crate::value::{Cover, Operand, Tensor, Value, describe_type};
use crate::visibility::Why;

/// Steps of an entry when every call is expanded.
const MAX_EXPANDED: usize = 1 << 20;

/// What checking a function depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    function: FunctionId,
    /// Their bits.
    numbers: Vec<u64>,
    cover: Option<Party>,
    arguments: Vec<ArgumentKey>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum ArgumentKey {
    Tensor(TensorType),
    /// Its bits.
    Number(u64),
}

/// What a checked function gives.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    Tensor(BodyId, TensorType),
    Number(f64),
    /// A diagnostic says why there is none.
    Failed,
    /// It is being checked: a call of it now is a recursion.
    Running,
}

/// An argument, ready for its parameter.
pub(crate) enum Given {
    Tensor(Operand),
    Number(f64),
}

impl<'p> Checker<'p> {
    /// The function for these arguments, checked now or before.
    pub(crate) fn instantiate(&mut self, id: FunctionId, owner: Option<Owner>, given: &[Given], span: Span) -> Outcome {
        let function = self.program.function(id);
        let numbers = owner.as_ref().map(|owner| self.owner_numbers(owner)).unwrap_or_default();
        let mut frame = Frame::new(id.item.unit, owner.clone(), numbers);
        if !self.bind_sizes(&mut frame, id, given, span) {
            return Outcome::Failed;
        }
        let key = Key {
            function: id,
            numbers: owner.as_ref().map(|owner| bits(&owner.numbers)).unwrap_or_default(),
            cover: owner.as_ref().and_then(|owner| owner.cover).map(|cover| cover.party),
            arguments: given.iter().map(Given::key).collect(),
        };
        match self.memo.get(&key) {
            Some(Outcome::Running) => {
                let message = format!("`{}` calls itself", self.title(id));
                let hint = "there is no end to it: loops run over fields or ranges";
                self.report.add(Diagnostic::new(codes::E0208, span, message).hint(hint));
                return Outcome::Failed;
            }
            Some(outcome) => return outcome.clone(),
            None => {}
        }
        self.memo.insert(key.clone(), Outcome::Running);
        self.reached.insert(id);
        // An entry, or a function that nothing uses, is its own use.
        let used = span != function.name.span;
        if used {
            self.report.enter(span, format!("in this use of `{}`", self.title(id)));
        }
        for (parameter, given) in function.parameters.iter().zip(given) {
            if let Given::Tensor(operand) = given {
                let ty = operand.tensor.ty.clone();
                let name = parameter.name.text.clone();
                let slot = frame.push_settled(StepKind::Argument, ty.clone(), name, parameter.span);
                let why = match ty.visibility {
                    _ if operand.tensor.why.span == operand.span => operand.tensor.why.clone(),
                    Party::Public => operand.tensor.why.clone(),
                    _ => operand.tensor.why.then(operand.span, format!("passed as `{}` here", parameter.name.text)),
                };
                let value = Value::Tensor(Tensor { slot, ty, why });
                self.note(parameter.name.span, &value);
                frame.declare(&parameter.name.text, value);
            }
        }
        let outcome = self.body(frame, id, function);
        if used {
            self.report.leave();
        }
        self.memo.insert(key, outcome.clone());
        outcome
    }

    /// The function's own sizes from the arguments' shapes, then every declared shape against its argument. Numbers
    /// become locals. False when a diagnostic says what does not fit.
    fn bind_sizes(&mut self, frame: &mut Frame, id: FunctionId, given: &[Given], span: Span) -> bool {
        let function = self.program.function(id);
        for (parameter, given) in function.parameters.iter().zip(given) {
            match given {
                Given::Number(number) => frame.declare(&parameter.name.text, Value::Number(*number)),
                Given::Tensor(operand) => {
                    let actual = operand.tensor.ty.shape.iter().rev();
                    for (size, &actual) in parameter.ty.sizes.iter().rev().zip(actual) {
                        if let ExprKind::Name(name) = &size.kind
                            && function.generics.iter().any(|generic| generic.text == *name)
                        {
                            frame.numbers.entry(name.clone()).or_insert(actual as f64);
                        }
                    }
                }
            }
        }
        if let Some(generic) = function.generics.iter().find(|generic| !frame.numbers.contains_key(&generic.text)) {
            let message =
                format!("the size `{}` of `{}` does not follow from its arguments", generic.text, self.title(id));
            let diagnostic = Diagnostic::new(codes::E0309, span, message).label(generic.span, "declared here");
            self.report.add(diagnostic.hint("a size that no argument's shape names is passed as an `int` parameter"));
            return false;
        }
        let mut fits = true;
        for (parameter, given) in function.parameters.iter().zip(given) {
            let Given::Tensor(operand) = given else { continue };
            self.report.enter(span, format!("in this use of `{}`", self.title(id)));
            let declared = self.declared_sizes(frame, &parameter.ty);
            self.report.leave();
            let Some(declared) = declared else {
                fits = false;
                continue;
            };
            if !declared.accept(&operand.tensor.ty.shape) {
                self.wrong_argument(id, parameter, &declared, operand);
                fits = false;
            }
        }
        fits
    }

    fn wrong_argument(&mut self, id: FunctionId, parameter: &Parameter, declared: &DeclaredSizes, operand: &Operand) {
        let message = format!(
            "`{}` of `{}` is {}, not {}",
            parameter.name.text,
            self.title(id),
            declared.describe(parameter.ty.element),
            describe_type(&operand.tensor.ty)
        );
        let diagnostic = Diagnostic::new(codes::E0302, operand.span, message)
            .label(operand.span, format!("this is {}", describe_type(&operand.tensor.ty)))
            .label(parameter.ty.span, "declared here");
        self.report.add(diagnostic);
    }

    fn body(&mut self, mut frame: Frame, id: FunctionId, function: &'p Function) -> Outcome {
        let value = match self.block(&mut frame, &function.body) {
            Some(value) => value,
            None => {
                let message = format!("`{}` gives no value", self.title(id));
                let hint = "its last expression, without `;`, is its value";
                self.report.add(Diagnostic::new(codes::E0307, function.name.span, message).hint(hint));
                return Outcome::Failed;
            }
        };
        let end = function.body.value.as_ref().map_or(function.body.span, |value| value.span);
        let declared_int = function.result.as_ref().is_none_or(|result| result.ty.element == Element::Int);
        match value {
            Value::Unknown => return Outcome::Failed,
            Value::Number(number) if declared_int => return Outcome::Number(number),
            _ => {}
        }
        let Some(operand) = self.result(&mut frame, function, value, end) else { return Outcome::Failed };
        frame.name_result(operand.tensor.slot);
        let (steps, result) = prune(frame.steps, operand.tensor.slot);
        let item = id.item;
        let outer = match self.program.item(item) {
            Item::Module(module) => module.attributes.as_slice(),
            Item::Model(model) => model.attributes.as_slice(),
            _ => &[],
        };
        let expanded = self.expanded(&steps);
        if expanded > MAX_EXPANDED {
            let message = format!("`{}` has more than {MAX_EXPANDED} operators", self.title(id));
            self.report.add(Diagnostic::new(codes::E0308, function.name.span, message));
            return Outcome::Failed;
        }
        let mut leaks = attributes::leaks(outer);
        leaks.extend(attributes::leaks(&function.attributes));
        self.bodies.push(Body {
            steps,
            result,
            tolerance: attributes::tolerance(&function.attributes).or_else(|| attributes::tolerance(outer)),
            leaks,
            expanded,
        });
        Outcome::Tensor(BodyId(self.bodies.len() - 1), operand.tensor.ty)
    }

    /// The value against the declared result.
    fn result(&mut self, frame: &mut Frame, function: &'p Function, value: Value, span: Span) -> Option<Operand> {
        let operand = self.tensor(frame, value, span)?;
        let Some(result) = &function.result else { return Some(operand) };
        let declared = self.declared_sizes(frame, &result.ty)?;
        if result.ty.element != operand.tensor.ty.element || !declared.accept(&operand.tensor.ty.shape) {
            let message = format!(
                "`{}` gives {}, but {} is declared",
                function.name.text,
                describe_type(&operand.tensor.ty),
                declared.describe(result.ty.element)
            );
            let diagnostic = Diagnostic::new(codes::E0302, span, message).label(result.ty.span, "declared here");
            self.report.add(diagnostic);
            return None;
        }
        self.pin(frame, &operand.tensor, &result.ty);
        Some(operand)
    }

    fn expanded(&self, steps: &[Step]) -> usize {
        let sizes = steps.iter().map(|step| match &step.kind {
            StepKind::Call(call) => self.bodies[call.body.0].expanded,
            _ => 1,
        });
        sizes.fold(0usize, usize::saturating_add)
    }

    /// `Linear` for its `forward`, `MultiHead.masked` for another, `mean_pool` for a function of a file.
    pub(crate) fn title(&self, id: FunctionId) -> String {
        let function = &self.program.function(id).name.text;
        match id.member {
            Member::Itself => function.clone(),
            Member::Function(_) if function == "forward" => self.program.name(id.item).to_string(),
            Member::Function(_) | Member::Entry(_) => format!("{}.{function}", self.program.name(id.item)),
        }
    }

    /// A function that nothing uses, as if everything were public.
    pub(crate) fn instantiate_unused(&mut self, id: FunctionId) {
        let function = self.program.function(id);
        let owner = match id.member {
            Member::Itself => None,
            _ => Some(self.public_owner(id.item, function.name.span)),
        };
        let mut given = vec![];
        for (at, parameter) in function.parameters.iter().enumerate() {
            let mut frame = Frame::new(id.item.unit, None, BTreeMap::new());
            let Some(declared) = self.declared_sizes(&mut frame, &parameter.ty) else { return };
            let ty = TensorType {
                element: parameter.ty.element,
                shape: declared.sizes,
                visibility: parameter.visibility.map_or(Party::Public, |declared| declared.party),
            };
            let why = Why::new(parameter.span, "declared here", vec![]);
            let tensor = Tensor { slot: Slot(at), ty, why };
            given.push(Given::Tensor(Operand { tensor, span: parameter.span }));
        }
        self.instantiate(id, owner, &given, function.name.span);
    }

    fn public_owner(&self, item: ItemId, span: Span) -> Owner {
        let cover = match self.program.item(item) {
            Item::Model(_) => None,
            _ => Some(Cover { party: Party::Public, span }),
        };
        Owner { item, numbers: vec![], cover }
    }
}

impl Given {
    fn key(&self) -> ArgumentKey {
        match self {
            Given::Tensor(operand) => ArgumentKey::Tensor(operand.tensor.ty.clone()),
            Given::Number(number) => ArgumentKey::Number(number.to_bits()),
        }
    }

    pub fn operand(&self) -> Option<&Operand> {
        match self {
            Given::Tensor(operand) => Some(operand),
            Given::Number(_) => None,
        }
    }
}
