//! `ptc calibrate`: the range of every value, seen on samples.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use ptc_ir::evaluate::{self, Tensors};
use ptc_ir::graph::{Graph, NodeId, Op};
use ptc_plan::file::InputKind;
use ptc_plan::float::FloatTensor;

use crate::calibration;
use crate::failure::Failure;
use crate::model::{self, ModelArguments};
use crate::tokens::{Tokens, TooLong};
use crate::weights;

/// Measure the ranges of a model's values on samples, for `ptc build --ranges`
///
/// Runs the model in floating point on this machine: the owner of the weights calibrates, on samples of its own. The file
/// holds one pair of numbers for each value of the model, widened by the margin when it is used.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    pub model: ModelArguments,
    #[arg(long, value_name = "FILE.safetensors")]
    pub weights: PathBuf,
    /// One text a line, for models whose input is tokens; else one JSON object of named tensors a line.
    #[arg(long, value_name = "FILE")]
    pub samples: PathBuf,
    /// Needed for samples of text.
    #[arg(long, value_name = "FILE.json")]
    pub tokenizer: Option<PathBuf>,
    /// Factor by which bounds exceed what the samples show.
    #[arg(long, default_value_t = 2.0)]
    pub margin: f64,
    /// Default: `MODEL.ranges.json` beside the model.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let mut request = arguments.model.request()?;
    request.passes.calibration.seen.clear();
    let graph = ptc_driver::calibrated_graph(&arguments.model.model, &arguments.model.text()?, &request)
        .map_err(Failure::source)?;
    let paths = graph.nodes.iter().filter_map(|node| match &node.op {
        Op::Parameter { path } => Some(path.clone()),
        _ => None,
    });
    let parameters = weights::read(&arguments.weights, paths.collect())?;
    let measured: BTreeSet<NodeId> = ptc_passes::measured(&graph).collect();
    let mut seen: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    let samples = samples(&arguments, &graph)?;
    for (at, inputs) in samples.iter().enumerate() {
        eprintln!("sample {} of {}", at + 1, samples.len());
        evaluate::for_each_value(&graph, inputs, &parameters, |id, value| {
            let node = graph.node(id);
            if measured.contains(&id) {
                widen(&mut seen, &node.name, value);
            }
        })?;
    }
    let output = arguments.output.unwrap_or_else(|| arguments.model.model.with_extension("ranges.json"));
    let calibration = ptc_passes::options::Calibration { margin: arguments.margin, seen };
    model::write(&output, calibration::text(&calibration)?.as_bytes())?;
    eprintln!(
        "{}: {} ranges from {} samples, margin {}",
        output.display(),
        calibration.seen.len(),
        samples.len(),
        arguments.margin
    );
    Ok(())
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
    if !inputs.iter().any(|(_, kind, _)| *kind == InputKind::Token) {
        return lines.map(|line| crate::arrays::named_tensors(line).map_err(Failure::from)).collect();
    }
    let Some(tokenizer) = &arguments.tokenizer else {
        return Err(Failure::new(
            "the model reads tokens, and no tokenizer was given",
            "add `--tokenizer tokenizer.json`",
        ));
    };
    let tokens = Tokens::open(tokenizer)?;
    lines.map(|line| tokens.inputs(line, &inputs, TooLong::Cut).map_err(Failure::from)).collect()
}
