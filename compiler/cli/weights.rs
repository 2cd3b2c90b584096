//! Weights from `.safetensors` files: the tensors that are asked for, and nothing read beyond them.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use ptc_plan::Plan;
use ptc_plan::file::Parameter;
use ptc_plan::float::FloatTensor;
use ptc_plan::step::{Owner, Party};
use ptc_syntax::suggest::nearest;

use crate::files::FileError;

pub mod checkpoint;

use checkpoint::{Checkpoint, Place};

#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    #[error("`{}` cannot be read: {error}\nhint: check the path and its rights", path.display())]
    Read { path: PathBuf, error: std::io::Error },
    #[error("`{}` is no safetensors file: {problem}\nhint: copy or convert it again", path.display())]
    Malformed { path: PathBuf, problem: String },
    #[error("`{}` is no index of a checkpoint: {problem}\nhint: copy or convert the checkpoint again", path.display())]
    Index { path: PathBuf, problem: String },
    #[error(
        "`{}` has neither `model.safetensors` nor `model.safetensors.index.json`\n\
         hint: give the folder of a checkpoint in the safetensors format; transformers writes it with \
         `model.save_pretrained(FOLDER, safe_serialization=True)`",
        path.display()
    )]
    NoCheckpoint { path: PathBuf },
    #[error(transparent)]
    File(#[from] FileError),
    /// The problems, and hints that serve several of them.
    #[error("the weights in `{}` do not fit:{}", path.display(), list(problems))]
    DoNotFit { path: PathBuf, problems: Vec<String> },
}

/// The parameters of `plan` that `party` gives: the server its own and the public ones, the client its own. Tensors of the
/// file that the plan does not name are refused, unless their name is one of `unused` or begins with one and a dot.
pub fn load(
    path: &Path,
    plan: &Plan,
    party: Party,
    unused: &[String],
) -> Result<BTreeMap<String, FloatTensor>, WeightsError> {
    let mut file = Checkpoint::open(path)?;
    let mut problems = vec![];
    let mut tensors = BTreeMap::new();
    for parameter in plan.parameters.iter().filter(|parameter| gives(party, parameter.owner)) {
        match file.parameter(parameter, plan)? {
            Ok(tensor) => {
                tensors.insert(parameter.path.clone(), tensor);
            }
            Err(problem) => problems.push(problem),
        }
    }
    problems.extend(file.extra(plan, unused));
    if problems.is_empty() { Ok(tensors) } else { Err(WeightsError::DoNotFit { path: path.into(), problems }) }
}

/// The tensors of these names, whatever else the file holds, in the shapes that they have.
pub fn read(path: &Path, names: Vec<String>) -> Result<BTreeMap<String, FloatTensor>, WeightsError> {
    let mut file = Checkpoint::open(path)?;
    let mut problems = vec![];
    let mut tensors = BTreeMap::new();
    for name in names {
        let Some(place) = file.tensors.get(&name).cloned() else {
            let near = nearest(&name, file.tensors.keys().map(String::as_str));
            problems.push(format!("`{name}` is not in the file{}", meant(near)));
            continue;
        };
        match file.tensor(&name, &place)? {
            Ok(tensor) => {
                tensors.insert(name, tensor);
            }
            Err(problem) => problems.push(format!("`{name}` {problem}")),
        }
    }
    if problems.is_empty() { Ok(tensors) } else { Err(WeightsError::DoNotFit { path: path.into(), problems }) }
}

fn gives(party: Party, owner: Owner) -> bool {
    match owner {
        Owner::Server | Owner::Both => party == Party::Server,
        Owner::Client => party == Party::Client,
    }
}

impl Checkpoint {
    /// The inner result is about the parameter, the outer one about the file.
    fn parameter(&mut self, parameter: &Parameter, plan: &Plan) -> Result<Result<FloatTensor, String>, WeightsError> {
        let Parameter { path, shape, limit, .. } = parameter;
        let Some(place) = self.tensors.get(path).cloned() else {
            return Ok(Err(format!(
                "`{path}` is {shape:?} in the plan, and not in the file{}",
                self.meant(path, plan)
            )));
        };
        if place.info.shape != *shape {
            let turned = shape.iter().rev().eq(&place.info.shape);
            let hint =
                if turned { "\nhint: it is transposed; `Conv1D` holds [IN, OUT], `Linear` [OUT, IN]" } else { "" };
            return Ok(Err(format!("`{path}` is {shape:?} in the plan, {:?} in the file{hint}", place.info.shape)));
        }
        Ok(match self.tensor(path, &place)? {
            Ok(tensor) => match tensor.data.iter().position(|x| x.abs() > *limit) {
                None => Ok(tensor),
                Some(_) => Err(format!(
                    "`{path}` {shape:?} has values of up to {}, the plan's rings hold {limit}\n\
                     hint: run `ptc calibrate` on these weights and build again",
                    tensor.max_abs()
                )),
            },
            Err(problem) => Err(format!("`{path}` {shape:?} {problem}")),
        })
    }

    /// The file's name for what the plan calls `path`, among those that nothing in the plan claims.
    fn meant(&self, path: &str, plan: &Plan) -> String {
        let claimed = claimed(plan);
        let free = || self.tensors.keys().map(String::as_str).filter(|name| !claimed.contains_key(name));
        let ends = |name: &&str| name.strip_suffix(path).is_some_and(|prefix| prefix.ends_with('.'));
        meant(free().find(ends).or_else(|| nearest(path, free())))
    }

    fn extra(&self, plan: &Plan, unused: &[String]) -> Vec<String> {
        let claimed = claimed(plan);
        let extra: Vec<(&String, &Place)> = self
            .tensors
            .iter()
            .filter(|(name, _)| !claimed.contains_key(name.as_str()) && !unused.iter().any(|u| covers(u, name)))
            .collect();
        let mut problems: Vec<String> = extra
            .iter()
            .map(|(name, place)| format!("`{name}` is {:?} in the file, and not in the plan", place.info.shape))
            .collect();
        if let Some(last) = problems.last_mut() {
            let mut tops: Vec<&str> = extra.iter().map(|(name, _)| top(name, claimed.keys().copied())).collect();
            tops.dedup();
            let options: Vec<String> = tops.into_iter().map(|top| format!("--unused {top}")).collect();
            *last += &format!("\nhint: if the model does not need them, say so: `{}`", options.join(" "));
        }
        problems
    }
}

fn claimed(plan: &Plan) -> HashMap<&str, &Parameter> {
    plan.parameters.iter().map(|parameter| (parameter.path.as_str(), parameter)).collect()
}

fn covers(unused: &str, name: &str) -> bool {
    name.strip_prefix(unused).is_some_and(|rest| rest.is_empty() || rest.starts_with('.') || unused.ends_with('.'))
}

/// The shortest beginning of `name` at a dot that covers no claimed name.
fn top<'a>(name: &'a str, claimed: impl Iterator<Item = &'a str> + Clone) -> &'a str {
    let ends = name.match_indices('.').map(|(at, _)| at).chain([name.len()]);
    ends.map(|end| &name[..end]).find(|top| !claimed.clone().any(|other| covers(top, other))).unwrap_or(name)
}

fn meant(name: Option<&str>) -> String {
    name.map_or(String::new(), |name| format!("\nhint: the file has `{name}`"))
}

fn list(problems: &[String]) -> String {
    problems.iter().map(|problem| format!("\n  {}", problem.replace('\n', "\n    "))).collect()
}

#[cfg(test)]
mod tests;
