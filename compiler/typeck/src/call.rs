//! Calls: which function is meant, with which sizes, checked once for each combination.

use std::collections::BTreeMap;

use ptc_syntax::codes;
use ptc_syntax::diagnostic::Diagnostic;
use ptc_syntax::span::Span;
use ptc_syntax::tree::{Argument, Element, Expr, ExprKind, Function, Item, Name, Party};

use crate::check::Checker;
use crate::checked::{Body, BodyId, Call, Slot, Step, StepKind, TensorType};
use crate::expression::DeclaredSizes;
use crate::fields::join;
use crate::intrinsics::Intrinsic;
use crate::program::{Entity, FunctionId, ItemId, Member};
use crate::prune::prune;
use crate::scope::{Frame, Owner};
use crate::value::{FieldShape, Instance, Operand, Tensor, Value, describe_type};
use crate::visibility::{Why, seen_by, written};
use crate::{arguments, attributes};

/// Steps of an entry when every call is expanded.
const MAX_EXPANDED: usize = 1 << 20;

/// What checking a function depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    function: FunctionId,
    sizes: Vec<usize>,
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

enum Callee {
    Functions { candidates: Vec<FunctionId>, owner: Option<Owner>, place: Place },
    Intrinsic(&'static Intrinsic),
    Unknown,
}

/// Where the callee stands below the caller, in the checkpoint and in names.
enum Place {
    /// A module's function; the result is named `result`.
    Below { path: String, name: String, result: String },
    /// A function of the same module: its steps stand beside the caller's.
    Same,
    /// A function of a file.
    Free,
}

/// An argument, ready for its parameter.
pub(crate) enum Given {
    Tensor(Operand),
    Number(f64),
}

impl<'p> Checker<'p> {
    pub(crate) fn call(&mut self, frame: &mut Frame, callee: &'p Expr, arguments: &'p [Argument], span: Span) -> Value {
        match self.callee(frame, callee) {
            Callee::Unknown => {
                // Their own errors are worth telling.
                for argument in arguments {
                    self.expression(frame, &argument.value);
                }
                Value::Unknown
            }
            Callee::Intrinsic(intrinsic) => self.intrinsic(frame, intrinsic, arguments, span),
            Callee::Functions { candidates, owner, place } => {
                let Some(id) = self.by_count(&candidates, arguments.len(), span) else { return Value::Unknown };
                self.call_function(frame, id, owner, place, arguments, span)
            }
        }
    }

    fn callee(&mut self, frame: &mut Frame, callee: &'p Expr) -> Callee {
        match &callee.kind {
            ExprKind::Paren(inner) => self.callee(frame, inner),
            ExprKind::Name(name) => self.named_callee(frame, name, callee.span),
            ExprKind::Field(of, name) => match self.expression(frame, of) {
                Value::Instance(instance) => self.method(frame, &instance, name),
                Value::Unknown => Callee::Unknown,
                other => {
                    let message = format!("{} has no function `{}`", other.describe(), name.text);
                    let hint = format!("functions of tensors are called as `{}(x)`", name.text);
                    self.report.add(Diagnostic::new(codes::E0210, name.span, message).hint(hint));
                    Callee::Unknown
                }
            },
            _ => match self.expression(frame, callee) {
                Value::Instance(instance) => self.forward(&instance, callee.span),
                Value::Unknown => Callee::Unknown,
                other => self.not_callable(&other.describe(), callee.span),
            },
        }
    }

    fn named_callee(&mut self, frame: &mut Frame, name: &str, span: Span) -> Callee {
        // A tensor may share its name with a function: `let mean = mean(x)`.
        if let Some(Value::Instance(instance)) = frame.local(name).cloned() {
            return self.forward(&instance, span);
        }
        if let Some(owner) = frame.owner.clone() {
            match self.field(&owner, "", "", name) {
                Some(Some(instance @ Instance { shape: FieldShape::Module { .. } | FieldShape::Array { .. }, .. })) => {
                    return self.forward(&instance, span);
                }
                Some(None) => return Callee::Unknown,
                _ => {}
            }
            let candidates = self.program.methods(owner.item, name);
            if !candidates.is_empty() {
                return Callee::Functions { candidates, owner: Some(owner), place: Place::Same };
            }
        }
        match self.program.resolve(frame.unit, name) {
            Some(Entity::Functions(candidates)) => Callee::Functions { candidates, owner: None, place: Place::Free },
            Some(Entity::Intrinsic(intrinsic)) => Callee::Intrinsic(intrinsic),
            Some(Entity::Module(_)) => {
                let message = format!("`{name}` is a module: its parameters need a place in the checkpoint");
                let hint = format!("declare a field, `layer: {name}<...>`, and call it: `layer(x)`");
                self.report.add(Diagnostic::new(codes::E0209, span, message).hint(hint));
                Callee::Unknown
            }
            Some(Entity::Model | Entity::Size(_)) => self.not_callable(&format!("`{name}`"), span),
            None => match frame.local(name).cloned() {
                Some(Value::Unknown) => Callee::Unknown,
                Some(value) => self.not_callable(&value.describe(), span),
                // A field that is a tensor; anything else was reported with the names.
                None => match self.own_field(frame, name, span) {
                    Some(Value::Tensor(tensor)) => self.not_callable(&describe_type(&tensor.ty), span),
                    _ => Callee::Unknown,
                },
            },
        }
    }

    fn not_callable(&mut self, what: &str, span: Span) -> Callee {
        self.report.add(Diagnostic::new(codes::E0209, span, format!("{what} cannot be called")));
        Callee::Unknown
    }

    fn forward(&mut self, instance: &Instance, span: Span) -> Callee {
        let FieldShape::Module { item, sizes } = &instance.shape else {
            let message = "an array of fields cannot be called";
            let hint = "call its elements: `for block in blocks { x = block(x); }`";
            self.report.add(Diagnostic::new(codes::E0209, span, message).hint(hint));
            return Callee::Unknown;
        };
        let candidates = self.program.methods(*item, "forward");
        if candidates.is_empty() {
            let message = format!("`{}` has no `forward`, so it cannot be called", self.program.name(*item));
            self.report.add(Diagnostic::new(codes::E0210, span, message));
            return Callee::Unknown;
        }
        let owner = Owner { item: *item, sizes: sizes.clone(), cover: instance.cover };
        let name = instance.name.clone();
        let place = Place::Below { path: instance.path.clone(), result: name.clone(), name };
        Callee::Functions { candidates, owner: Some(owner), place }
    }

    /// `block.masked(x)`, or `block.norm(x)` of a field.
    fn method(&mut self, _frame: &mut Frame, instance: &Instance, name: &Name) -> Callee {
        let FieldShape::Module { item, sizes } = &instance.shape else {
            return self.not_callable("an array of fields", name.span);
        };
        let owner = Owner { item: *item, sizes: sizes.clone(), cover: instance.cover };
        match self.field(&owner, &instance.path, &instance.name, &name.text) {
            Some(Some(field @ Instance { shape: FieldShape::Module { .. } | FieldShape::Array { .. }, .. })) => {
                return self.forward(&field, name.span);
            }
            Some(None) => return Callee::Unknown,
            Some(Some(_)) => return self.not_callable(&format!("the parameter `{}`", name.text), name.span),
            None => {}
        }
        let candidates = self.program.methods(*item, &name.text);
        if candidates.is_empty() {
            self.no_member(*item, name);
            return Callee::Unknown;
        }
        let place = Place::Below {
            path: instance.path.clone(),
            name: instance.name.clone(),
            result: join(&instance.name, &name.text),
        };
        Callee::Functions { candidates, owner: Some(owner), place }
    }

    /// Of functions with one name, the one with as many parameters as there are arguments.
    fn by_count(&mut self, candidates: &[FunctionId], given: usize, span: Span) -> Option<FunctionId> {
        let count = |id: &FunctionId| self.program.function(*id).parameters.len();
        match candidates {
            // A wrong number is reported with the parameters' names.
            [only] => Some(*only),
            _ => candidates.iter().copied().find(|id| count(id) == given).or_else(|| {
                let mut counts: Vec<usize> = candidates.iter().map(count).collect();
                counts.sort_unstable();
                let counts: Vec<String> = counts.iter().map(usize::to_string).collect();
                let name = candidates.first().map_or(String::new(), |id| self.title(*id));
                let message = format!("`{name}` takes {} arguments, {given} given", counts.join(" or "));
                self.report.add(Diagnostic::new(codes::E0206, span, message));
                None
            }),
        }
    }

    fn call_function(
        &mut self,
        frame: &mut Frame,
        id: FunctionId,
        owner: Option<Owner>,
        place: Place,
        arguments: &'p [Argument],
        span: Span,
    ) -> Value {
        let function = self.program.function(id);
        let names: Vec<&str> = function.parameters.iter().map(|parameter| parameter.name.text.as_str()).collect();
        let bound = match arguments::bind(&self.title(id), &names, names.len(), arguments, span) {
            Ok(bound) => bound,
            Err(diagnostic) => {
                self.report.add(*diagnostic);
                return Value::Unknown;
            }
        };
        let given: Vec<Option<Given>> = function
            .parameters
            .iter()
            .zip(bound.into_iter().flatten())
            .map(|(parameter, argument)| self.argument(frame, parameter, argument))
            .collect();
        let Some(given) = given.into_iter().collect::<Option<Vec<Given>>>() else { return Value::Unknown };
        match self.instantiate(id, owner.clone(), &given, span) {
            Outcome::Number(number) => Value::Number(number),
            Outcome::Tensor(body, ty) => {
                let title = self.title(id);
                self.call_step(frame, &title, body, ty, owner.as_ref(), place, &given, &function.name.text, span)
            }
            Outcome::Failed | Outcome::Running => Value::Unknown,
        }
    }

    fn call_step(
        &mut self,
        frame: &mut Frame,
        title: &str,
        body: BodyId,
        ty: TensorType,
        owner: Option<&Owner>,
        place: Place,
        given: &[Given],
        function: &str,
        span: Span,
    ) -> Value {
        if !self.room_for_step(frame, span) {
            return Value::Unknown;
        }
        let operands: Vec<&Operand> = given.iter().filter_map(Given::operand).collect();
        let why = why_of_call(title, ty.visibility, owner, &operands, span);
        let arguments: Vec<Slot> = operands.iter().map(|operand| operand.tensor.slot).collect();
        let call = |path: String, name: String| StepKind::Call(Call { body, arguments, path, name });
        let slot = match place {
            Place::Below { path, name, result } => frame.push_settled(call(path, name), ty.clone(), result, span),
            Place::Same => frame.push_beside(call(String::new(), String::new()), ty.clone(), function, span),
            Place::Free => {
                let slot = frame.push(call(String::new(), String::new()), ty.clone(), function, span);
                let step = &mut frame.steps[slot.0];
                if let StepKind::Call(call) = &mut step.kind {
                    call.name = step.name.clone();
                }
                slot
            }
        };
        Value::Tensor(Tensor { slot, ty, why })
    }

    /// The value of an argument, as its parameter's kind asks.
    fn argument(
        &mut self,
        frame: &mut Frame,
        parameter: &'p ptc_syntax::tree::Parameter,
        argument: &'p Expr,
    ) -> Option<Given> {
        let ty = &parameter.ty;
        if ty.element == Element::Int {
            let number = self.whole(frame, argument, &format!("the argument `{}`", parameter.name.text))?;
            return Some(Given::Number(number as f64));
        }
        let value = self.expression(frame, argument);
        if let (Value::Number(number), Element::Real, true, false) =
            (&value, ty.element, ty.sizes.is_empty(), ty.any_leading)
        {
            return Some(Given::Number(*number));
        }
        let operand = self.tensor(frame, value, argument.span)?;
        if operand.tensor.ty.element != ty.element {
            let wanted = crate::value::element_name(ty.element);
            let message =
                format!("`{}` takes {wanted}s, not {}", parameter.name.text, describe_type(&operand.tensor.ty));
            let diagnostic = Diagnostic::new(codes::E0304, argument.span, message).label(ty.span, "declared here");
            self.report.add(match (ty.element, operand.tensor.ty.element) {
                (Element::Real, Element::Bit) => diagnostic.hint("`1 * bit` is the real 0 or 1"),
                (Element::Bit, Element::Real) => diagnostic.hint("a comparison makes bits: `x > 0`"),
                _ => diagnostic,
            });
            return None;
        }
        if let Some(declared) = parameter.visibility
            && !seen_by(operand.tensor.ty.visibility, declared.party)
        {
            let (is, wanted) = (written(operand.tensor.ty.visibility), written(declared.party));
            let message = format!("`{}` is declared {wanted}, but this is {is}", parameter.name.text);
            let diagnostic = Diagnostic::new(codes::E0406, argument.span, message)
                .label(declared.span, "declared here")
                .hint("a private value is opened only by `reveal(x, to: ..., reason: \"...\")`");
            self.report.add(crate::visibility::explain(diagnostic, &operand.tensor.why));
            return None;
        }
        Some(Given::Tensor(operand))
    }

    /// The function for these arguments, checked now or before.
    pub(crate) fn instantiate(&mut self, id: FunctionId, owner: Option<Owner>, given: &[Given], span: Span) -> Outcome {
        let function = self.program.function(id);
        let sizes = owner.as_ref().map(|owner| self.owner_sizes(owner)).unwrap_or_default();
        let mut frame = Frame::new(id.item.unit, owner.clone(), sizes);
        if !self.bind_sizes(&mut frame, id, given, span) {
            return Outcome::Failed;
        }
        let key = Key {
            function: id,
            sizes: owner.as_ref().map(|owner| owner.sizes.clone()).unwrap_or_default(),
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
                frame.declare(&parameter.name.text, Value::Tensor(Tensor { slot, ty, why }));
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
                            frame.sizes.entry(name.clone()).or_insert(actual);
                        }
                    }
                }
            }
        }
        if let Some(generic) = function.generics.iter().find(|generic| !frame.sizes.contains_key(&generic.text)) {
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

    fn wrong_argument(
        &mut self,
        id: FunctionId,
        parameter: &ptc_syntax::tree::Parameter,
        declared: &DeclaredSizes,
        operand: &Operand,
    ) {
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
            _ => Some(crate::value::Cover { party: Party::Public, span }),
        };
        Owner { item, sizes: vec![], cover }
    }
}

impl Given {
    fn key(&self) -> ArgumentKey {
        match self {
            Given::Tensor(operand) => ArgumentKey::Tensor(operand.tensor.ty.clone()),
            Given::Number(number) => ArgumentKey::Number(number.to_bits()),
        }
    }

    fn operand(&self) -> Option<&Operand> {
        match self {
            Given::Tensor(operand) => Some(operand),
            Given::Number(_) => None,
        }
    }
}

/// Why the result of a call has its visibility: as an argument has it, or because the callee's parameters join.
fn why_of_call(
    title: &str,
    party: Party,
    owner: Option<&Owner>,
    operands: &[&Operand],
    span: Span,
) -> std::rc::Rc<Why> {
    if let Some(operand) = operands.iter().find(|operand| operand.tensor.ty.visibility == party) {
        return operand.tensor.why.clone();
    }
    let private = operands.iter().filter(|operand| operand.tensor.ty.visibility != Party::Public);
    let mut because: Vec<_> = private.map(|operand| operand.tensor.why.clone()).collect();
    let cover = owner.and_then(|owner| owner.cover);
    if let Some(cover) = cover {
        let text = format!("declared {} here", written(cover.party));
        because.push(Why::new(cover.span, text, vec![]));
    }
    let text = match (party, cover) {
        (Party::Secret, Some(cover)) => {
            format!("`{title}` joins it with parameters that are {}, which makes it @secret", written(cover.party))
        }
        _ => format!("`{title}` makes it {}", written(party)),
    };
    Why::new(span, text, because)
}
