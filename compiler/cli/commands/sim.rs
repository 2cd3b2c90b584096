//! `ptc sim`: both parties, and the dealer where there is one, in one process, beside floating point.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use ptc_driver::Built;
use ptc_exec::batch;
use ptc_exec::simulate::{Seen, Simulated, World, simulate};
use ptc_exec::statistics::predict;
use ptc_exec::tensors::Tensors;
use ptc_ir::evaluate;
use ptc_ir::graph::{Graph, NodeId, Op};
use ptc_plan::Plan;
use ptc_plan::file::Input;
use ptc_plan::float::FloatTensor;
use ptc_plan::step::{Party, ValueId};

use crate::backend::BackendArguments;
use crate::failure::Failure;
use crate::given::{Asked, Given, Queries};
use crate::guard::{Guard, References};
use crate::model::ModelArguments;
use crate::results::{ResultArguments, Wanted};
use crate::trust::TrustArguments;
use crate::{files, messages, stats, weights};

/// Run both parties in one process and compare every value with floating point
///
/// Each opened value is held against what its step should have made of its inputs, against the model's own floating point,
/// and against the bound that its ring was chosen for; approximations against their certificates, results against the bound
/// of their error. Values that leave their bounds are warned of, with the line and what would mend it. One process sees
/// everything here: this is for developing a model.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    pub model: ModelArguments,
    #[command(flatten)]
    pub trust: TrustArguments,
    #[arg(long, value_name = "FILE.safetensors")]
    pub weights: Option<PathBuf>,
    #[command(flatten)]
    pub given: Given,
    /// How far a value may be from floating point, as a part of its tensor's largest size (at least 1).
    #[arg(long, value_name = "PART", default_value_t = 0.02)]
    pub drift: f64,
    /// Fail when a value leaves its bound or its ring, an approximation its certificate, or a result its error bound.
    #[arg(long)]
    pub strict: bool,
    #[command(flatten)]
    pub results: ResultArguments,
    /// Write rounds, bytes and seconds of each phase here, as the client saw them.
    #[arg(long, value_name = "FILE.json")]
    pub stats: Option<PathBuf>,
    #[command(flatten)]
    pub backend: BackendArguments,
}

/// Values that drift are named up to so many.
const SHOWN: usize = 5;

/// How one value compares.
struct Drift {
    name: String,
    step: usize,
    /// Largest difference, as a part of the tensor's size.
    part: f64,
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let wanted = arguments.results.open(arguments.given.queries.is_some())?;
    let (outcome, guard) = outcome(&arguments)?;
    outcome.report(&arguments, &guard, &wanted)
}

/// Both parties' queries, beside floating point.
pub fn outcome(arguments: &Arguments) -> Result<(Outcome, Guard), Failure> {
    let (model, text, mut request) = (&arguments.model.model, arguments.model.text()?, arguments.model.request()?);
    let trust = arguments.trust.settle(&mut request)?;
    let source = ptc_driver::graph(model, &text, &request, None).map_err(Failure::source)?;
    let Built { graph, generated, sources, warnings, recipes, .. } =
        ptc_driver::build(model, &text, &request, trust).map_err(Failure::source)?;
    messages::diagnostics(&warnings, &sources);
    let plan = Arc::new(generated.plan);
    let inputs = batch::inputs(&plan);
    let taken: Vec<&Input> = inputs.iter().collect();
    let backend = arguments.backend.open()?;
    request.passes.recipes = recipes;
    let exact = ptc_driver::graph(model, &text, &request, Some(ptc_passes::EXACT_UNTIL)).map_err(Failure::source)?;
    let mut guard = Guard::new(&plan, &graph, &exact, &generated.nodes);
    let parameters = parameters(arguments, &source)?;
    let Queries { tensors: queries, asked } = arguments.given.queries(&taken)?;
    let mut outcome = Outcome::default();
    for run in 0..batch::runs(&plan, queries.len()) {
        let expected = expected(&source, &plan, &queries, run, &parameters)?;
        let inputs = batch::stack(&plan, &queries, run);
        let nodes = reference(&graph, &generated.nodes, &inputs, &parameters)?;
        let world = World { plan: plan.clone(), backend: backend.clone(), parameters: parameters.clone(), inputs };
        let mut drifts = vec![];
        let simulated = simulate(world, &mut |seen| {
            guard.look(&plan, &nodes, &seen);
            if !guard.is_loose(seen.value) {
                outcome.look(&plan, &nodes, &seen, &mut drifts);
            }
        })?;
        outcome.end(&plan, &graph, simulated, &expected, drifts, &mut guard, arguments.drift);
    }
    outcome.results = batch::split(&plan, std::mem::take(&mut outcome.results), queries.len());
    outcome.expected = batch::split(&plan, std::mem::take(&mut outcome.expected), queries.len());
    outcome.asked = asked;
    Ok((outcome, guard))
}

/// The results of a run's queries in floating point, stacked as the plan stacks them.
fn expected(
    source: &Graph,
    plan: &Plan,
    queries: &[Tensors],
    run: usize,
    parameters: &Tensors,
) -> Result<Vec<FloatTensor>, Failure> {
    let members = batch::members(plan, queries.len(), run);
    let each = members.iter().map(|&query| evaluate::outputs(source, &queries[query], parameters));
    let each: Vec<Vec<FloatTensor>> = each.collect::<Result<_, _>>()?;
    match plan.batch {
        None => Ok(each.into_iter().flatten().collect()),
        Some(_) => Ok((0..source.outputs.len()).map(|at| batch::stacked(each.iter().map(|one| &one[at]))).collect()),
    }
}

#[derive(Default)]
pub struct Outcome {
    /// Values that are not what their step should have made of its inputs.
    pub faults: Vec<String>,
    /// What is known of each query besides.
    asked: Vec<Asked>,
    /// By query.
    pub results: Vec<Tensors>,
    /// In floating point.
    pub expected: Vec<Tensors>,
    table: String,
    /// The client's statistics.
    pub json: String,
    failed: bool,
}

/// The floating-point value of each plan value that stands for a node.
fn reference(
    graph: &Graph,
    nodes: &[(NodeId, ValueId)],
    inputs: &Tensors,
    parameters: &Tensors,
) -> Result<References, Failure> {
    let values: HashMap<NodeId, u32> = nodes.iter().map(|(node, value)| (*node, value.0)).collect();
    let mut references = References::new();
    evaluate::for_each_value(graph, inputs, parameters, |id, tensor| {
        if let Some(&value) = values.get(&id) {
            references.insert(value, (graph.node(id).name.clone(), tensor.clone()));
        }
    })?;
    Ok(references)
}

/// Largest difference as a part of the size, at least 1, of what is expected.
fn difference(found: &FloatTensor, expected: &FloatTensor) -> f64 {
    let size = f64::from(expected.max_abs()).max(1.0);
    let apart = found.data.iter().zip(&expected.data).map(|(a, b)| f64::from((a - b).abs()) / size);
    // A number that is none is as far as can be.
    apart.fold(0.0, |most, part| if part.is_nan() { f64::INFINITY } else { most.max(part) })
}

/// Largest difference, absolute.
fn largest_error(found: &FloatTensor, expected: &FloatTensor) -> f64 {
    let apart = found.data.iter().zip(&expected.data).map(|(a, b)| f64::from((a - b).abs()));
    apart.fold(0.0, |most, error| if error.is_nan() { f64::INFINITY } else { most.max(error) })
}

impl Outcome {
    fn look(&mut self, plan: &Plan, references: &References, seen: &Seen, drifts: &mut Vec<Drift>) {
        let step = &plan.steps[seen.step];
        if let Some(fault) = &seen.fault {
            let place =
                plan.origins.get(step.origin as usize).map_or(String::new(), |o| format!(" {}:{}", o.file, o.line));
            let name = &plan.values[seen.value.0 as usize].name;
            self.faults.push(format!("step {} `{}` of `{name}`{place}: {fault}", seen.step, step.op.name()));
        }
        if let Some((name, expected)) = references.get(&seen.value.0) {
            drifts.push(Drift { name: name.clone(), step: seen.step, part: difference(seen.tensor, expected) });
        }
    }

    fn end(
        &mut self,
        plan: &Plan,
        graph: &Graph,
        simulated: Simulated,
        expected: &[FloatTensor],
        drifts: Vec<Drift>,
        guard: &mut Guard,
        most: f64,
    ) {
        let largest = drifts.iter().max_by(|a, b| a.part.total_cmp(&b.part));
        if let Some(Drift { name, part, .. }) = largest {
            messages::say(&format!("{} values compared; the largest drift is {part:.2e}, of `{name}`", drifts.len()));
        }
        let mut failed = false;
        let found: Tensors = simulated.results.iter().flatten().cloned().collect();
        for (output, expected) in graph.outputs.iter().zip(expected) {
            let Some(found) = found.get(&output.name) else { continue };
            let part = difference(found, expected);
            messages::say(&format!("`{}` differs from the model's floating point by {part:.2e}", output.name));
            failed |= part > most;
            let planned = plan.outputs.iter().find(|planned| planned.result && planned.name == output.name);
            if let (Some(bound), Some(planned)) = (graph.node(output.node).error, planned) {
                let error = largest_error(found, expected);
                let note = graph
                    .notes
                    .iter()
                    .find(|note| note.value == output.name && note.recipe.starts_with(ptc_passes::errors::END_TO_END));
                let ground = note.map_or("", |note| note.recipe.as_str());
                messages::say(&format!("`{}` errs by {error:.2e}; its bound is {bound:.2e} ({ground})", output.name));
                if error > bound {
                    let violation = format!(
                        "`{}` errs by {error:.2e}, beyond its bound {bound:.2e}\n  hint: calibrate again with more samples \
                         like this one",
                        output.name
                    );
                    guard.add(planned.value, violation);
                }
            }
        }
        // On the way, a look-up may find the neighbouring cell and a maximum may be coarse: what counts is the result.
        let beyond = drifts.iter().filter(|drift| drift.part > most);
        for (at, Drift { name, step, part }) in beyond.take(if failed { SHOWN } else { 0 }).enumerate() {
            let origin = plan.origins.get(plan.steps[*step].origin as usize);
            let place = origin.map_or(String::new(), |o| format!(" ({}:{} `{}`)", o.file, o.line, o.text));
            let which = if at == 0 { "the first to drift" } else { "then" };
            messages::say(&format!("{which} beyond {most}: `{name}`{place}, by {part:.2e}"));
        }
        self.failed |= failed;
        for party in [Party::Server, Party::Client] {
            let measured = &simulated.statistics[party.index()];
            let stats = stats::collect(party, plan, measured, &predict(plan, party, 1));
            (self.table, self.json) = (stats.table(), stats.json());
        }
        self.results.push(found);
        let names = graph.outputs.iter().map(|output| output.name.clone());
        self.expected.push(names.zip(expected.iter().cloned()).collect());
    }

    fn report(self, arguments: &Arguments, guard: &Guard, wanted: &Wanted) -> Result<(), Failure> {
        const MOST: usize = 20;
        guard.certificates().iter().for_each(|line| messages::say(line));
        let violations: Vec<String> = guard.violations().cloned().chain(guard.broken()).collect();
        for violation in violations.iter().take(MOST) {
            messages::warning(violation);
        }
        if violations.len() > MOST {
            messages::say(&format!("and {} more", violations.len() - MOST));
        }
        for fault in self.faults.iter().take(MOST) {
            messages::warning(fault);
        }
        if self.faults.len() > MOST {
            messages::say(&format!("and {} more", self.faults.len() - MOST));
        }
        if let Some(path) = &arguments.stats {
            files::write(path, self.json.as_bytes())?;
        }
        wanted.publish(&self.asked, &self.results)?;
        messages::table("statistics", &self.table, || serde_json::from_str(&self.json).unwrap_or_default());
        if !self.faults.is_empty() {
            let message = format!("{} values do not follow from their steps' inputs", self.faults.len());
            return Err(Failure::new(message, "a range was too narrow for these inputs: calibrate on more samples"));
        }
        if arguments.strict && !violations.is_empty() {
            let message = format!("{} values leave their bounds", violations.len());
            return Err(Failure::new(message, "see the warnings above"));
        }
        match self.failed {
            true => Err(Failure::new(
                format!("a result is further than {} from floating point", arguments.drift),
                "see the first value that drifts; a smaller `--tolerance` makes finer approximations",
            )),
            false => Ok(()),
        }
    }
}

fn parameters(arguments: &Arguments, graph: &Graph) -> Result<Tensors, Failure> {
    let paths = graph.nodes.iter().filter_map(|node| match &node.op {
        Op::Parameter { path } => Some(path.clone()),
        _ => None,
    });
    let paths: Vec<String> = paths.collect();
    match (&arguments.weights, paths.is_empty()) {
        (Some(file), _) => Ok(weights::read(file, paths)?),
        (None, true) => Ok(Tensors::new()),
        (None, false) => {
            Err(Failure::new("the model has parameters, and no weights are given", "add `--weights FILE`"))
        }
    }
}
