//! What can be said of every declaration before any size is known: nothing is declared twice, owners and receivers are
//! declared, no module contains itself.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use ptc_syntax::codes;
use ptc_syntax::diagnostic::Diagnostic;
use ptc_syntax::span::Span;
use ptc_syntax::tree::{Element, Field, FieldType, Function, Generic, Item, Name, Party};

use crate::names::Names;
use crate::program::{Entity, ItemId, Program, UnitId};
use crate::report::Report;

pub(crate) fn check(program: &Program, report: &mut Report) {
    for (unit, of) in program.units.iter().enumerate() {
        // Two functions of a file may share a name, not the number of parameters.
        let functions = of.tree.items.iter().filter_map(|item| match item {
            Item::Function(function) => Some(function),
            _ => None,
        });
        twice(functions.map(|function| (&function.name, function.parameters.len())), report);
        for (item, tree) in of.tree.items.iter().enumerate() {
            let id = ItemId { unit: UnitId(unit), item };
            match tree {
                Item::Size(size) => Names::new(program, report, id).expression(&size.value),
                Item::Function(function) => Names::new(program, report, id).function(function),
                Item::Module(module) => {
                    distinct(module.generics.iter().map(|generic| &generic.name), report);
                    defaults_stand_last(&module.generics, report);
                    members(program, id, &module.functions, &[], report);
                    let mut names = Names::new(program, report, id);
                    module
                        .generics
                        .iter()
                        .flat_map(|generic| &generic.default)
                        .for_each(|value| names.expression(value));
                    module.fields.iter().for_each(|field| names.field(field));
                    module.functions.iter().for_each(|function| names.function(function));
                }
                Item::Model(model) => {
                    members(program, id, &model.functions, &model.entries, report);
                    model.fields.iter().for_each(|field| unowned(field, report));
                    let mut names = Names::new(program, report, id);
                    model.fields.iter().for_each(|field| names.field(field));
                    model.functions.iter().for_each(|function| names.function(function));
                    model.entries.iter().for_each(|function| names.function(function));
                    model.entries.iter().for_each(|function| entry(function, report));
                }
                Item::Use(_) | Item::Error(_) => {}
            }
        }
    }
    endless_modules(program, report);
}

pub(crate) fn distinct<'a>(names: impl Iterator<Item = &'a Name>, report: &mut Report) {
    twice(names.map(|name| (name, ())), report);
}

fn twice<'a, K: Ord>(names: impl Iterator<Item = (&'a Name, K)>, report: &mut Report) {
    let mut seen: BTreeMap<(&str, K), Span> = BTreeMap::new();
    for (name, key) in names {
        if name.text.is_empty() {
            continue;
        }
        match seen.entry((&name.text, key)) {
            Entry::Vacant(free) => drop(free.insert(name.span)),
            Entry::Occupied(before) => {
                let message = format!("`{}` is declared twice", name.text);
                report.add(
                    Diagnostic::new(codes::E0205, name.span, message).label(*before.get(), "declared here before"),
                );
            }
        }
    }
}

/// What is left out is left out from the end.
fn defaults_stand_last(generics: &[Generic], report: &mut Report) {
    let after_default = generics.iter().skip_while(|generic| generic.default.is_none());
    for generic in after_default.filter(|generic| generic.default.is_none()) {
        let message = format!("`{}` stands after one with a default, but has none", generic.name.text);
        let hint = "those that must be given stand first";
        report.add(Diagnostic::new(codes::E0309, generic.name.span, message).hint(hint));
    }
}

/// Fields and functions of one module or model.
fn members(program: &Program, id: ItemId, functions: &[Function], entries: &[Function], report: &mut Report) {
    distinct(program.fields(id).iter().map(|field| &field.name).chain(entries.iter().map(|entry| &entry.name)), report);
    twice(functions.iter().map(|function| (&function.name, function.parameters.len())), report);
    for function in functions {
        let fields = program.fields(id).iter().map(|field| &field.name);
        if let Some(taken) =
            fields.chain(entries.iter().map(|entry| &entry.name)).find(|name| name.text == function.name.text)
        {
            let message = format!("`{}` is declared twice", function.name.text);
            let diagnostic = Diagnostic::new(codes::E0205, function.name.span, message);
            report.add(diagnostic.label(taken.span, "declared here before"));
        }
    }
}

/// A model's field says who owns its parameters.
fn unowned(field: &Field, report: &mut Report) {
    if field.visibility.is_some() {
        return;
    }
    let message = format!("who owns `{}`?", field.name.text);
    let hint = "write `@server` for weights that stay private, `@public` for weights that both parties may see";
    report.add(Diagnostic::new(codes::E0401, field.span, message).hint(hint));
}

/// What only an entry must say.
fn entry(entry: &Function, report: &mut Report) {
    if let Some(generic) = entry.generics.first() {
        let message = "an entry has no sizes of its own";
        let hint = "declare a `dim`; `ptc build --dim` sets it";
        report.add(Diagnostic::new(codes::E0309, generic.span, message).hint(hint));
    }
    for parameter in &entry.parameters {
        match parameter.visibility {
            None => {
                let message = format!("who knows `{}`?", parameter.name.text);
                let hint = "write `@client` for the client's input, `@server` or `@public` otherwise";
                report.add(Diagnostic::new(codes::E0402, parameter.span, message).hint(hint));
            }
            Some(declared) if declared.party == Party::Secret => {
                let message = format!("`{}` must come from somebody", parameter.name.text);
                let hint = "write who brings it: `@client`, `@server` or `@public`";
                report.add(Diagnostic::new(codes::E0407, declared.span, message).hint(hint));
            }
            Some(_) => {}
        }
        if parameter.ty.any_leading {
            let message = "the sizes of an entry's arguments are all written out";
            report.add(Diagnostic::new(codes::E0309, parameter.ty.span, message).hint("declare a `dim` for each"));
        }
        if parameter.ty.element == Element::Int {
            let message = "an entry takes `real`, `token` or `bit` tensors";
            let hint = "a number known at compile time is a `dim`";
            report.add(Diagnostic::new(codes::E0304, parameter.ty.span, message).hint(hint));
        }
    }
    match entry.result.as_ref().map(|result| result.visibility) {
        Some(Some(declared)) if declared.party == Party::Secret => {
            let message = format!("nobody would learn the result of `{}`", entry.name.text);
            let hint = "write who learns it: `@client`, `@server` or `@public`";
            report.add(Diagnostic::new(codes::E0403, declared.span, message).hint(hint));
        }
        Some(Some(_)) => {}
        Some(None) | None => {
            let message = format!("who learns the result of `{}`?", entry.name.text);
            let span = entry.result.as_ref().map_or(entry.name.span, |result| result.ty.span);
            let hint = "write its type and who learns it: `-> real[D] @client`";
            report.add(Diagnostic::new(codes::E0403, span, message).hint(hint));
        }
    }
}

/// Modules contain each other without end.
fn endless_modules(program: &Program, report: &mut Report) {
    let mut done = BTreeSet::new();
    for (unit, of) in program.units.iter().enumerate() {
        for item in 0..of.tree.items.len() {
            descend(program, ItemId { unit: UnitId(unit), item }, &mut vec![], &mut done, report);
        }
    }
}

fn descend(program: &Program, id: ItemId, path: &mut Vec<ItemId>, done: &mut BTreeSet<ItemId>, report: &mut Report) {
    if done.contains(&id) {
        return;
    }
    path.push(id);
    for field in program.fields(id) {
        let mut ty = &field.ty;
        while let FieldType::Array { element, .. } = ty {
            ty = element;
        }
        let FieldType::Module { name, .. } = ty else { continue };
        let Some(Entity::Module(inner)) = program.resolve(id.unit, &name.text) else { continue };
        match path.iter().position(|outer| *outer == inner) {
            Some(at) => {
                let mut names: Vec<&str> = path[at..].iter().map(|id| program.name(*id)).collect();
                names.push(program.name(inner));
                let message = format!("modules contain each other without end: {}", names.join(" -> "));
                report.add(Diagnostic::new(codes::E0208, field.span, message));
            }
            None => descend(program, inner, path, done, report),
        }
    }
    path.pop();
    done.insert(id);
}
