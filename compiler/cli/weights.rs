//! Weights from a `.safetensors` file: the tensors that are asked for, and nothing read beyond them.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use ptc_plan::Plan;
use ptc_plan::check::MAX_ELEMENTS;
use ptc_plan::file::Parameter;
use ptc_plan::float::FloatTensor;
use ptc_plan::step::{Owner, Party};
use ptc_syntax::suggest::nearest;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

/// As in the safetensors library.
const MAX_HEADER: u64 = 100_000_000;

#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    #[error("`{}` cannot be read: {error}\nhint: check the path and its rights", path.display())]
    Read { path: PathBuf, error: std::io::Error },
    #[error("`{}` is no safetensors file: {problem}\nhint: copy or convert it again", path.display())]
    Malformed { path: PathBuf, problem: String },
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
        let Some(info) = file.tensors.get(&name).cloned() else {
            let near = nearest(&name, file.tensors.keys().map(String::as_str));
            problems.push(format!("`{name}` is not in the file{}", meant(near)));
            continue;
        };
        match file.tensor(&name, &info)? {
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

struct Checkpoint {
    path: PathBuf,
    file: File,
    /// Where the data of the tensors starts.
    data: u64,
    tensors: BTreeMap<String, TensorInfo>,
}

impl Checkpoint {
    fn open(path: &Path) -> Result<Checkpoint, WeightsError> {
        let failed = |error| WeightsError::Read { path: path.into(), error };
        let malformed = |problem: String| WeightsError::Malformed { path: path.into(), problem };
        let mut file = File::open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let mut size = [0; 8];
        file.read_exact(&mut size).map_err(|_| malformed("it has fewer than 8 bytes".into()))?;
        let size = u64::from_le_bytes(size);
        if size > MAX_HEADER || size.saturating_add(8) > length {
            return Err(malformed(format!("it says that its header has {size} bytes, and has {length} in all")));
        }
        let mut header = vec![];
        (&mut file).take(size).read_to_end(&mut header).map_err(failed)?;
        // Checks that the tensors lie one behind the other and that each fills its shape.
        let metadata: Metadata = serde_json::from_slice(&header).map_err(|error| malformed(error.to_string()))?;
        let expected = (metadata.data_len() as u64).saturating_add(8 + size);
        if expected != length {
            return Err(malformed(format!("its header describes {expected} bytes, and it has {length}")));
        }
        let tensors: BTreeMap<_, _> = metadata.tensors().into_iter().map(|(name, info)| (name, info.clone())).collect();
        // They are printed to terminals.
        if let Some(name) = tensors.keys().find(|name| name.chars().any(char::is_control)) {
            return Err(malformed(format!("the name {name:?} has control characters")));
        }
        Ok(Checkpoint { path: path.into(), file, data: 8 + size, tensors })
    }

    /// The inner result is about the parameter, the outer one about the file.
    fn parameter(&mut self, parameter: &Parameter, plan: &Plan) -> Result<Result<FloatTensor, String>, WeightsError> {
        let Parameter { path, shape, limit, .. } = parameter;
        let Some(info) = self.tensors.get(path).cloned() else {
            return Ok(Err(format!(
                "`{path}` is {shape:?} in the plan, and not in the file{}",
                self.meant(path, plan)
            )));
        };
        if info.shape != *shape {
            let turned = shape.iter().rev().eq(&info.shape);
            let hint =
                if turned { "\nhint: it is transposed; `Conv1D` holds [IN, OUT], `Linear` [OUT, IN]" } else { "" };
            return Ok(Err(format!("`{path}` is {shape:?} in the plan, {:?} in the file{hint}", info.shape)));
        }
        Ok(match self.tensor(path, &info)? {
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

    fn tensor(&mut self, name: &str, info: &TensorInfo) -> Result<Result<FloatTensor, String>, WeightsError> {
        let (start, end) = info.data_offsets;
        let failed = |error| WeightsError::Read { path: self.path.clone(), error };
        let count: usize = info.shape.iter().product();
        if count > MAX_ELEMENTS {
            return Ok(Err(format!("has {count} elements, more than the limit of {MAX_ELEMENTS}")));
        }
        let mut bytes = vec![];
        self.file.seek(SeekFrom::Start(self.data + start as u64)).map_err(failed)?;
        (&mut self.file).take((end - start) as u64).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() != end - start {
            let problem = format!("it became shorter while `{name}` was read");
            return Err(WeightsError::Malformed { path: self.path.clone(), problem });
        }
        let data = match floats(info.dtype, &bytes) {
            Some(data) => data,
            None => return Ok(Err(format!("holds {}; F32, F64, F16 and BF16 can be read", info.dtype))),
        };
        Ok(match data.iter().position(|x| !x.is_finite()) {
            None => Ok(FloatTensor::new(info.shape.clone(), data)),
            Some(at) => {
                let bad = data.iter().filter(|x| !x.is_finite()).count();
                let index = index(at, &info.shape);
                Err(format!("has {} at {index:?}; {bad} of its {count} values are not finite numbers", data[at]))
            }
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
        let extra: Vec<(&String, &TensorInfo)> = self
            .tensors
            .iter()
            .filter(|(name, _)| !claimed.contains_key(name.as_str()) && !unused.iter().any(|u| covers(u, name)))
            .collect();
        let mut problems: Vec<String> = extra
            .iter()
            .map(|(name, info)| format!("`{name}` is {:?} in the file, and not in the plan", info.shape))
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

fn index(mut at: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (i, &size) in index.iter_mut().zip(shape).rev() {
        *i = at % size;
        at /= size;
    }
    index
}

/// `None` for what are no floats. The bytes fill whole numbers: the header's check says so.
fn floats(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    fn each<const N: usize>(bytes: &[u8], float: fn([u8; N]) -> f32) -> Vec<f32> {
        bytes.as_chunks().0.iter().map(|&chunk| float(chunk)).collect()
    }
    match dtype {
        Dtype::F32 => Some(each(bytes, f32::from_le_bytes)),
        // Beyond single precision it becomes infinite, and is refused.
        Dtype::F64 => Some(each(bytes, |chunk| f64::from_le_bytes(chunk) as f32)),
        Dtype::F16 => Some(each(bytes, |chunk| f16::from_le_bytes(chunk).to_f32())),
        Dtype::BF16 => Some(each(bytes, |chunk| bf16::from_le_bytes(chunk).to_f32())),
        _ => None,
    }
}

fn list(problems: &[String]) -> String {
    problems.iter().map(|problem| format!("\n  {}", problem.replace('\n', "\n    "))).collect()
}

#[cfg(test)]
mod tests;
