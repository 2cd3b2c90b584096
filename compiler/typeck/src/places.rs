//! Where every name of a program is declared: for editors, which go there.
//!
//! It follows scopes as the check of names does, and never complains: a name that means nothing is left out.

use std::collections::BTreeMap;

use ptc_syntax::span::{FileId, Span};
use ptc_syntax::tree::{
    Argument, Block, Expr, ExprKind, Field, FieldType, Function, Item, Name, SizeKind, Statement, Subscript, TensorType,
};

use crate::program::{Entity, FunctionId, ItemId, Program, UnitId};
use crate::{intrinsics, stdlib};

/// A name in the source, and what it stands for. A declaration stands for itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    pub span: Span,
    pub target: Target,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    Declared(Declaration),
    /// The name of a file in a `use`.
    File(FileId),
    /// An operator of the language: no file declares it. With its parameters.
    Core(&'static str, &'static [&'static str]),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Declaration {
    pub kind: Kind,
    pub name: Name,
    /// The part of the source that says what it is, without a body.
    pub header: Span,
    pub docs: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Dim,
    Const,
    Module,
    Model,
    Field,
    Function,
    Entry,
    /// A parameter of a function.
    Parameter,
    /// A size that a module or a function is given.
    Generic,
    Local,
}

/// Every name of every file whose declaration is known.
pub fn places(program: &Program) -> Vec<Place> {
    let mut places = vec![];
    for (unit, of) in program.units.iter().enumerate() {
        for (item, tree) in of.tree.items.iter().enumerate() {
            let id = ItemId { unit: UnitId(unit), item };
            Walk { program, item: id, scopes: vec![], places: &mut places }.item(tree);
        }
    }
    places
}

/// The files of a program, the root's own first. True of those that come with the compiler.
pub fn files(program: &Program) -> impl Iterator<Item = (FileId, bool)> {
    let root = program.units.get(program.root.0).into_iter();
    let others = program.units.iter().enumerate().filter(|(at, _)| *at != program.root.0).map(|(_, unit)| unit);
    root.chain(others).map(|unit| (unit.file, unit.library))
}

/// The tree of a file.
pub fn tree(program: &Program, file: FileId) -> Option<&ptc_syntax::tree::File> {
    program.units.iter().find(|unit| unit.file == file).map(|unit| &unit.tree)
}

/// Names that stand for something at the top of a file, with the prelude's and the core operators.
pub fn visible(program: &Program, file: FileId) -> Vec<(String, Target)> {
    let Some(unit) = program.units.iter().position(|unit| unit.file == file).map(UnitId) else { return vec![] };
    let mut found: BTreeMap<String, Target> = BTreeMap::new();
    for name in program.visible_names(unit) {
        if !found.contains_key(name)
            && let Some(target) = program.resolve(unit, name).and_then(|entity| entity_target(program, entity, None))
        {
            found.insert(name.to_string(), target);
        }
    }
    found.into_iter().collect()
}

struct Walk<'p, 'o> {
    program: &'p Program,
    /// Its fields, functions and generics are in scope.
    item: ItemId,
    scopes: Vec<BTreeMap<String, (Declaration, Option<ItemId>)>>,
    places: &'o mut Vec<Place>,
}

impl<'p> Walk<'p, '_> {
    fn item(&mut self, item: &'p Item) {
        match item {
            Item::Use(import) => {
                let Some(unit) = self.file_named(&import.module) else { return };
                if let Some(unit) = unit {
                    let file = self.program.units[unit.0].file;
                    self.places.push(Place { span: import.module.span, target: Target::File(file) });
                }
                for name in &import.names {
                    let entity = self.program.units[self.item.unit.0].scope.get(&name.text).cloned();
                    self.found(name.span, entity.and_then(|entity| entity_target(self.program, entity, None)));
                }
            }
            Item::Size(size) => {
                self.declare_itself(entity_target(self.program, Entity::Size(self.item), None));
                self.expression(&size.value);
            }
            Item::Function(function) => self.function(function, Kind::Function),
            Item::Module(module) => {
                self.declare_itself(entity_target(self.program, Entity::Module(self.item), None));
                self.enter();
                for generic in &module.generics {
                    generic.default.iter().for_each(|value| self.expression(value));
                    self.declare(&generic.name, Kind::Generic, generic.name.span, &[], None);
                }
                module.fields.iter().for_each(|field| self.field(field));
                module.functions.iter().for_each(|function| self.function(function, Kind::Function));
                self.leave();
            }
            Item::Model(model) => {
                let header = Span { end: model.name.span.end, ..model.span };
                let declared =
                    Declaration { kind: Kind::Model, name: model.name.clone(), header, docs: model.docs.clone() };
                self.declare_itself(Some(Target::Declared(declared)));
                model.fields.iter().for_each(|field| self.field(field));
                model.functions.iter().for_each(|function| self.function(function, Kind::Function));
                model.entries.iter().for_each(|function| self.function(function, Kind::Entry));
            }
            Item::Error(_) => {}
        }
    }

    /// The unit that a `use` names; the inner none is the core, which has no file.
    fn file_named(&self, module: &Name) -> Option<Option<UnitId>> {
        if module.text == stdlib::CORE {
            return Some(None);
        }
        self.program.unit_named(&module.text).map(Some)
    }

    fn declare_itself(&mut self, target: Option<Target>) {
        if let Some(Target::Declared(declared)) = &target {
            self.found(declared.name.span, target.clone());
        }
    }

    fn found(&mut self, span: Span, target: Option<Target>) {
        if let Some(target) = target {
            self.places.push(Place { span, target });
        }
    }

    fn enter(&mut self) {
        self.scopes.push(BTreeMap::new());
    }

    fn leave(&mut self) {
        self.scopes.pop();
    }

    fn declare(&mut self, name: &Name, kind: Kind, header: Span, docs: &[String], module: Option<ItemId>) {
        let declared = Declaration { kind, name: name.clone(), header, docs: docs.to_vec() };
        self.found(name.span, Some(Target::Declared(declared.clone())));
        if let Some(scope) = self.scopes.last_mut() {
            scope.insert(name.text.clone(), (declared, module));
        }
    }

    fn field(&mut self, field: &'p Field) {
        self.found(field.name.span, Some(field_target(field)));
        self.field_type(&field.ty);
    }

    fn field_type(&mut self, ty: &'p FieldType) {
        match ty {
            FieldType::Tensor(ty) => self.tensor_type(ty),
            FieldType::Module { name, arguments } => {
                self.name(&name.text, name.span, None);
                arguments.iter().for_each(|size| self.expression(size));
            }
            FieldType::Array { element, length } => {
                self.field_type(element);
                self.expression(length);
            }
            FieldType::Error(_) => {}
        }
    }

    fn tensor_type(&mut self, ty: &'p TensorType) {
        ty.sizes.iter().for_each(|size| self.expression(size));
        if let Some((bits, frac)) = &ty.fixed {
            self.expression(bits);
            self.expression(frac);
        }
    }

    fn function(&mut self, function: &'p Function, kind: Kind) {
        self.declare_itself(Some(function_target(function, kind)));
        self.enter();
        for generic in &function.generics {
            self.declare(generic, Kind::Generic, generic.span, &[], None);
        }
        for parameter in &function.parameters {
            self.tensor_type(&parameter.ty);
            self.declare(&parameter.name, Kind::Parameter, parameter.span, &[], None);
        }
        if let Some(result) = &function.result {
            self.tensor_type(&result.ty);
        }
        self.block(&function.body);
        self.leave();
    }

    fn block(&mut self, block: &'p Block) {
        self.enter();
        for statement in &block.statements {
            match statement {
                Statement::Let { name, ty, value, .. } => {
                    self.expression(value);
                    if let Some(ty) = ty {
                        self.tensor_type(ty);
                    }
                    let module = self.module_of(value);
                    self.declare(name, Kind::Local, name.span, &[], module);
                }
                Statement::Assign { name, value, .. } => {
                    self.expression(value);
                    self.name(&name.text, name.span, None);
                }
                Statement::For { variable, over, body, .. } => {
                    self.expression(over);
                    let module = self.module_of(over);
                    self.enter();
                    self.declare(variable, Kind::Local, variable.span, &[], module);
                    self.block(body);
                    self.leave();
                }
                Statement::Error(_) => {}
            }
        }
        if let Some(value) = &block.value {
            self.expression(value);
        }
        self.leave();
    }

    fn expression(&mut self, expr: &'p Expr) {
        match &expr.kind {
            ExprKind::Name(name) => self.name(name, expr.span, None),
            ExprKind::Field(of, name) => {
                self.expression(of);
                self.member(of, name, None);
            }
            ExprKind::Call { callee, arguments } => self.call(callee, arguments),
            ExprKind::Index(of, subscripts) => {
                self.expression(of);
                for subscript in subscripts {
                    match subscript {
                        Subscript::All(_) => {}
                        Subscript::Range { start, end, .. } => {
                            start.iter().chain(end).for_each(|bound| self.expression(bound));
                        }
                        Subscript::At(at) => self.expression(at),
                    }
                }
            }
            ExprKind::Unary(_, operand) | ExprKind::Paren(operand) => self.expression(operand),
            ExprKind::Binary(_, left, right) | ExprKind::Range(left, right) => {
                self.expression(left);
                self.expression(right);
            }
            ExprKind::List(elements) => elements.iter().for_each(|element| self.expression(element)),
            ExprKind::Table { element, ranges } => {
                for range in ranges {
                    self.expression(&range.from);
                    self.expression(&range.to);
                }
                self.enter();
                for range in ranges {
                    self.declare(&range.variable, Kind::Local, range.variable.span, &[], None);
                }
                self.expression(element);
                self.leave();
            }
            ExprKind::If { condition, then, otherwise } => {
                self.expression(condition);
                self.block(then);
                if let Some(otherwise) = otherwise {
                    self.block(otherwise);
                }
            }
            ExprKind::Block(block) => self.block(block),
            ExprKind::Number(_) | ExprKind::Text(_) | ExprKind::Error => {}
        }
    }

    fn call(&mut self, callee: &'p Expr, arguments: &'p [Argument]) {
        let count = Some(arguments.len());
        match &callee.kind {
            ExprKind::Name(name) => self.name(name, callee.span, count),
            ExprKind::Field(of, name) => {
                self.expression(of);
                self.member(of, name, count);
            }
            _ => self.expression(callee),
        }
        // The parties that a `reveal` names are no values; nothing is found for them.
        arguments.iter().for_each(|argument| self.expression(&argument.value));
    }

    /// A name as an expression sees it: local, of the module, of the file. `arguments` tells functions of one name apart.
    fn name(&mut self, name: &str, span: Span, arguments: Option<usize>) {
        let target = self.local(name).map(|(declared, _)| Target::Declared(declared.clone()));
        let target = target.or_else(|| self.member_target(self.item, name, arguments)).or_else(|| {
            let entity = self.program.resolve(self.item.unit, name)?;
            entity_target(self.program, entity, arguments)
        });
        self.found(span, target);
    }

    fn local(&self, name: &str) -> Option<&(Declaration, Option<ItemId>)> {
        self.scopes.iter().rev().find_map(|scope| scope.get(name))
    }

    fn member(&mut self, of: &'p Expr, name: &Name, arguments: Option<usize>) {
        let target = self.module_of(of).and_then(|item| self.member_target(item, &name.text, arguments));
        self.found(name.span, target);
    }

    fn member_target(&self, item: ItemId, name: &str, arguments: Option<usize>) -> Option<Target> {
        if let Some(field) = self.program.fields(item).iter().find(|field| field.name.text == name) {
            return Some(field_target(field));
        }
        let named = self.program.methods(item, name);
        chosen(self.program, &named, arguments)
    }

    /// The module that an expression stands for; of an array, that of its elements.
    fn module_of(&self, expr: &Expr) -> Option<ItemId> {
        match &expr.kind {
            ExprKind::Paren(inner) => self.module_of(inner),
            ExprKind::Index(of, _) => self.module_of(of),
            ExprKind::Name(name) => match self.local(name) {
                Some((_, module)) => *module,
                None => field_module(self.program, self.item, name),
            },
            ExprKind::Field(of, name) => field_module(self.program, self.module_of(of)?, &name.text),
            _ => None,
        }
    }
}

fn field_target(field: &Field) -> Target {
    let declared =
        Declaration { kind: Kind::Field, name: field.name.clone(), header: field.span, docs: field.docs.clone() };
    Target::Declared(declared)
}

fn function_target(function: &Function, kind: Kind) -> Target {
    let header = Span { end: function.body.span.start, ..function.span };
    Target::Declared(Declaration { kind, name: function.name.clone(), header, docs: function.docs.clone() })
}

fn entity_target(program: &Program, entity: Entity, arguments: Option<usize>) -> Option<Target> {
    Some(match entity {
        Entity::Intrinsic(intrinsic) => Target::Core(intrinsic.name, intrinsics::parameters(intrinsic)),
        Entity::Functions(candidates) => chosen(program, &candidates, arguments)?,
        Entity::Model => return None,
        Entity::Size(id) => match program.item(id) {
            Item::Size(size) => {
                let kind = if size.kind == SizeKind::Dim { Kind::Dim } else { Kind::Const };
                Target::Declared(Declaration {
                    kind,
                    name: size.name.clone(),
                    header: size.span,
                    docs: size.docs.clone(),
                })
            }
            _ => return None,
        },
        Entity::Module(id) => match program.item(id) {
            Item::Module(module) => {
                let end = module.generics.last().map_or(module.name.span.end, |generic| {
                    generic.default.as_ref().map_or(generic.name.span.end, |value| value.span.end)
                });
                let header = Span { end, ..module.span };
                let (name, docs) = (module.name.clone(), module.docs.clone());
                Target::Declared(Declaration { kind: Kind::Module, name, header, docs })
            }
            _ => return None,
        },
    })
}

/// Of functions with one name, the one with as many parameters as there are arguments, or else the first.
fn chosen(program: &Program, candidates: &[FunctionId], arguments: Option<usize>) -> Option<Target> {
    let fits = |id: &&FunctionId| Some(program.function(**id).parameters.len()) == arguments;
    let id = candidates.iter().find(fits).or_else(|| candidates.first())?;
    Some(function_target(program.function(*id), Kind::Function))
}

/// The fields that a value's name leads through from the model on: `blocks.0.attend.scores` through `blocks` and `attend`.
pub fn fields_along(program: &Program, name: &str) -> Vec<Span> {
    let Some(root) = program.units.get(program.root.0) else { return vec![] };
    let model = root.tree.items.iter().position(|item| matches!(item, Item::Model(_)));
    let mut item = model.map(|item| ItemId { unit: program.root, item });
    let mut found = vec![];
    for part in name.split('.').filter(|part| part.parse::<usize>().is_err()) {
        let Some(within) = item else { break };
        let Some(field) = program.fields(within).iter().find(|field| field.name.text == part) else { break };
        found.push(field.name.span);
        item = field_module(program, within, part);
    }
    found
}

/// The module that a field is, or that the elements of its array are.
fn field_module(program: &Program, item: ItemId, name: &str) -> Option<ItemId> {
    let field = program.fields(item).iter().find(|field| field.name.text == name)?;
    let mut ty = &field.ty;
    while let FieldType::Array { element, .. } = ty {
        ty = element;
    }
    let FieldType::Module { name, .. } = ty else { return None };
    match program.resolve(item.unit, &name.text) {
        Some(Entity::Module(module)) => Some(module),
        _ => None,
    }
}
