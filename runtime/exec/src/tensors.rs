//! Named tensors from outside, parameters and inputs, held against what the plan declares.

use std::collections::BTreeMap;

use ptc_plan::Plan;
use ptc_plan::file::{Input, InputKind, Parameter};
use ptc_plan::float::FloatTensor;
use ptc_plan::step::Party;

use crate::error::RunError;

pub type Tensors = BTreeMap<String, FloatTensor>;

/// A report lists this many faults at most.
const MOST: usize = 12;

/// The parameters that `party` must hold are there, and nothing is wrong with them. Others are left alone: whether they
/// belong is for whoever read the file to decide.
pub fn check_parameters(plan: &Plan, party: Party, tensors: &Tensors) -> Result<(), RunError> {
    let known = plan.parameters.iter().filter(|parameter| parameter.owner.knows(party));
    let faults = known.filter_map(|parameter| match tensors.get(&parameter.path) {
        Some(tensor) => parameter_fault(parameter, tensor),
        None => {
            Some(format!("the plan needs a tensor `{}` of shape {:?}; it is missing", parameter.path, parameter.shape))
        }
    });
    match shortened(faults.collect()) {
        faults if faults.is_empty() => Ok(()),
        faults => Err(RunError::Parameters(faults)),
    }
}

/// What is wrong with one parameter.
pub fn parameter_fault(parameter: &Parameter, tensor: &FloatTensor) -> Option<String> {
    let Parameter { path, shape, limit, .. } = parameter;
    if tensor.shape != *shape {
        return Some(format!("`{path}` has shape {:?}, the plan needs {shape:?}", tensor.shape));
    }
    if let Some(at) = tensor.data.iter().position(|x| !x.is_finite()) {
        let value = tensor.data[at];
        return Some(format!("`{path}` holds {value} at {:?}; every weight must be a finite number", place(at, shape)));
    }
    let at = tensor.data.iter().position(|x| x.abs() > *limit)?;
    Some(format!(
        "`{path}` holds {} at {:?}, beyond the {limit} that the plan's rings allow\n\
         hint: calibrate with these weights (`ptc calibrate`) and build again",
        tensor.data[at],
        place(at, shape)
    ))
}

/// The inputs that `party` gives: all that it owns, none else, each as declared.
pub fn check_inputs(plan: &Plan, party: Party, tensors: &Tensors) -> Result<(), RunError> {
    check_given(&plan.entry, &plan.inputs, party, tensors)
}

/// The same for inputs that are not a plan's: those of one query of a batch.
pub fn check_given(entry: &str, inputs: &[Input], party: Party, tensors: &Tensors) -> Result<(), RunError> {
    let known: Vec<&Input> = inputs.iter().filter(|input| input.owner.knows(party)).collect();
    let mut faults: Vec<String> = known
        .iter()
        .filter_map(|input| match tensors.get(&input.name) {
            Some(tensor) => input_fault(input, tensor),
            None => Some(format!(
                "the entry `{entry}` needs an input `{}` of shape {:?}; it is missing",
                input.name, input.shape
            )),
        })
        .collect();
    let names: Vec<String> = known.iter().map(|input| format!("`{}`", input.name)).collect();
    for name in tensors.keys().filter(|&name| known.iter().all(|input| input.name != *name)) {
        let takes = if names.is_empty() { "nothing".to_string() } else { names.join(", ") };
        faults.push(format!("the entry `{entry}` has no input `{name}` of this party; it takes {takes}"));
    }
    if faults.is_empty() { Ok(()) } else { Err(RunError::Inputs(shortened(faults))) }
}

fn input_fault(input: &Input, tensor: &FloatTensor) -> Option<String> {
    let Input { name, shape, limit, .. } = input;
    if tensor.shape != *shape {
        return Some(format!("input `{name}` has shape {:?}, the entry takes {shape:?}", tensor.shape));
    }
    let allowed = |x: f32| match input.kind {
        InputKind::Real => x.abs() <= *limit,
        InputKind::Token => x >= 0.0 && x < *limit && x.fract() == 0.0,
        InputKind::Bit => x == 0.0 || x == 1.0,
    };
    let at = tensor.data.iter().position(|&x| !allowed(x))?;
    let wanted = match input.kind {
        InputKind::Real => format!("numbers from -{limit} to {limit}"),
        InputKind::Token => format!("whole numbers from 0 to {}", limit - 1.0),
        InputKind::Bit => "zeros and ones".to_string(),
    };
    Some(format!("input `{name}` holds {} at {:?}; it takes {wanted}", tensor.data[at], place(at, shape)))
}

fn shortened(mut faults: Vec<String>) -> Vec<String> {
    if faults.len() > MOST {
        let more = faults.len() - MOST + 1;
        faults.truncate(MOST - 1);
        faults.push(format!("and {more} more"));
    }
    faults
}

/// The index of flat element `at`.
fn place(at: usize, shape: &[usize]) -> Vec<usize> {
    let mut rest = at;
    let mut index: Vec<usize> = shape
        .iter()
        .rev()
        .map(|&size| {
            let own = rest % size.max(1);
            rest /= size.max(1);
            own
        })
        .collect();
    index.reverse();
    index
}
