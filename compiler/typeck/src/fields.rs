//! Fields: their shapes, their owners, their paths in the checkpoint.

use std::collections::BTreeMap;
use std::rc::Rc;

use ptc_plan::operator::Operator;
use ptc_syntax::codes;
use ptc_syntax::diagnostic::Diagnostic;
use ptc_syntax::span::Span;
use ptc_syntax::suggest::nearest;
use ptc_syntax::tree::{Expr, Field, FieldType, Name, Party};

use crate::check::Checker;
use crate::checked::StepKind;
use crate::expression::tensor_type;
use crate::load::listed;
use crate::program::{Entity, ItemId};
use crate::scope::{Frame, Owner};
use crate::value::{Cover, FieldShape, Instance, Operand, Tensor, Value, describe_type};
use crate::visibility::{Why, written};

impl<'p> Checker<'p> {
    /// A field of the module whose function is being checked, by its name alone.
    pub(crate) fn own_field(&mut self, frame: &mut Frame, name: &str, span: Span) -> Option<Value> {
        let owner = frame.owner.clone()?;
        let field = self.field(&owner, "", "", name)?;
        Some(match field {
            Some(instance) => self.materialise(frame, Value::Instance(instance), span),
            None => Value::Unknown,
        })
    }

    /// `x.T`, `block.norm`
    pub(crate) fn member(&mut self, frame: &mut Frame, of: &'p Expr, name: &Name, span: Span) -> Value {
        match self.expression(frame, of) {
            Value::Unknown => Value::Unknown,
            Value::Instance(instance) => self.member_of(frame, &instance, name, span),
            Value::Tensor(tensor) if name.text == "T" => {
                self.transpose(frame, &Operand { tensor, span: of.span }, span)
            }
            other => {
                let message = format!("{} has no `{}`", other.describe(), name.text);
                let hint = "a tensor has `.T`, its transpose; a module has its fields and functions";
                self.report.add(Diagnostic::new(codes::E0210, name.span, message).hint(hint));
                Value::Unknown
            }
        }
    }

    fn transpose(&mut self, frame: &mut Frame, x: &Operand, span: Span) -> Value {
        let count = x.tensor.ty.shape.len();
        if count < 2 {
            let message = format!("`.T` swaps the last two axes; {} has fewer", describe_type(&x.tensor.ty));
            self.report.add(Diagnostic::new(codes::E0306, span, message));
            return Value::Unknown;
        }
        let mut axes: Vec<usize> = (0..count).collect();
        axes.swap(count - 2, count - 1);
        self.emit(frame, Operator::Permute { axes }, &[x], span)
    }

    fn member_of(&mut self, frame: &mut Frame, instance: &Instance, name: &Name, span: Span) -> Value {
        let FieldShape::Module { item, numbers } = &instance.shape else {
            let message = format!("an array of fields has no `{}`", name.text);
            let hint = "take one of its elements: `blocks[0]`, or `for block in blocks`";
            self.report.add(Diagnostic::new(codes::E0210, name.span, message).hint(hint));
            return Value::Unknown;
        };
        let owner = Owner { item: *item, numbers: numbers.clone(), cover: instance.cover };
        match self.field(&owner, &instance.path, &instance.name, &name.text) {
            Some(Some(found)) => self.materialise(frame, Value::Instance(found), span),
            Some(None) => Value::Unknown,
            None => {
                self.no_member(*item, name);
                Value::Unknown
            }
        }
    }

    pub(crate) fn no_member(&mut self, item: ItemId, name: &Name) {
        let fields = self.program.fields(item).iter().map(|field| field.name.text.as_str());
        let functions = self.program.functions(item).iter().map(|function| function.name.text.as_str());
        let mut known: Vec<&str> = fields.chain(functions).collect();
        known.dedup();
        let message = format!("`{}` has no `{}`", self.program.name(item), name.text);
        let diagnostic = Diagnostic::new(codes::E0210, name.span, message);
        self.report.add(match nearest(&name.text, known.iter().copied()) {
            Some(near) => diagnostic.hint(format!("did you mean `{near}`?")).suggest(name.span, near),
            None => diagnostic.hint(format!("it has {}", listed(known.into_iter()))),
        });
    }

    /// A field that is a tensor becomes a parameter; others stay what they are.
    pub(crate) fn materialise(&mut self, frame: &mut Frame, value: Value, span: Span) -> Value {
        let Value::Instance(Instance { shape: FieldShape::Tensor { element, shape }, cover, path, name }) = value
        else {
            return value;
        };
        let party = cover.map_or(Party::Public, |cover| cover.party);
        let declared = cover.map_or(span, |cover| cover.span);
        let ty = tensor_type(element, shape, party);
        // A field of another type with the same path is found when all paths are known.
        let known = frame.parameters.get(&path).filter(|slot| frame.steps[slot.0].ty == ty);
        let slot = match known {
            Some(slot) => *slot,
            None => {
                let kind = StepKind::Parameter { path: path.clone() };
                let slot = frame.push_settled(kind, ty.clone(), name.clone(), span);
                frame.parameters.insert(path, slot);
                slot
            }
        };
        let last = name.rsplit('.').find(|part| part.parse::<usize>().is_err()).unwrap_or(&name);
        let why = Why::new(declared, format!("`{last}` is declared {} here", written(party)), vec![]);
        Value::Tensor(Tensor { slot, ty, why })
    }

    /// The field `name` of a module that stands at `path`. None: there is no such field; the inner none: its type is
    /// wrong, which has been reported.
    pub(crate) fn field(&mut self, owner: &Owner, path: &str, below: &str, name: &str) -> Option<Option<Instance>> {
        let program = self.program;
        let (at, field) = program.fields(owner.item).iter().enumerate().find(|(_, field)| field.name.text == name)?;
        let key = (owner.item, bits(&owner.numbers), at);
        let shape = match self.field_shapes.get(&key) {
            Some(shape) => shape.clone(),
            None => {
                let shape = self.field_type(owner, &field.ty);
                self.field_shapes.insert(key, shape.clone());
                shape
            }
        };
        let Some(shape) = shape else { return Some(None) };
        let cover = match field.visibility {
            Some(declared) => Some(Cover { party: declared.party, span: field.name.span.to(declared.span) }),
            None => owner.cover,
        };
        let own_path = match &field.at {
            Some(at) => at.value.clone(),
            None => format!("{name}{}", ".{}".repeat(dimensions(field))),
        };
        let instance = Instance { shape, cover, path: join(path, &own_path), name: join(below, name) };
        self.note(field.name.span, &Value::Instance(instance.clone()));
        Some(Some(instance))
    }

    fn field_type(&mut self, owner: &Owner, ty: &'p FieldType) -> Option<FieldShape> {
        let numbers = self.owner_numbers(owner);
        let mut frame = Frame::new(owner.item.unit, None, numbers);
        match ty {
            FieldType::Tensor(ty) => {
                let sizes: Vec<Option<usize>> = ty.sizes.iter().map(|size| self.size(&mut frame, size)).collect();
                let shape = sizes.into_iter().collect::<Option<Vec<usize>>>()?;
                // The operators' limit, so that the product of sizes cannot overflow.
                if let Err(message) = (Operator::Reshape { shape: shape.clone() }).shape(&[&shape]) {
                    self.report.add(Diagnostic::new(codes::E0301, ty.span, message));
                    return None;
                }
                Some(FieldShape::Tensor { element: ty.element, shape })
            }
            FieldType::Module { name, arguments } => {
                let Some(Entity::Module(item)) = self.program.resolve(owner.item.unit, &name.text) else { return None };
                let numbers: Vec<Option<f64>> =
                    arguments.iter().map(|number| self.module_number(&mut frame, number)).collect();
                let mut numbers = numbers.into_iter().collect::<Option<Vec<f64>>>()?;
                self.defaults(item, &mut numbers)?;
                Some(FieldShape::Module { item, numbers })
            }
            FieldType::Array { element, length } => {
                let element = self.field_type(owner, element);
                let length = self.size(&mut frame, length);
                Some(FieldShape::Array { element: Rc::new(element?), length: length? })
            }
            FieldType::Error(_) => None,
        }
    }

    /// What a module is given: a number, from which divisions must come out even, since most are sizes.
    fn module_number(&mut self, frame: &mut Frame, expr: &'p Expr) -> Option<f64> {
        frame.exact += 1;
        let number = self.number(frame, expr, "a number of a module");
        frame.exact -= 1;
        number
    }

    /// The numbers that are not given, each in sight of those before it. None: there are too few or too many, which has
    /// been reported with the names.
    fn defaults(&mut self, item: ItemId, numbers: &mut Vec<f64>) -> Option<()> {
        let generics = self.program.generics(item);
        for generic in generics.get(numbers.len()..)? {
            let default = generic.default.as_ref()?;
            let before = Owner { item, numbers: numbers.clone(), cover: None };
            let mut frame = Frame::new(item.unit, None, self.owner_numbers(&before));
            numbers.push(self.module_number(&mut frame, default)?);
        }
        Some(())
    }

    /// The numbers of a module by the names it gives them.
    pub(crate) fn owner_numbers(&self, owner: &Owner) -> BTreeMap<String, f64> {
        let names = self.program.generics(owner.item).iter().map(|generic| generic.name.text.clone());
        names.zip(owner.numbers.iter().copied()).collect()
    }
}

/// Numbers as keys.
pub(crate) fn bits(numbers: &[f64]) -> Vec<u64> {
    numbers.iter().map(|number| number.to_bits()).collect()
}

/// Arrays around a field's type.
pub(crate) fn dimensions(field: &Field) -> usize {
    let mut ty = &field.ty;
    let mut count = 0;
    while let FieldType::Array { element, .. } = ty {
        count += 1;
        ty = element;
    }
    count
}

/// Parts of a path, with a dot between them unless one is empty.
pub fn join(above: &str, below: &str) -> String {
    match (above.is_empty(), below.is_empty()) {
        (true, _) => below.to_string(),
        (_, true) => above.to_string(),
        _ => format!("{above}.{below}"),
    }
}
