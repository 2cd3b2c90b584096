//! A whole program: its sizes, the entries of its model, and whatever they do not reach.

use std::collections::{BTreeMap, HashMap, HashSet};

use ptc_syntax::codes;
use ptc_syntax::diagnostic::Diagnostic;
use ptc_syntax::span::Span;
use ptc_syntax::suggest::nearest;
use ptc_syntax::tree::{Element, Function, Item, Model, Party, SizeKind};

use crate::attributes;
use crate::checked::{Argument, Body, Checked, Entry, Slot};
use crate::declarations;
use crate::expression::tensor_type;
use crate::instantiate::{Given, Key, Outcome};
use crate::load::listed;
use crate::program::{FunctionId, ItemId, Member, Program, UnitId};
use crate::report::Report;
use crate::scope::{Frame, Owner};
use crate::seen::Seen;
use crate::sizes::SizeState;
use crate::value::{FieldShape, Operand, Tensor};
use crate::visibility::{Why, written};

/// Loop iterations and steps of one function, so that no source keeps the compiler busy for long.
const MAX_WORK: usize = 1 << 18;

/// Checks every function with the sizes it is used with. `dims` override the defaults of the source.
pub fn check(program: &Program, dims: &BTreeMap<String, u64>) -> Result<Checked, Vec<Diagnostic>> {
    run(program, dims, None).0
}

/// As [`check`], with what every expression turned out to be, as far as that is known.
pub fn observe(program: &Program, dims: &BTreeMap<String, u64>) -> (Result<Checked, Vec<Diagnostic>>, Seen) {
    let (checked, seen) = run(program, dims, Some(Seen::default()));
    (checked, seen.unwrap_or_default())
}

fn run(
    program: &Program,
    dims: &BTreeMap<String, u64>,
    seen: Option<Seen>,
) -> (Result<Checked, Vec<Diagnostic>>, Option<Seen>) {
    let mut checker = Checker {
        program,
        dims,
        report: Report::starting_with(&program.problems),
        sizes: HashMap::new(),
        field_shapes: HashMap::new(),
        memo: HashMap::new(),
        bodies: vec![],
        reached: HashSet::new(),
        depth: 0,
        reported_depth: false,
        work: 0,
        cells: 0,
        seen,
    };
    declarations::check(program, &mut checker.report);
    checker.check_dims();
    let model = checker.model();
    let mut entries = vec![];
    if let Some((id, model)) = model {
        for (at, entry) in model.entries.iter().enumerate() {
            let function = FunctionId { item: id, member: Member::Entry(at) };
            entries.extend(checker.entry(function, entry));
        }
    }
    checker.unused();
    let dims = program.dims().map(|size| (size.name.text.clone(), checker.dim_value(&size.name.text))).collect();
    let Checker { report, bodies, seen, .. } = checker;
    let diagnostics = report.finish();
    if !diagnostics.is_empty() {
        return (Err(diagnostics), seen);
    }
    let place = model.map_or(Span::new(program.units[program.root.0].file, 0, 0), |(_, model)| model.name.span);
    let model = model.map(|(_, model)| model.name.text.clone()).unwrap_or_default();
    (Ok(Checked { model, place, dims, entries, bodies }), seen)
}

pub(crate) struct Checker<'p> {
    pub program: &'p Program,
    pub dims: &'p BTreeMap<String, u64>,
    pub report: Report,
    pub sizes: HashMap<ItemId, SizeState>,
    /// Types of fields by module, the bits of its numbers, and the field's place.
    pub field_shapes: HashMap<(ItemId, Vec<u64>, usize), Option<FieldShape>>,
    pub memo: HashMap<Key, Outcome>,
    pub bodies: Vec<Body>,
    pub reached: HashSet<FunctionId>,
    /// Expressions and calls on the way to the one being checked.
    pub depth: usize,
    pub reported_depth: bool,
    work: usize,
    /// Elements of tables found so far.
    pub cells: usize,
    /// Where somebody asks what expressions are.
    pub seen: Option<Seen>,
}

impl<'p> Checker<'p> {
    /// Counts a piece of work; false when there has been too much.
    pub(crate) fn spend(&mut self, span: Span) -> bool {
        self.work += 1;
        if self.work > MAX_WORK {
            let message = format!("checking this takes more than {MAX_WORK} operators and loop iterations");
            self.report.add(Diagnostic::new(codes::E0308, span, message));
        }
        self.work <= MAX_WORK
    }

    fn check_dims(&mut self) {
        let root = self.program.root;
        let place = self.program.units[root.0].tree.items.iter().find_map(|item| match item {
            Item::Model(model) => Some(model.name.span),
            Item::Size(size) => Some(size.name.span),
            _ => None,
        });
        for name in self.dims.keys() {
            let known = || self.program.dims().map(|size| size.name.text.as_str());
            if known().any(|dim| dim == name) {
                continue;
            }
            let constant =
                self.size_items().into_iter().find_map(|(_, size)| (size.name.text == *name).then_some(size));
            let message = format!("there is no `dim {name}` to set");
            let span = constant.map(|size| size.span).or(place).unwrap_or_default();
            let diagnostic = Diagnostic::new(codes::E0211, span, message);
            self.report.add(match (constant, nearest(name, known())) {
                (Some(_), _) => diagnostic.hint(format!("`{name}` is a `const`; declared as `dim` it can be set")),
                (None, Some(near)) => diagnostic.hint(format!("did you mean `--dim {near}=...`?")),
                (None, None) => diagnostic.hint(format!("the model's dims: {}", listed(known()))),
            });
        }
        for (id, size) in self.size_items() {
            self.size_item(id, size.name.span);
        }
    }

    fn size_items(&self) -> Vec<(ItemId, &'p ptc_syntax::tree::Size)> {
        let mut found = vec![];
        for (unit, of) in self.program.units.iter().enumerate() {
            for (item, size) in of.tree.items.iter().enumerate() {
                if let Item::Size(size) = size {
                    found.push((ItemId { unit: UnitId(unit), item }, size));
                }
            }
        }
        found
    }

    fn dim_value(&mut self, name: &str) -> u64 {
        let sizes = self.size_items();
        let found = sizes.into_iter().find(|(id, size)| {
            size.kind == SizeKind::Dim && size.name.text == name && !self.program.units[id.unit.0].library
        });
        found.and_then(|(id, size)| self.size_item(id, size.name.span)).map_or(0, |value| value as u64)
    }

    /// The one model of the root file, if it has one.
    fn model(&mut self) -> Option<(ItemId, &'p Model)> {
        let root = self.program.root;
        let items = self.program.units[root.0].tree.items.iter().enumerate();
        let mut models = items.filter_map(|(item, tree)| match tree {
            Item::Model(model) => Some((ItemId { unit: root, item }, model)),
            _ => None,
        });
        let first = models.next()?;
        for (_, second) in models {
            let message = "a file has one model";
            let diagnostic = Diagnostic::new(codes::E0212, second.name.span, message);
            self.report.add(diagnostic.label(first.1.name.span, "the first stands here"));
        }
        Some(first)
    }

    fn entry(&mut self, id: FunctionId, entry: &'p Function) -> Option<Entry> {
        let mut given = vec![];
        let mut arguments = vec![];
        for (at, parameter) in entry.parameters.iter().enumerate() {
            let mut frame = Frame::new(id.item.unit, None, BTreeMap::new());
            let declared = self.declared_sizes(&mut frame, &parameter.ty)?;
            // What is wrong with these has been reported with the names.
            let visibility = parameter.visibility.filter(|declared| declared.party != Party::Secret)?;
            if parameter.ty.any_leading || parameter.ty.element == Element::Int {
                return None;
            }
            let operator = ptc_plan::operator::Operator::Reshape { shape: declared.sizes.clone() };
            if let Err(message) = operator.shape(&[&declared.sizes]) {
                self.report.add(Diagnostic::new(codes::E0301, parameter.ty.span, message));
                return None;
            }
            let ty = tensor_type(parameter.ty.element, declared.sizes, visibility.party);
            let text = format!("`{}` is declared {} here", parameter.name.text, written(visibility.party));
            let why = Why::new(parameter.name.span.to(visibility.span), text, vec![]);
            let tensor = Tensor { slot: Slot(at), ty: ty.clone(), why };
            given.push(Given::Tensor(Operand { tensor, span: parameter.name.span.to(visibility.span) }));
            arguments.push(Argument {
                name: parameter.name.text.clone(),
                ty,
                bound: attributes::bound(entry, &parameter.name.text),
                span: parameter.span,
            });
        }
        let receiver = entry.result.as_ref()?.visibility?;
        let owner = Owner { item: id.item, numbers: vec![], cover: None };
        match self.instantiate(id, Some(owner), &given, entry.name.span) {
            Outcome::Tensor(body, _) => Some(Entry {
                name: entry.name.text.clone(),
                span: entry.name.span,
                arguments,
                body,
                receiver: receiver.party,
                receiver_span: receiver.span,
            }),
            Outcome::Number(_) => {
                let message = format!("`{}` gives a number that is known at compile time", entry.name.text);
                self.report.add(Diagnostic::new(codes::E0310, entry.name.span, message));
                None
            }
            Outcome::Failed | Outcome::Running => None,
        }
    }

    /// Functions that no entry reaches are checked where their sizes are known.
    fn unused(&mut self) {
        for (unit, of) in self.program.units.iter().enumerate() {
            if of.library {
                continue;
            }
            for (item, tree) in of.tree.items.iter().enumerate() {
                let id = ItemId { unit: UnitId(unit), item };
                match tree {
                    Item::Function(function) => {
                        self.unused_function(FunctionId { item: id, member: Member::Itself }, function)
                    }
                    Item::Module(module) if module.generics.is_empty() => self.unused_methods(id),
                    Item::Model(_) => self.unused_methods(id),
                    _ => {}
                }
            }
        }
    }

    fn unused_methods(&mut self, id: ItemId) {
        for (at, function) in self.program.functions(id).iter().enumerate() {
            self.unused_function(FunctionId { item: id, member: Member::Function(at) }, function);
        }
    }

    fn unused_function(&mut self, id: FunctionId, function: &'p Function) {
        let concrete = function.generics.is_empty()
            && function
                .parameters
                .iter()
                .all(|parameter| !parameter.ty.any_leading && parameter.ty.element != Element::Int);
        if concrete && !self.reached.contains(&id) {
            self.instantiate_unused(id);
        }
    }
}
