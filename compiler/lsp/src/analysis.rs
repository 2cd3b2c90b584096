//! What is known of one file and those it uses, without building a plan: trees, names, types, what is wrong.

use std::path::{Path, PathBuf};

use ptc_driver::Request;
use ptc_syntax::diagnostic::{Diagnostic, has_errors};
use ptc_syntax::source::Sources;
use ptc_syntax::span::{FileId, Span};
use ptc_syntax::tree::{File, Item, Model};
use ptc_typeck::check::observe;
use ptc_typeck::load::load_whole;
use ptc_typeck::places::{self, Declaration, Place, Target};
use ptc_typeck::program::Program;
use ptc_typeck::seen::Seen;

use crate::documents::Documents;
use crate::library::Library;

pub struct Analysis {
    pub sources: Sources,
    pub program: Program,
    /// Types of expressions, as far as checking came.
    pub seen: Seen,
    /// Names with their declarations.
    pub places: Vec<Place>,
    pub diagnostics: Vec<Diagnostic>,
    /// Where each file of the sources stands on the disk.
    files: Vec<(FileId, PathBuf)>,
}

/// `root` as the editor has it. `request` says the sizes.
pub fn analyse(root: &Path, documents: &Documents, library: &Library, request: &Request) -> Option<Analysis> {
    let text = documents.text(root)?;
    let mut sources = Sources::default();
    let file = sources.add(root.display().to_string(), text);
    let (program, hindering) = load_whole(&mut sources, file, &mut documents.beside(root));
    let dims = fitting(&program, request).dims;
    let (checked, seen) = observe(&program, &dims);
    let mut diagnostics = hindering;
    if diagnostics.is_empty() {
        diagnostics.extend(checked.err().unwrap_or_default());
        diagnostics.extend(program.warnings.iter().cloned());
    }
    let places = places::places(&program);
    let path = |(file, of_library): (FileId, bool)| {
        let name = sources.name(file);
        let path = if of_library { library.path(name) } else { Some(PathBuf::from(name)) };
        path.map(|path| (file, path))
    };
    let files = places::files(&program).filter_map(path).collect();
    Some(Analysis { files, sources, program, seen, places, diagnostics })
}

/// The request with those of its `dim`s that the model has: it is told for all models alike.
pub fn fitting(program: &Program, request: &Request) -> Request {
    let own: Vec<&str> = program.dims().map(|size| size.name.text.as_str()).collect();
    let mut fitting = request.clone();
    fitting.dims.retain(|name, _| own.contains(&name.as_str()));
    fitting
}

impl Analysis {
    pub fn file(&self, path: &Path) -> Option<FileId> {
        self.files.iter().find(|(_, other)| other == path).map(|(file, _)| *file)
    }

    pub fn path(&self, file: FileId) -> Option<&Path> {
        self.files.iter().find(|(other, _)| *other == file).map(|(_, path)| path.as_path())
    }

    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|(_, path)| path.as_path())
    }

    pub fn tree(&self, file: FileId) -> Option<&File> {
        places::tree(&self.program, file)
    }

    /// The model of the root, which is the first file.
    pub fn model(&self) -> Option<&Model> {
        let tree = self.tree(FileId(0))?;
        tree.items.iter().find_map(|item| match item {
            Item::Model(model) => Some(model),
            _ => None,
        })
    }

    /// Entries whose plans can be asked for.
    pub fn entries(&self) -> Vec<String> {
        match self.model() {
            Some(model) if !has_errors(&self.diagnostics) => {
                model.entries.iter().map(|entry| entry.name.text.clone()).collect()
            }
            _ => vec![],
        }
    }

    /// The name under the cursor.
    pub fn place(&self, file: FileId, at: usize) -> Option<&Place> {
        let at = at as u32;
        let under = |place: &&Place| place.span.file == file && place.span.start <= at && at <= place.span.end;
        // Of two names that touch, the one that begins here.
        self.places.iter().filter(under).max_by_key(|place| place.span.start)
    }

    /// Whether both come from the same texts.
    pub fn is_of_same_texts(&self, other: &Analysis) -> bool {
        let texts = |analysis: &Analysis| -> Vec<(String, String)> {
            let files = places::files(&analysis.program);
            files
                .map(|(file, _)| (analysis.sources.name(file).to_string(), analysis.sources.text(file).to_string()))
                .collect()
        };
        texts(self) == texts(other)
    }

    /// The declaration's first words, as they are written.
    pub fn header(&self, declared: &Declaration) -> String {
        let text = self.sources.slice(declared.header).trim_end().trim_end_matches('{');
        // Docs and attributes stand before it.
        let lines = text.lines().map(str::trim).filter(|line| !line.starts_with("//") && !line.starts_with("#["));
        lines.collect::<Vec<_>>().join(" ").trim().to_string()
    }

    /// Every place that stands for the same.
    pub fn uses(&self, target: &Target) -> impl Iterator<Item = Span> {
        let same = move |other: &Target| match (target, other) {
            (Target::Declared(one), Target::Declared(other)) => one.name.span == other.name.span,
            (one, other) => one == other,
        };
        self.places.iter().filter(move |place| same(&place.target)).map(|place| place.span)
    }
}
