//! Whether every name means something, in functions that no entry uses too; and types as far as they need no sizes.

use std::collections::BTreeSet;

use ptc_syntax::codes;
use ptc_syntax::diagnostic::Diagnostic;
use ptc_syntax::parse::parse;
use ptc_syntax::span::{FileId, Span};
use ptc_syntax::suggest::nearest;
use ptc_syntax::tree::{
    Argument, Block, Element, Expr, ExprKind, Field, FieldType, Function, Item, Name, Party, Statement, Subscript,
    TensorType,
};

use crate::declarations::distinct;
use crate::fields::dimensions;
use crate::load::listed;
use crate::program::{Entity, ItemId, Program, UnitId};
use crate::report::Report;
use crate::stdlib;

pub(crate) struct Names<'p, 'r> {
    program: &'p Program,
    report: &'r mut Report,
    unit: UnitId,
    /// Its fields, functions and generics are in scope.
    item: ItemId,
    locals: Vec<BTreeSet<String>>,
}

impl<'p, 'r> Names<'p, 'r> {
    pub fn new(program: &'p Program, report: &'r mut Report, item: ItemId) -> Names<'p, 'r> {
        Names { program, report, unit: item.unit, item, locals: vec![] }
    }

    pub fn field(&mut self, field: &Field) {
        if let Some(declared) = field.visibility
            && declared.party == Party::Secret
        {
            let message = format!("`{}` must belong to somebody", field.name.text);
            let hint = "write `@server`, `@client` or `@public`: parameters come from a file that a party has";
            self.report.add(Diagnostic::new(codes::E0407, declared.span, message).hint(hint));
        }
        if let Some(at) = &field.at {
            let (wanted, found) = (dimensions(field), at.value.matches("{}").count());
            if wanted != found {
                let message = match wanted {
                    0 => "`{}` stands for the index of an array; this field is none".to_string(),
                    _ => format!("`{{}}` stands once for the index of each array: {wanted} expected, {found} found"),
                };
                let diagnostic = Diagnostic::new(codes::E0504, at.span, message);
                self.report.add(match wanted {
                    1 => diagnostic.hint("as in `at \"encoder.layer.{}\"`"),
                    _ => diagnostic,
                });
            }
        }
        self.field_type(&field.ty);
    }

    fn field_type(&mut self, ty: &FieldType) {
        match ty {
            FieldType::Tensor(ty) => {
                if ty.element != Element::Real {
                    let message = "a parameter is `real`: checkpoints hold reals";
                    self.report.add(Diagnostic::new(codes::E0304, ty.span, message));
                }
                if ty.any_leading {
                    let message = "the sizes of a parameter are all written out";
                    self.report.add(Diagnostic::new(codes::E0309, ty.span, message));
                }
                self.not_pinned(ty);
                self.tensor_type(ty);
            }
            FieldType::Module { name, arguments } => {
                arguments.iter().for_each(|size| self.expression(size));
                match self.program.resolve(self.unit, &name.text) {
                    Some(Entity::Module(id)) => {
                        let generics = self.program.generics(id);
                        let required = generics.iter().take_while(|generic| generic.default.is_none()).count();
                        if !(required..=generics.len()).contains(&arguments.len()) {
                            let names: Vec<&str> = generics.iter().map(|generic| generic.name.text.as_str()).collect();
                            let (most, found) = (generics.len(), arguments.len());
                            let plural = if most == 1 { "size" } else { "sizes" };
                            let wanted =
                                if required == most { most.to_string() } else { format!("{required} to {most}") };
                            let message = format!("`{}` takes {wanted} {plural}, {found} given", name.text);
                            let hint = match names.is_empty() {
                                true => format!("write `{}`", name.text),
                                false => format!("write `{}<{}>`", name.text, names.join(", ")),
                            };
                            self.report.add(Diagnostic::new(codes::E0206, name.span, message).hint(hint));
                        }
                    }
                    Some(_) => {
                        let message = format!("`{}` is not a module", name.text);
                        self.report.add(Diagnostic::new(codes::E0209, name.span, message));
                    }
                    None => self.unknown(&name.text, name.span, Wanted::Module),
                }
            }
            FieldType::Array { element, length } => {
                self.field_type(element);
                self.expression(length);
            }
            FieldType::Error(_) => {}
        }
    }

    fn not_pinned(&mut self, ty: &TensorType) {
        if let Some((bits, frac)) = &ty.fixed {
            let message = "`fixed<...>` belongs to the type of a `let` or of a function's result";
            self.report.add(Diagnostic::new(codes::E0311, bits.span.to(frac.span), message));
        }
    }

    fn tensor_type(&mut self, ty: &TensorType) {
        ty.sizes.iter().for_each(|size| self.expression(size));
        if let Some((bits, frac)) = &ty.fixed {
            self.expression(bits);
            self.expression(frac);
        }
        if ty.element == Element::Int && (ty.any_leading || !ty.sizes.is_empty()) {
            let message = "an `int` is one number known at compile time; it has no sizes";
            self.report.add(Diagnostic::new(codes::E0304, ty.span, message));
        }
    }

    pub fn function(&mut self, function: &Function) {
        distinct(
            function.generics.iter().chain(function.parameters.iter().map(|parameter| &parameter.name)),
            self.report,
        );
        let mut scope: BTreeSet<String> = function.generics.iter().map(|name| name.text.clone()).collect();
        scope.extend(function.parameters.iter().map(|parameter| parameter.name.text.clone()));
        self.locals.push(scope);
        for parameter in &function.parameters {
            self.not_pinned(&parameter.ty);
            self.tensor_type(&parameter.ty);
        }
        if let Some(result) = &function.result {
            self.tensor_type(&result.ty);
        }
        self.block(&function.body);
        self.locals.pop();
    }

    fn block(&mut self, block: &Block) {
        self.locals.push(BTreeSet::new());
        for statement in &block.statements {
            match statement {
                Statement::Let { name, ty, value, .. } => {
                    self.expression(value);
                    if let Some(ty) = ty {
                        self.tensor_type(ty);
                    }
                    self.declare(name);
                }
                Statement::Assign { name, value, .. } => {
                    self.expression(value);
                    if !self.is_local(&name.text) {
                        let message = format!("`{}` has no value yet to be replaced", name.text);
                        let diagnostic = Diagnostic::new(codes::E0213, name.span, message);
                        let span = Span { end: name.span.start, ..name.span };
                        self.report
                            .add(diagnostic.hint(format!("write `let {} = ...`", name.text)).suggest(span, "let "));
                        self.declare(name);
                    }
                }
                Statement::For { variable, over, body, .. } => {
                    match &over.kind {
                        ExprKind::Range(from, to) => {
                            self.expression(from);
                            self.expression(to);
                        }
                        _ => self.expression(over),
                    }
                    self.locals.push(BTreeSet::from([variable.text.clone()]));
                    self.block(body);
                    self.locals.pop();
                }
                Statement::Error(_) => {}
            }
        }
        if let Some(value) = &block.value {
            self.expression(value);
        }
        self.locals.pop();
    }

    fn declare(&mut self, name: &Name) {
        if let Some(scope) = self.locals.last_mut() {
            scope.insert(name.text.clone());
        }
    }

    fn is_local(&self, name: &str) -> bool {
        self.locals.iter().any(|scope| scope.contains(name))
    }

    pub fn expression(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Name(name) => self.name(name, expr.span, Wanted::Value),
            // What a value has is known when it is.
            ExprKind::Field(of, _) => self.expression(of),
            ExprKind::Call { callee, arguments } => {
                match &callee.kind {
                    ExprKind::Name(name) => self.name(name, callee.span, Wanted::Function),
                    _ => self.expression(callee),
                }
                let reveals = matches!(&callee.kind, ExprKind::Name(name) if name == "reveal");
                for (at, argument) in arguments.iter().enumerate() {
                    if !(reveals && names_a_party(argument, at)) {
                        self.expression(&argument.value);
                    }
                }
            }
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
                distinct(ranges.iter().map(|range| &range.variable), self.report);
                self.locals.push(ranges.iter().map(|range| range.variable.text.clone()).collect());
                self.expression(element);
                self.locals.pop();
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

    fn name(&mut self, name: &str, span: Span, wanted: Wanted) {
        let own = self.is_local(name) || self.member_names().any(|member| member == name);
        if !own && self.program.resolve(self.unit, name).is_none() {
            self.unknown(name, span, wanted);
        }
    }

    fn member_names(&self) -> impl Iterator<Item = &str> {
        let fields = self.program.fields(self.item).iter().map(|field| field.name.text.as_str());
        let functions = self.program.functions(self.item).iter().map(|function| function.name.text.as_str());
        let generics = self.program.generics(self.item).iter().map(|generic| generic.name.text.as_str());
        fields.chain(functions).chain(generics)
    }

    fn unknown(&mut self, name: &str, span: Span, wanted: Wanted) {
        let what = match wanted {
            Wanted::Value => "name",
            Wanted::Function => "function",
            Wanted::Module => "module",
        };
        let diagnostic = Diagnostic::new(codes::E0201, span, format!("unknown {what} `{name}`"));
        let locals = self.locals.iter().flatten().map(String::as_str);
        let known: Vec<&str> = locals.chain(self.member_names()).chain(self.program.visible_names(self.unit)).collect();
        let library = library();
        let far = library.iter().map(|(_, declared)| declared.as_str());
        let near = nearest(name, known.iter().copied().chain(far));
        let import = |wanted: &str| {
            let (file, name) = library.iter().find(|(_, declared)| declared == wanted)?;
            Some(format!("add `use {file}::{{{name}}};`"))
        };
        let diagnostic = match (import(name), near) {
            (Some(import), _) => diagnostic.hint(import),
            (None, Some(near)) => {
                let import = import(near).filter(|_| !known.contains(&near));
                let hint =
                    format!("did you mean `{near}`?{}", import.map(|add| format!(" then {add}")).unwrap_or_default());
                diagnostic.hint(hint).suggest(span, near)
            }
            (None, None) => match wanted {
                Wanted::Module => diagnostic.hint(format!("the library has {}", listed(stdlib::names()))),
                Wanted::Function | Wanted::Value => diagnostic,
            },
        };
        self.report.add(diagnostic);
    }
}

/// The `to: client` of a `reveal`, in its place or by its name.
fn names_a_party(argument: &Argument, at: usize) -> bool {
    match &argument.name {
        Some(name) => name.text == "to",
        None => at == 1,
    }
}

enum Wanted {
    Value,
    Function,
    Module,
}

/// File and name of what the library declares.
fn library() -> Vec<(&'static str, String)> {
    let mut found = vec![];
    for file in stdlib::names() {
        let (tree, _) = parse(FileId::default(), stdlib::text(file).unwrap_or_default());
        for item in tree.items {
            match item {
                Item::Module(module) => found.push((file, module.name.text)),
                Item::Function(function) => found.push((file, function.name.text)),
                _ => {}
            }
        }
    }
    found
}
