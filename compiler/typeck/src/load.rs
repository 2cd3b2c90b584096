//! A model's files: the root, what it imports, and what that imports. Finding a file is the caller's part.

use std::collections::BTreeMap;

use ptc_syntax::codes;
use ptc_syntax::diagnostic::{Diagnostic, Severity};
use ptc_syntax::parse::parse;
use ptc_syntax::source::Sources;
use ptc_syntax::span::{FileId, Span};
use ptc_syntax::suggest::nearest;
use ptc_syntax::tree::{File, Item, Name, Use};

use crate::program::{Entity, FunctionId, ItemId, Member, Program, Unit, UnitId};
use crate::{attributes, intrinsics, stdlib};

/// Name to show and text of a file beside the root: `use layers::X` asks for `layers`. Names of the library are never
/// asked for.
pub type Sibling<'a> = dyn FnMut(&str) -> Option<(String, String)> + 'a;

/// Reads a model from its text and that of the files it uses.
pub fn load(sources: &mut Sources, name: &str, text: &str, sibling: &mut Sibling) -> Result<Program, Vec<Diagnostic>> {
    let root = sources.add(name, text);
    load_root(sources, root, sibling)
}

/// As [`load`], of a file that is among the sources already.
pub fn load_root(sources: &mut Sources, root: FileId, sibling: &mut Sibling) -> Result<Program, Vec<Diagnostic>> {
    let (program, hindering) = load_whole(sources, root, sibling);
    if hindering.is_empty() { Ok(program) } else { Err(hindering) }
}

/// As [`load_root`], with a program whatever is wrong: names may be missing from it. For editors.
pub fn load_whole(sources: &mut Sources, root: FileId, sibling: &mut Sibling) -> (Program, Vec<Diagnostic>) {
    let mut loader =
        Loader { sources, sibling, program: Program::default(), loaded: BTreeMap::new(), path: vec![], found: vec![] };
    loader.import(stdlib::PRELUDE, None);
    let text = loader.sources.text(root).to_string();
    loader.program.root = loader.unit(root, &text, false);
    let Loader { mut program, mut found, .. } = loader;
    if found.iter().any(is_of_syntax) {
        // A name may be missing because its declaration did not parse.
        found.retain(is_of_syntax);
        return (program, found);
    }
    if found.iter().any(is_of_imports) {
        // Names would be missing because of it.
        return (program, found);
    }
    attributes::check(&program, &mut found);
    let (problems, warnings) = found.into_iter().partition(|found| found.severity() == Severity::Error);
    program.problems = problems;
    program.warnings = warnings;
    (program, vec![])
}

struct Loader<'a, 'b> {
    sources: &'a mut Sources,
    sibling: &'a mut Sibling<'b>,
    program: Program,
    loaded: BTreeMap<String, UnitId>,
    /// The imports that lead to the file being read, outermost first.
    path: Vec<(String, Option<Span>)>,
    found: Vec<Diagnostic>,
}

impl Loader<'_, '_> {
    /// The file `module`, read on first use. None when a diagnostic says why.
    fn import(&mut self, module: &str, asked: Option<&Name>) -> Option<UnitId> {
        if let Some(&unit) = self.loaded.get(module) {
            return Some(unit);
        }
        if let Some(at) = self.path.iter().position(|(name, _)| name == module) {
            self.found.extend(asked.map(|asked| cycle(&self.path[at..], asked)));
            return None;
        }
        let (name, text, library) = match stdlib::text(module) {
            Some(text) => (format!("stdlib/{module}.ptx"), text.to_string(), true),
            None => match (self.sibling)(module) {
                Some((name, text)) => (name, text, false),
                None => {
                    self.found.extend(asked.map(missing_file));
                    return None;
                }
            },
        };
        let file = self.sources.add(name, text.clone());
        self.path.push((module.to_string(), asked.map(|asked| asked.span)));
        let unit = self.unit(file, &text, library);
        self.path.pop();
        self.loaded.insert(module.to_string(), unit);
        Some(unit)
    }

    fn unit(&mut self, file: FileId, text: &str, library: bool) -> UnitId {
        let (tree, diagnostics) = parse(file, text);
        self.found.extend(diagnostics);
        // The number is taken before the imports are: the prelude stays the first unit.
        let id = UnitId(self.program.units.len());
        let name = self.path.last().map(|(name, _)| name.clone()).unwrap_or_default();
        self.program.units.push(Unit { file, tree: File::default(), library, name, scope: BTreeMap::new() });
        let mut declared = Declared { scope: BTreeMap::new(), places: BTreeMap::new() };
        for item in &tree.items {
            if let Item::Use(import) = item {
                self.names(import, &mut declared);
            }
        }
        for (at, item) in tree.items.iter().enumerate() {
            let item_id = ItemId { unit: id, item: at };
            self.found.extend(declared.declare(item, item_id));
        }
        let unit = &mut self.program.units[id.0];
        unit.tree = tree;
        unit.scope = declared.scope;
        id
    }

    /// The names of one `use`.
    fn names(&mut self, import: &Use, declared: &mut Declared) {
        let module = import.module.text.as_str();
        let unit = match module {
            stdlib::CORE => None,
            _ => match self.import(module, Some(&import.module)) {
                Some(unit) => Some(unit),
                None => return,
            },
        };
        for name in &import.names {
            let entity = match unit {
                Some(unit) => self.program.units[unit.0].scope.get(&name.text).cloned(),
                None => intrinsics::find(&name.text).map(Entity::Intrinsic),
            };
            match entity {
                Some(entity) => self.found.extend(declared.add(name, entity)),
                None => {
                    let known: Vec<&str> = match unit {
                        Some(unit) => self.program.units[unit.0].scope.keys().map(String::as_str).collect(),
                        None => intrinsics::names().collect(),
                    };
                    self.found.push(missing_name(module, name, &known));
                }
            }
        }
    }
}

/// The top of one file while it is being read.
struct Declared {
    scope: BTreeMap<String, Entity>,
    places: BTreeMap<String, Span>,
}

impl Declared {
    fn declare(&mut self, item: &Item, id: ItemId) -> Option<Diagnostic> {
        match item {
            Item::Size(size) => self.add(&size.name, Entity::Size(id)),
            Item::Module(module) => self.add(&module.name, Entity::Module(id)),
            Item::Model(model) => self.add(&model.name, Entity::Model),
            Item::Function(function) => {
                let own = FunctionId { item: id, member: Member::Itself };
                if let Some(Entity::Functions(before)) = self.scope.get_mut(&function.name.text)
                    && before.iter().all(|other| other.item.unit == id.unit)
                {
                    // Told apart by the number of parameters; equal numbers are found with the other duplicates.
                    before.push(own);
                    return None;
                }
                self.add(&function.name, Entity::Functions(vec![own]))
            }
            Item::Use(_) | Item::Error(_) => None,
        }
    }

    fn add(&mut self, name: &Name, entity: Entity) -> Option<Diagnostic> {
        if let Some(before) = self.places.get(&name.text) {
            let message = format!("`{}` is declared twice in this file", name.text);
            return Some(Diagnostic::new(codes::E0205, name.span, message).label(*before, "declared here before"));
        }
        self.places.insert(name.text.clone(), name.span);
        self.scope.insert(name.text.clone(), entity);
        None
    }
}

fn is_of_syntax(diagnostic: &Diagnostic) -> bool {
    diagnostic.code.id.starts_with("E00") || diagnostic.code.id.starts_with("E01")
}

fn is_of_imports(diagnostic: &Diagnostic) -> bool {
    [codes::E0202, codes::E0203, codes::E0204].contains(&diagnostic.code)
}

fn cycle(path: &[(String, Option<Span>)], asked: &Name) -> Diagnostic {
    let mut names: Vec<&str> = path.iter().map(|(name, _)| name.as_str()).collect();
    names.push(&asked.text);
    let message = format!("the files use each other in a circle: {}", names.join(" -> "));
    let mut diagnostic = Diagnostic::new(codes::E0204, asked.span, message);
    for (name, span) in path.iter().skip(1) {
        if let Some(span) = span {
            diagnostic = diagnostic.label(*span, format!("`{name}` is used here"));
        }
    }
    diagnostic.hint("move what both need into a third file")
}

fn missing_file(asked: &Name) -> Diagnostic {
    let name = &asked.text;
    let message = format!("there is no `{name}` to use: neither in the library nor as `{name}.ptx` beside the model");
    let diagnostic = Diagnostic::new(codes::E0202, asked.span, message);
    match nearest(name, stdlib::names().chain([stdlib::CORE])) {
        Some(near) => diagnostic.hint(format!("did you mean `{near}`?")).suggest(asked.span, near),
        None => diagnostic.hint(format!("the library has {}", listed(stdlib::names()))),
    }
}

fn missing_name(module: &str, name: &Name, known: &[&str]) -> Diagnostic {
    let message = format!("there is no `{}` in `{module}`", name.text);
    let diagnostic = Diagnostic::new(codes::E0203, name.span, message);
    match nearest(&name.text, known.iter().copied()) {
        Some(near) => diagnostic.hint(format!("did you mean `{near}`?")).suggest(name.span, near),
        None => diagnostic.hint(format!("`{module}` has {}", listed(known.iter().copied()))),
    }
}

pub(crate) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        None => "nothing".into(),
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}
