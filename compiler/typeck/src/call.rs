//! Calls: which function is meant, with which arguments, and the step that the call becomes.

use std::rc::Rc;

use ptc_syntax::codes;
use ptc_syntax::diagnostic::Diagnostic;
use ptc_syntax::span::Span;
use ptc_syntax::tree::{Argument, Element, Expr, ExprKind, Name, Parameter, Party};

use crate::arguments;
use crate::check::Checker;
use crate::checked::{BodyId, Call, Slot, StepKind, TensorType};
use crate::fields::join;
use crate::instantiate::{Given, Outcome};
use crate::intrinsics::Intrinsic;
use crate::program::{Entity, FunctionId};
use crate::scope::{Frame, Owner};
use crate::value::{FieldShape, Instance, Operand, Tensor, Value, describe_type, element_name};
use crate::visibility::{Why, explain, seen_by, written};

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
                Value::Instance(instance) => self.method(&instance, name),
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
        self.note(span, &Value::Instance(instance.clone()));
        let FieldShape::Module { item, numbers } = &instance.shape else {
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
        let owner = Owner { item: *item, numbers: numbers.clone(), cover: instance.cover };
        let name = instance.name.clone();
        let place = Place::Below { path: instance.path.clone(), result: name.clone(), name };
        Callee::Functions { candidates, owner: Some(owner), place }
    }

    /// `block.masked(x)`, or `block.norm(x)` of a field.
    fn method(&mut self, instance: &Instance, name: &Name) -> Callee {
        let FieldShape::Module { item, numbers } = &instance.shape else {
            return self.not_callable("an array of fields", name.span);
        };
        let owner = Owner { item: *item, numbers: numbers.clone(), cover: instance.cover };
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
        if !self.spend(span) {
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
    fn argument(&mut self, frame: &mut Frame, parameter: &'p Parameter, argument: &'p Expr) -> Option<Given> {
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
        if ty.element == Element::Token && self.whole_numbers(frame, &operand.tensor) {
            return self.ids(frame, &operand.tensor, argument.span).map(Given::Tensor);
        }
        if operand.tensor.ty.element != ty.element {
            let wanted = element_name(ty.element);
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
            self.report.add(explain(diagnostic, &operand.tensor.why));
            return None;
        }
        Some(Given::Tensor(operand))
    }
}

/// Why the result of a call has its visibility: as an argument has it, or because the callee's parameters join.
fn why_of_call(title: &str, party: Party, owner: Option<&Owner>, operands: &[&Operand], span: Span) -> Rc<Why> {
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
