//! `ptc calibrate`: ranges, norms and gains of a model's values, from samples.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ptc_ir::evaluate::{self, Tensors};
use ptc_ir::graph::{Graph, NodeId, Op, Visibility};
use ptc_ir::sensitivity::{self, Gain};
use ptc_passes::options::{Calibration, Maximum, Power, Recipes};
use ptc_plan::Plan;
use ptc_plan::file::InputKind;
use ptc_plan::float::FloatTensor;
use ptc_plan::operator::Operator;
use sha2::{Digest, Sha256};

use crate::failure::Failure;
use crate::model::{self, ModelArguments};
use crate::tokens::{Query, Side, Tokens, TooLong};
use crate::{calibration, files, messages, weights};

mod norms;

/// Measure the ranges of a model's values on samples, for `ptc build --ranges`
///
/// Runs the model in floating point on this machine: the owner of the weights calibrates, on samples of its own. MODEL is
/// the source, or a plan beside its source. The file is JSON: the margin by which ranges are widened when they are used,
/// how many samples were seen, a digest of model, sizes, weights and samples, and three tables by the name of a value:
/// `ranges` [smallest, largest], `norms` of matrices [largest row sum, column sum, row length, column length, stretch], and
/// for each output `gains` [noise, drift, relative noise, relative drift]: what errors of the value do to an element of the
/// output, from which a build bounds the error of its results.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    pub model: ModelArguments,
    #[arg(long, value_name = "FILE.safetensors")]
    pub weights: PathBuf,
    /// One text a line, for models whose input is tokens and with `--tokenizer`; else one JSON object of named tensors a line.
    #[arg(long, value_name = "FILE")]
    pub samples: PathBuf,
    /// Needed for samples of text.
    #[arg(long, value_name = "FILE.json")]
    pub tokenizer: Option<PathBuf>,
    /// Factor by which bounds exceed what the samples show.
    #[arg(long, default_value_t = 2.0)]
    pub margin: f64,
    /// How many of the samples, spread evenly, gains are measured on; 0 for none.
    #[arg(long, value_name = "COUNT", default_value_t = 6)]
    pub gains: usize,
    /// Default: `MODEL.ranges.json` beside the model.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Random weightings of an output of many elements.
const PROBES: usize = 4;
/// Samples for ways to decompose that are not the default.
const OTHER_WAYS: usize = 2;
const MAX_PLAN: u64 = 1 << 30;

pub fn run(mut arguments: Arguments) -> Result<(), Failure> {
    if arguments.model.model.extension().is_some_and(|extension| extension == "plan") {
        of_plan(&mut arguments.model)?;
    }
    let mut request = arguments.model.request()?;
    request.passes.calibration = Calibration::default();
    let text = arguments.model.text()?;
    let graph = ptc_driver::calibrated_graph(&arguments.model.model, &text, &request).map_err(Failure::source)?;
    let paths = graph.nodes.iter().filter_map(|node| match &node.op {
        Op::Parameter { path } => Some(path.clone()),
        _ => None,
    });
    let parameters = weights::read(&arguments.weights, paths.collect())?;
    let measured: BTreeSet<NodeId> = ptc_passes::measured(&graph).collect();
    let matrices = matrices(&graph);
    let samples = samples(&arguments, &graph)?;
    let mut found = Calibration {
        margin: arguments.margin,
        samples: samples.len() as u64,
        digest: digest(&arguments, &text, &graph)?,
        ..Calibration::default()
    };
    let mut seldom = messages::Seldom::default();
    for (at, inputs) in samples.iter().enumerate() {
        seldom.say(|| format!("sample {} of {}", at + 1, samples.len()));
        evaluate::for_each_value(&graph, inputs, &parameters, |id, value| {
            let node = graph.node(id);
            if measured.contains(&id) {
                widen(&mut found.seen, &node.name, value);
            }
            if at == 0 && matrices.contains(&id) {
                found.norms.insert(node.name.clone(), norms::norms(value));
            }
        })?;
    }
    let probed = arguments.gains.min(samples.len());
    for (at, recipes) in ways().into_iter().enumerate() {
        request.passes.calibration = Calibration { gains: BTreeMap::new(), ..found.clone() };
        request.passes.recipes = recipes;
        let graph = ptc_driver::graph(&arguments.model.model, &text, &request, Some(ptc_passes::EXACT_UNTIL));
        let graph = graph.map_err(Failure::source)?;
        let known = |name: &String| found.gains.values().all(|gains| gains.contains_key(name));
        if at > 0 && graph.nodes.iter().zip(counts(&graph)).all(|(node, counts)| !counts || known(&node.name)) {
            continue;
        }
        let probed = if at == 0 { probed } else { probed.min(OTHER_WAYS) };
        for sample in 0..probed {
            seldom.say(|| format!("gains {} of {probed}", sample + 1));
            add_gains(&mut found.gains, &graph, &samples[sample * samples.len() / probed], &parameters)?;
        }
    }
    let output = arguments.output.unwrap_or_else(|| arguments.model.model.with_extension("ranges.json"));
    files::write(&output, calibration::text(&found)?.as_bytes())?;
    messages::say(&format!(
        "{}: {} ranges, {} norms and {} gains from {} samples, margin {}",
        output.display(),
        found.seen.len(),
        found.norms.len(),
        found.gains.values().map(BTreeMap::len).sum::<usize>(),
        samples.len(),
        arguments.margin
    ));
    Ok(())
}

/// A plan holds no graph, but it names the files of its source, the entry and the sizes; the source stands beside it.
fn of_plan(model: &mut ModelArguments) -> Result<(), Failure> {
    let plan = Plan::from_bytes(&files::read(&model.model, MAX_PLAN)?)?;
    let folder = model.model.parent().unwrap_or(Path::new(""));
    let declares = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().any(|line| {
            let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            words.next() == Some("model") && words.next() == Some(&plan.model)
        })
    };
    let named: BTreeSet<PathBuf> = plan.origins.iter().map(|origin| folder.join(&origin.file)).collect();
    let Some(source) = named.into_iter().chain([model.model.with_extension("ptx")]).find(declares) else {
        return Err(Failure::new(
            format!("a plan holds no graph, and the source of its model `{}` is not beside it", plan.model),
            "give the model's source: `ptc calibrate MODEL.ptx --dim ...`",
        ));
    };
    model.model = source;
    model.entry = model.entry.take().or(Some(plan.entry));
    let given: BTreeSet<String> = model.dims.iter().map(|(name, _)| name.clone()).collect();
    model.dims.extend(plan.dims.into_iter().filter(|(name, _)| !given.contains(name)));
    Ok(())
}

/// Matrices that a party knows and that private values are multiplied by.
fn matrices(graph: &Graph) -> BTreeSet<NodeId> {
    let products = graph.nodes.iter().filter(|node| matches!(node.op, Op::Apply(Operator::MatMul { .. })));
    let known = |id: &NodeId| graph.node(*id).visibility != Visibility::Secret && graph.node(*id).shape.len() == 2;
    products.filter(|node| node.visibility == Visibility::Secret).map(|node| node.inputs[1]).filter(known).collect()
}

/// What the numbers come from.
fn digest(arguments: &Arguments, text: &str, graph: &Graph) -> Result<String, Failure> {
    let mut hash = Sha256::new();
    hash.update(text);
    for (name, size) in &graph.dims {
        hash.update(format!("\0{name}={size}"));
    }
    for file in [Some(&arguments.samples), arguments.tokenizer.as_ref()].into_iter().flatten() {
        hash.update([0]);
        hash.update(files::read(file, u64::MAX)?);
    }
    hash.update([0]);
    for file in weights::checkpoint::files(&arguments.weights)? {
        std::io::copy(&mut std::fs::File::open(file)?, &mut hash)?;
    }
    Ok(hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect())
}

fn widen(seen: &mut BTreeMap<String, (f64, f64)>, name: &str, value: &FloatTensor) {
    let ends = value.data.iter().fold((f64::MAX, f64::MIN), |(l, h), &x| (l.min(x.into()), h.max(x.into())));
    match seen.get_mut(name) {
        Some(range) => *range = (range.0.min(ends.0), range.1.max(ends.1)),
        None => {
            seen.insert(name.to_string(), ends);
        }
    }
}

/// Ways to decompose, the default first: each has values of its own.
fn ways() -> Vec<Recipes> {
    let maxima = [Maximum::Tournament, Maximum::Levels, Maximum::Bound];
    let ways = maxima.into_iter().flat_map(|maximum| {
        [Power::Clipped, Power::Wide].map(|power| Recipes { maximum, power, ..Recipes::default() })
    });
    ways.collect()
}

/// Private values, and what is shared or encoded for them, as far as an output needs them.
fn counts(graph: &Graph) -> Vec<bool> {
    let mut live = vec![false; graph.nodes.len()];
    let mut counts = vec![false; graph.nodes.len()];
    graph.outputs.iter().for_each(|output| live[output.node.0 as usize] = true);
    for (id, node) in graph.nodes.iter().enumerate().rev() {
        if !live[id] {
            continue;
        }
        let secret = node.visibility == Visibility::Secret || matches!(node.op, Op::Reveal { .. });
        counts[id] |= secret;
        for input in &node.inputs {
            live[input.0 as usize] = true;
            counts[input.0 as usize] |= secret;
        }
    }
    counts
}

/// Gains of what counts: the largest over the samples.
fn add_gains(
    all: &mut BTreeMap<String, BTreeMap<String, Gain>>,
    graph: &Graph,
    inputs: &Tensors,
    parameters: &Tensors,
) -> Result<(), Failure> {
    let counts = counts(graph);
    for (at, output) in graph.outputs.iter().enumerate() {
        let gains = sensitivity::gains(graph, inputs, parameters, at, PROBES)?;
        let of_output = all.entry(output.name.clone()).or_default();
        for (id, gain) in gains.into_iter().enumerate().filter(|(id, _)| counts[*id]) {
            let slot = of_output.entry(graph.nodes[id].name.clone()).or_default();
            *slot = slot.max(gain.unwrap_or_default());
        }
    }
    Ok(())
}

fn samples(arguments: &Arguments, graph: &Graph) -> Result<Vec<Tensors>, Failure> {
    let text = model::read_text(&arguments.samples)?;
    let inputs: Vec<_> = graph
        .nodes
        .iter()
        .filter_map(|node| match &node.op {
            Op::Input { name, kind, .. } => Some((name.clone(), *kind, node.shape.clone())),
            _ => None,
        })
        .collect();
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    // Arrays are taken of ids too, where no tokenizer is to make them.
    let arrays = arguments.tokenizer.is_none() && text.trim_start().starts_with('{');
    if arrays || !inputs.iter().any(|(_, kind, _)| *kind == InputKind::Token) {
        return lines.map(|line| crate::arrays::named_tensors(line).map_err(Failure::from)).collect();
    }
    let Some(tokenizer) = &arguments.tokenizer else {
        return Err(Failure::new(
            "the model reads tokens, and no tokenizer was given",
            "add `--tokenizer tokenizer.json`, or give arrays: a line is {\"ids\": {\"shape\": [8], \"data\": [...]}, ...}",
        ));
    };
    let tokens = Tokens::open(tokenizer)?;
    let encoded = |line: &str| tokens.inputs(&sample(line), &inputs, TooLong::Cut, Side::Right);
    lines.map(|line| Ok(encoded(line)?.arrays)).collect()
}

/// A text, or an object with one.
fn sample(line: &str) -> Query {
    #[derive(serde::Deserialize)]
    struct Texts {
        text: String,
        pair: Option<String>,
    }
    match serde_json::from_str(line) {
        Ok(Texts { text, pair }) => Query { text, pair },
        Err(_) => Query::of(line),
    }
}
