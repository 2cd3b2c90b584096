//! The files of one model, with what each name at the top of a file means.

use std::collections::BTreeMap;

use ptc_syntax::diagnostic::Diagnostic;
use ptc_syntax::span::FileId;
use ptc_syntax::tree::{Field, File, Function, Generic, Item, Size};

use crate::intrinsics::Intrinsic;

/// Files by number; the prelude is the first.
#[derive(Debug, Default)]
pub struct Program {
    pub(crate) units: Vec<Unit>,
    pub(crate) root: UnitId,
    /// What the files are warned about.
    pub warnings: Vec<Diagnostic>,
    /// Errors that do not hinder the check, which reports them with its own.
    pub(crate) problems: Vec<Diagnostic>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct UnitId(pub usize);

#[derive(Debug)]
pub(crate) struct Unit {
    pub file: FileId,
    pub tree: File,
    /// Part of the library that comes with the compiler.
    pub library: bool,
    /// The name that others `use` it by; empty for the root.
    pub name: String,
    /// Declarations and imports of this file.
    pub scope: BTreeMap<String, Entity>,
}

/// What a name at the top of a file means.
#[derive(Clone, Debug)]
pub(crate) enum Entity {
    Size(ItemId),
    Module(ItemId),
    Model,
    /// One for each number of parameters.
    Functions(Vec<FunctionId>),
    Intrinsic(&'static Intrinsic),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ItemId {
    pub unit: UnitId,
    pub item: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct FunctionId {
    pub item: ItemId,
    pub member: Member,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Member {
    /// The item is the function.
    Itself,
    Function(usize),
    Entry(usize),
}

impl Program {
    /// The names and defaults of the model's `dim`s, as written, in order.
    pub fn dims(&self) -> impl Iterator<Item = &Size> {
        let files = self.units.iter().filter(|unit| !unit.library);
        files.flat_map(|unit| &unit.tree.items).filter_map(|item| match item {
            Item::Size(size) if size.kind == ptc_syntax::tree::SizeKind::Dim => Some(size),
            _ => None,
        })
    }

    /// The file that a `use` names.
    pub(crate) fn unit_named(&self, name: &str) -> Option<UnitId> {
        self.units.iter().position(|unit| unit.name == name).map(UnitId)
    }

    pub(crate) fn item(&self, id: ItemId) -> &Item {
        &self.units[id.unit.0].tree.items[id.item]
    }

    pub(crate) fn function(&self, id: FunctionId) -> &Function {
        match (self.item(id.item), id.member) {
            (Item::Function(function), Member::Itself) => function,
            (Item::Module(module), Member::Function(at)) => &module.functions[at],
            (Item::Model(model), Member::Function(at)) => &model.functions[at],
            (Item::Model(model), Member::Entry(at)) => &model.entries[at],
            _ => unreachable!("function ids are made from the tree"),
        }
    }

    /// The fields of a module or a model.
    pub(crate) fn fields(&self, id: ItemId) -> &[Field] {
        match self.item(id) {
            Item::Module(module) => &module.fields,
            Item::Model(model) => &model.fields,
            _ => &[],
        }
    }

    pub(crate) fn functions(&self, id: ItemId) -> &[Function] {
        match self.item(id) {
            Item::Module(module) => &module.functions,
            Item::Model(model) => &model.functions,
            _ => &[],
        }
    }

    /// The numbers that a user of the module gives.
    pub(crate) fn generics(&self, id: ItemId) -> &[Generic] {
        match self.item(id) {
            Item::Module(module) => &module.generics,
            _ => &[],
        }
    }

    pub(crate) fn name(&self, id: ItemId) -> &str {
        match self.item(id) {
            Item::Module(module) => &module.name.text,
            Item::Model(model) => &model.name.text,
            Item::Function(function) => &function.name.text,
            Item::Size(size) => &size.name.text,
            Item::Use(_) | Item::Error(_) => "",
        }
    }

    /// The functions of a module or a model that have this name.
    pub(crate) fn methods(&self, id: ItemId, name: &str) -> Vec<FunctionId> {
        let named = self.functions(id).iter().enumerate().filter(|(_, function)| function.name.text == name);
        named.map(|(at, _)| FunctionId { item: id, member: Member::Function(at) }).collect()
    }

    /// A name as a file sees it: its own, then the prelude's, then the core operators.
    pub(crate) fn resolve(&self, unit: UnitId, name: &str) -> Option<Entity> {
        let own = self.units[unit.0].scope.get(name);
        let found = own.or_else(|| self.units.first().and_then(|prelude| prelude.scope.get(name)));
        found.cloned().or_else(|| crate::intrinsics::find(name).map(Entity::Intrinsic))
    }

    /// Every name that [`Program::resolve`] knows.
    pub(crate) fn visible_names(&self, unit: UnitId) -> impl Iterator<Item = &str> {
        let own = self.units[unit.0].scope.keys();
        let prelude = self.units.first().into_iter().flat_map(|prelude| prelude.scope.keys());
        own.chain(prelude).map(|name| name.as_str()).chain(crate::intrinsics::names().map(|name: &str| name))
    }
}
