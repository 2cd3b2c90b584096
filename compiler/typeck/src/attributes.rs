//! `#[tolerance(1e-3)]`, `#[allow(leaks = "permuted")]`, `#[bound(x = 8)]`: what may be written where, and what it says.

use ptc_syntax::codes;
use ptc_syntax::diagnostic::Diagnostic;
use ptc_syntax::suggest::nearest;
use ptc_syntax::tree::{Attribute, Element, ExprKind, Function, Item};

use crate::load::listed;
use crate::program::Program;

/// What a protocol may show beyond its result, if the author admits it by name.
const LEAKS: &[&str] = &["permuted"];

const NAMES: &[&str] = &["allow", "bound", "tolerance"];

/// Largest absolute value of a real argument of an entry that declares no bound.
pub(crate) const DEFAULT_BOUND: f64 = 16.0;

/// The error that approximations under these attributes may add.
pub(crate) fn tolerance(attributes: &[Attribute]) -> Option<f64> {
    let last = attributes.iter().rfind(|attribute| attribute.name.text == "tolerance")?;
    number(&last.arguments.first()?.value.kind)
}

/// Leaks admitted by name.
pub(crate) fn leaks(attributes: &[Attribute]) -> Vec<String> {
    let allowed = attributes.iter().filter(|attribute| attribute.name.text == "allow");
    let values = allowed.flat_map(|attribute| &attribute.arguments).map(|argument| &argument.value.kind);
    values.filter_map(|value| if let ExprKind::Text(text) = value { Some(text.clone()) } else { None }).collect()
}

/// The declared bound of an entry's argument: `#[bound(x = 8)]`, or `#[bound(8)]` for all of them.
pub(crate) fn bound(entry: &Function, parameter: &str) -> f64 {
    let bounds = entry.attributes.iter().filter(|attribute| attribute.name.text == "bound");
    let arguments: Vec<_> = bounds.flat_map(|attribute| &attribute.arguments).collect();
    let named = arguments.iter().rfind(|argument| argument.name.as_ref().is_some_and(|name| name.text == parameter));
    let found = named.or_else(|| arguments.iter().rfind(|argument| argument.name.is_none()));
    found.and_then(|argument| number(&argument.value.kind)).unwrap_or(DEFAULT_BOUND)
}

/// Every attribute of every file.
pub(crate) fn check(program: &Program, found: &mut Vec<Diagnostic>) {
    for item in program.units.iter().flat_map(|unit| &unit.tree.items) {
        match item {
            Item::Function(function) => plain(&function.attributes, found),
            Item::Module(module) => {
                plain(&module.attributes, found);
                module.functions.iter().for_each(|function| plain(&function.attributes, found));
            }
            Item::Model(model) => {
                plain(&model.attributes, found);
                model.functions.iter().for_each(|function| plain(&function.attributes, found));
                for entry in &model.entries {
                    entry.attributes.iter().for_each(|attribute| one(attribute, Some(entry), found));
                }
            }
            Item::Use(_) | Item::Size(_) | Item::Error(_) => {}
        }
    }
}

fn plain(attributes: &[Attribute], found: &mut Vec<Diagnostic>) {
    attributes.iter().for_each(|attribute| one(attribute, None, found));
}

fn one(attribute: &Attribute, entry: Option<&Function>, found: &mut Vec<Diagnostic>) {
    match (attribute.name.text.as_str(), entry) {
        ("tolerance", _) => found.extend(check_tolerance(attribute)),
        ("allow", _) => check_leaks(attribute, found),
        ("bound", Some(entry)) => check_bounds(attribute, entry, found),
        ("bound", None) => {
            let message = "`#[bound(...)]` belongs to an entry";
            let hint = "bounds of everything inside follow from the arguments, the weights and calibration";
            found.push(Diagnostic::new(codes::E0502, attribute.span, message).hint(hint));
        }
        (name, _) => {
            let diagnostic = Diagnostic::new(codes::E0501, attribute.name.span, format!("unknown attribute `{name}`"));
            found.push(match nearest(name, NAMES.iter().copied()) {
                Some(near) => diagnostic.hint(format!("did you mean `{near}`?")).suggest(attribute.name.span, near),
                None => diagnostic.hint(format!("there are {}", listed(NAMES.iter().copied()))),
            });
        }
    }
}

fn check_tolerance(attribute: &Attribute) -> Option<Diagnostic> {
    match attribute.arguments.as_slice() {
        [only] if only.name.is_none() && number(&only.value.kind).is_some_and(|value| value > 0.0) => None,
        _ => {
            let message = "`tolerance` takes one number above 0";
            Some(Diagnostic::new(codes::E0502, attribute.span, message).hint("write `#[tolerance(1e-3)]`"))
        }
    }
}

fn check_leaks(attribute: &Attribute, found: &mut Vec<Diagnostic>) {
    let usage = || {
        let message = "`allow` names what may leak";
        Diagnostic::new(codes::E0502, attribute.span, message).hint("write `#[allow(leaks = \"permuted\")]`")
    };
    if attribute.arguments.is_empty() {
        found.push(usage());
    }
    for argument in &attribute.arguments {
        match (&argument.name, &argument.value.kind) {
            (Some(name), ExprKind::Text(_)) if name.text != "leaks" => found.push(usage()),
            (Some(_), ExprKind::Text(leak)) if LEAKS.contains(&leak.as_str()) => {}
            (Some(_), ExprKind::Text(leak)) => {
                let message = format!("unknown leak `{leak}`");
                let diagnostic = Diagnostic::new(codes::E0503, argument.value.span, message);
                found.push(match nearest(leak, LEAKS.iter().copied()) {
                    Some(near) => diagnostic
                        .hint(format!("did you mean `{near}`?"))
                        .suggest(argument.value.span, format!("\"{near}\"")),
                    None => diagnostic.hint(format!("there is {}", listed(LEAKS.iter().copied()))),
                });
            }
            _ => found.push(usage()),
        }
    }
}

fn check_bounds(attribute: &Attribute, entry: &Function, found: &mut Vec<Diagnostic>) {
    let reals = || entry.parameters.iter().filter(|parameter| parameter.ty.element == Element::Real);
    let names = || reals().map(|parameter| parameter.name.text.as_str());
    if attribute.arguments.is_empty() {
        let message = "`bound` takes the largest absolute value of an argument";
        found.push(Diagnostic::new(codes::E0502, attribute.span, message).hint("write `#[bound(x = 8)]`"));
    }
    for argument in &attribute.arguments {
        if let Some(name) = &argument.name
            && names().all(|parameter| parameter != name.text)
        {
            let message = format!("`{}` is no real argument of `{}`", name.text, entry.name.text);
            found.push(Diagnostic::new(codes::E0502, name.span, message).hint(match nearest(&name.text, names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("its real arguments: {}", listed(names())),
            }));
        }
        if !number(&argument.value.kind).is_some_and(|value| value > 0.0 && value <= f64::from(f32::MAX)) {
            let message = "a bound is a number above 0";
            found.push(Diagnostic::new(codes::E0502, argument.value.span, message).hint("write `#[bound(x = 8)]`"));
        }
    }
}

fn number(value: &ExprKind) -> Option<f64> {
    match value {
        ExprKind::Number(value) if value.is_finite() => Some(*value),
        ExprKind::Paren(inner) => number(&inner.kind),
        _ => None,
    }
}
