//! The front half as one call: model file to graph to plan.

pub mod recipes;
pub mod search;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ptc_codegen::{CodegenError, Generated};
use ptc_cost::assign::assign;
use ptc_ir::Graph;
use ptc_passes::options::{Fault, Options, PassError, Recipes};
use ptc_plan::Plan;
use ptc_plan::file::Trust;
use ptc_plan::two_party::feasible;
use ptc_syntax::codes::{self, Code};
use ptc_syntax::diagnostic::Diagnostic;
use ptc_syntax::source::Sources;
use ptc_syntax::span::{FileId, Span};
use ptc_typeck::load::Sibling;
use ptc_typeck::program::Program;

use search::Search;

/// What the user asks of a build.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The model's one entry when absent.
    pub entry: Option<String>,
    pub dims: BTreeMap<String, u64>,
    pub passes: Options,
    /// Products by the server's weights are computed in the query, with nothing prepared: for one query alone. Takes effect
    /// in plans of two parties alone.
    pub inline: bool,
    /// Without one, recipes and making are as told.
    pub search: Option<Search>,
    /// Set by whoever does not want the plan any more: the build ends soon, and without diagnostics.
    pub stopped: Option<Arc<AtomicBool>>,
}

impl Request {
    fn is_stopped(&self) -> bool {
        self.stopped.as_ref().is_some_and(|stopped| stopped.load(Ordering::Relaxed))
    }
}

/// A model file that was read, with everything needed to show what is wrong with it.
pub struct Failure {
    pub sources: Sources,
    pub diagnostics: Vec<Diagnostic>,
}

pub struct Built {
    /// After every pass.
    pub graph: Graph,
    pub generated: Generated,
    pub sources: Sources,
    pub warnings: Vec<Diagnostic>,
    /// Values without a range, where others have one.
    pub unmeasured: Vec<String>,
    /// How functions are computed.
    pub recipes: Recipes,
}

/// A graph after every pass, and its plan.
pub struct Whole {
    pub graph: Graph,
    pub generated: Generated,
}

/// What is wrong with a graph: the origin, why, and what would mend it.
pub struct Problem {
    origin: u32,
    message: String,
    hint: String,
    code: Code,
    /// Origins that explain, with what is to be said there.
    labels: Vec<(u32, String)>,
}

/// Names, shapes and visibility of a model, entry by entry.
pub fn check(path: &Path, text: &str, request: &Request) -> Result<(Sources, Vec<Diagnostic>), Failure> {
    let (program, sources) = read(path, text, &mut beside(path))?;
    match ptc_typeck::check::check(&program, &request.dims) {
        Ok(_) => Ok((sources, program.warnings)),
        Err(diagnostics) => Err(Failure { sources, diagnostics }),
    }
}

/// The graph that calibration samples.
pub fn calibrated_graph(path: &Path, text: &str, request: &Request) -> Result<Graph, Failure> {
    let (graph, sources, _) = front(path, text, &mut beside(path), request)?;
    passes(&graph, &sampling(request), Some(ptc_passes::CALIBRATED_AFTER), sources).map(|(graph, _)| graph)
}

fn sampling(request: &Request) -> Request {
    let passes = Options { sampling: true, calibration: Options::default().calibration, ..request.passes.clone() };
    Request { passes, ..request.clone() }
}

/// Names of values that the request's calibration should know and does not: it was measured on another model.
fn unmeasured(graph: &Graph, request: &Request) -> Vec<String> {
    let seen = &request.passes.calibration.seen;
    if seen.is_empty() {
        return vec![];
    }
    let Ok(sampled) = ptc_passes::run(graph, &sampling(request).passes, Some(ptc_passes::CALIBRATED_AFTER)) else {
        return vec![];
    };
    let names = ptc_passes::measured(&sampled).map(|id| sampled.node(id).name.clone());
    names.filter(|name| !seen.contains_key(name)).collect()
}

/// The graph after the pass `last`, or as lowered. Recipes are those of the plan that two parties alone would execute; a
/// graph that has none is shown with those that are tried first.
pub fn graph(path: &Path, text: &str, request: &Request, last: Option<&str>) -> Result<Graph, Failure> {
    let (source, sources, _) = front(path, text, &mut beside(path), request)?;
    if last.is_none() {
        return Ok(source);
    }
    let with = |recipes: &Recipes| whole(&source, request, recipes, Trust::default());
    let found = request.search.as_ref().and_then(|search| search::search(search, &with).ok());
    let recipes = found.map_or(request.passes.recipes, |(_, recipes)| recipes);
    let passes = Options { recipes, ..request.passes.clone() };
    self::passes(&source, &Request { passes, ..request.clone() }, last, sources).map(|(graph, _)| graph)
}

pub fn build(path: &Path, text: &str, request: &Request, trust: Trust) -> Result<Built, Failure> {
    build_with(path, text, &mut beside(path), request, trust)
}

/// As [`build`], with the files beside the model from `sibling`.
pub fn build_with(
    path: &Path,
    text: &str,
    sibling: &mut Sibling,
    request: &Request,
    trust: Trust,
) -> Result<Built, Failure> {
    let (source, sources, warnings) = front(path, text, sibling, request)?;
    let unmeasured = unmeasured(&source, request);
    let with = |recipes: &Recipes| whole(&source, request, recipes, trust);
    let found = match &request.search {
        Some(search) => search::search(search, &with),
        None => with(&request.passes.recipes).map(|whole| (whole, request.passes.recipes)),
    };
    let (Whole { graph, mut generated }, recipes) = match found {
        Ok(found) => found,
        Err(problems) => return Err(Failure { diagnostics: shown(&source, &sources, problems), sources }),
    };
    let diagnostics = too_large(&graph, &sources, &generated.plan);
    if !diagnostics.is_empty() {
        return Err(Failure { sources, diagnostics });
    }
    if let Some(search) = &request.search {
        assign(&mut generated.plan, &search.profile, search.objective, search.making);
    }
    // The same source gives the same plan wherever its folder lies.
    let folder = path.parent().map(|folder| folder.join("").display().to_string()).unwrap_or_default();
    for origin in &mut generated.plan.origins {
        if let Some(name) = origin.file.strip_prefix(&folder) {
            origin.file = name.to_string();
        }
    }
    Ok(Built { graph, generated, sources, warnings, unmeasured, recipes })
}

/// From the lowered graph to a plan, with these recipes.
fn whole(source: &Graph, request: &Request, recipes: &Recipes, trust: Trust) -> Result<Whole, Vec<Problem>> {
    if request.is_stopped() {
        return Err(vec![]);
    }
    let options = Options { recipes: *recipes, ..request.passes.clone() };
    let graph = ptc_passes::run(source, &options, None).map_err(problems)?;
    let mut generated = ptc_codegen::generate(&graph, trust).map_err(|errors| {
        let problem = |error: CodegenError| {
            let CodegenError { origin, message, hint } = error;
            Problem { origin, message, hint, code: codes::E0601, labels: vec![] }
        };
        errors.into_iter().map(problem).collect::<Vec<_>>()
    })?;
    if let (true, Trust::TwoParty { making }) = (request.inline, trust) {
        ptc_codegen::inline::run(&mut generated.plan, making);
    }
    generated.plan.batch = options.batch;
    Ok(Whole { graph, generated })
}

fn problems(errors: Vec<PassError>) -> Vec<Problem> {
    let problem = |PassError { origin, message, hint, fault, labels }| {
        let code = match fault {
            Fault::Unsupported => codes::E0601,
            Fault::TooWide => codes::E0602,
            Fault::TooInexact => codes::E0603,
        };
        Problem { origin, message, hint, code, labels }
    };
    errors.into_iter().map(problem).collect()
}

/// Passes keep the origins of the source.
fn shown(graph: &Graph, sources: &Sources, problems: Vec<Problem>) -> Vec<Diagnostic> {
    let place = |origin: u32| line(graph, sources, origin);
    let shown = |Problem { origin, message, hint, code, labels }| {
        let diagnostic = Diagnostic::new(code, place(origin), message).hint(hint);
        labels.into_iter().fold(diagnostic, |diagnostic, (origin, text)| diagnostic.label(place(origin), text))
    };
    problems.into_iter().map(shown).collect()
}

/// Products that two parties alone cannot prepare.
fn too_large(graph: &Graph, sources: &Sources, plan: &Plan) -> Vec<Diagnostic> {
    let found = plan.steps.iter().filter_map(|step| Some((step.origin, feasible::too_large(plan, step)?)));
    let hint = "ranges by `ptc calibrate` make rings narrower; a dealer needs no encryption: `--trust dealer`";
    let errors = found.map(|(origin, product)| (origin, feasible::describe(&product), hint.to_string()));
    located(graph, sources, codes::E0601, errors)
}

fn passes(graph: &Graph, request: &Request, last: Option<&str>, sources: Sources) -> Result<(Graph, Sources), Failure> {
    match ptc_passes::run(graph, &request.passes, last) {
        Ok(graph) => Ok((graph, sources)),
        Err(errors) => Err(Failure { diagnostics: shown(graph, &sources, problems(errors)), sources }),
    }
}

/// Errors by origin become diagnostics on that line.
fn located(
    graph: &Graph,
    sources: &Sources,
    code: Code,
    errors: impl Iterator<Item = (u32, String, String)>,
) -> Vec<Diagnostic> {
    errors
        .map(|(origin, message, hint)| Diagnostic::new(code, line(graph, sources, origin), message).hint(hint))
        .collect()
}

/// The line of an origin, without its indent.
fn line(graph: &Graph, sources: &Sources, origin: u32) -> Span {
    let found = || {
        let origin = graph.origins.get(origin as usize)?;
        let file =
            (0..).map(FileId).take_while(|&f| !sources.name(f).is_empty()).find(|&f| sources.name(f) == origin.file)?;
        let text = sources.text(file);
        let start =
            text.split_inclusive('\n').take(origin.line.saturating_sub(1) as usize).map(str::len).sum::<usize>();
        let line = text[start..].lines().next().unwrap_or("");
        let indent = line.len() - line.trim_start().len();
        Some(Span::new(file, start + indent, start + line.trim_end().len().max(indent)))
    };
    found().unwrap_or_default()
}

fn front(
    path: &Path,
    text: &str,
    sibling: &mut Sibling,
    request: &Request,
) -> Result<(Graph, Sources, Vec<Diagnostic>), Failure> {
    let (program, sources) = read(path, text, sibling)?;
    match ptc_lower::lower_entry(&program, &sources, request.entry.as_deref(), &request.dims) {
        Ok(graph) => match pinned(&graph, &sources) {
            diagnostics if diagnostics.is_empty() => Ok((graph, sources, program.warnings)),
            diagnostics => Err(Failure { sources, diagnostics }),
        },
        Err(diagnostics) => Err(Failure { sources, diagnostics }),
    }
}

/// No pass keeps a ring that the author pins; one that would be ignored is refused.
fn pinned(graph: &Graph, sources: &Sources) -> Vec<Diagnostic> {
    let pins = graph.nodes.iter().filter(|node| node.fixed.is_some()).map(|node| {
        let message = format!("the ring of `{}` cannot be pinned yet", node.name);
        (
            node.origin,
            message,
            "leave out `fixed<..>`; `ptc explain` shows the ring that the compiler chooses".to_string(),
        )
    });
    located(graph, sources, codes::E0108, pins)
}

/// The files that stand beside the model.
fn beside(path: &Path) -> impl FnMut(&str) -> Option<(String, String)> + use<> {
    let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
    move |module| {
        let path = folder.join(format!("{module}.ptx"));
        let text = std::fs::read_to_string(&path).ok()?;
        Some((path.display().to_string(), text))
    }
}

/// The model's file and those it uses, which stand beside it or come with the compiler.
fn read(path: &Path, text: &str, sibling: &mut Sibling) -> Result<(Program, Sources), Failure> {
    let mut sources = Sources::default();
    match ptc_typeck::load::load(&mut sources, &path.display().to_string(), text, sibling) {
        Ok(program) => Ok((program, sources)),
        Err(diagnostics) => Err(Failure { sources, diagnostics }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: &str = "model M {
    entry f(x: real[4] @client, y: real[4] @server) -> real[4] @client {
        let s PIN= x + y;
        s
    }
}
";

    fn codes_of(text: &str) -> Vec<&'static str> {
        match build(Path::new("m.ptx"), text, &Request::default(), Trust::Dealer) {
            Ok(_) => vec![],
            Err(failure) => failure.diagnostics.iter().map(|diagnostic| diagnostic.code.id).collect(),
        }
    }

    #[test]
    fn a_ring_that_would_be_ignored_is_refused() {
        assert_eq!(codes_of(&MODEL.replace("s PIN", "s ")), [""; 0]);
        assert_eq!(codes_of(&MODEL.replace("s PIN", "s: real[4] fixed<40, 14> ")), ["E0108"]);
    }
}
