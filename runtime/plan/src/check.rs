//! The one trust boundary of a plan from a file: after it, every index, shape, ring, kernel and round fits, and what is
//! opened is what the outputs list. Nothing past this point needs to doubt a plan.

use std::collections::BTreeSet;

use crate::file::{Input, InputKind, Output, Parameter, Plan};
use crate::kernel::Kernel;
use crate::price;
use crate::step::{Fixed, Form, Owner, Party, Step, StepOp, Value, ValueId};

mod step;

/// Elements of one value.
pub const MAX_ELEMENTS: usize = 1 << 31;

/// Queries that one run serves; more gain nothing over the next run.
pub const MAX_BATCH: u32 = 1 << 10;

const MAX_VALUES: usize = 1 << 20;
const MAX_STEPS: usize = 1 << 20;
const MAX_ROUNDS: u32 = 1 << 20;
const MAX_AXES: usize = 16;
const MAX_TEXT: usize = 1 << 16;

pub fn check(plan: &Plan) -> Result<(), String> {
    sizes(plan)?;
    texts(plan)?;
    for value in &plan.values {
        check_value(value)?;
    }
    for (at, kernel) in plan.kernels.iter().enumerate() {
        check_kernel(kernel).map_err(|error| format!("kernel {at}: {error}"))?;
    }
    let mut ready = Ready { plan, from: vec![None; plan.values.len()] };
    let mut names = BTreeSet::new();
    for parameter in &plan.parameters {
        check_parameter(plan, parameter).map_err(|error| format!("parameter `{}`: {error}", parameter.path))?;
        if !names.insert(&parameter.path) {
            return Err(format!("parameter `{}` stands there twice", parameter.path));
        }
        ready.define(parameter.value, 0)?;
    }
    names.clear();
    for input in &plan.inputs {
        check_input(plan, input).map_err(|error| format!("input `{}`: {error}", input.name))?;
        if !names.insert(&input.name) {
            return Err(format!("input `{}` stands there twice", input.name));
        }
        ready.define(input.value, 0)?;
    }
    for constant in &plan.constants {
        let value = get(plan, constant.value)?;
        if value.form != Form::Clear(Owner::Both) || value.len() != constant.data.len() {
            return Err(format!("constant `{}` does not fit its value", value.name));
        }
        ready.define(constant.value, 0)?;
    }
    check_steps(plan, &mut ready)?;
    check_static_factors(plan)?;
    let mut outputs = BTreeSet::new();
    for output in &plan.outputs {
        check_output(plan, &ready, output).map_err(|error| format!("output `{}`: {error}", output.name))?;
        if !outputs.insert((&output.name, output.to.index())) {
            return Err(format!("output `{}` stands there twice", output.name));
        }
    }
    check_batch(plan)?;
    check_reveals(plan)
}

/// Every input and result of a batch has its queries along the first axis.
fn check_batch(plan: &Plan) -> Result<(), String> {
    let Some(batch) = plan.batch else { return Ok(()) };
    if !(2..=MAX_BATCH).contains(&batch) {
        return Err(format!("a batch of {batch} queries is none of 2 to {MAX_BATCH}"));
    }
    let results = plan.outputs.iter().filter(|output| output.result).map(|output| (&output.name, output.value));
    for (name, value) in plan.inputs.iter().map(|input| (&input.name, input.value)).chain(results) {
        let shape = &get(plan, value)?.shape;
        if shape.first() != Some(&(batch as usize)) {
            return Err(format!("`{name}` of shape {shape:?} in a batch of {batch}"));
        }
    }
    Ok(())
}

/// The round from which each value is there.
struct Ready<'a> {
    plan: &'a Plan,
    from: Vec<Option<u32>>,
}

impl Ready<'_> {
    fn define(&mut self, value: ValueId, round: u32) -> Result<(), String> {
        match self.from.get_mut(value.0 as usize) {
            Some(from @ None) => *from = Some(round),
            Some(Some(_)) => return Err(format!("value `{}` is defined twice", get(self.plan, value)?.name)),
            None => return Err(format!("value {} does not exist", value.0)),
        }
        Ok(())
    }

    fn of(&self, value: ValueId) -> Result<u32, String> {
        match self.from.get(value.0 as usize) {
            Some(Some(round)) => Ok(*round),
            Some(None) => Err(format!("value `{}` is read before it is defined", get(self.plan, value)?.name)),
            None => Err(format!("value {} does not exist", value.0)),
        }
    }
}

fn get(plan: &Plan, value: ValueId) -> Result<&Value, String> {
    plan.values.get(value.0 as usize).ok_or_else(|| format!("value {} does not exist", value.0))
}

fn sizes(plan: &Plan) -> Result<(), String> {
    let limits = [
        ("values", plan.values.len(), MAX_VALUES),
        ("parameters", plan.parameters.len(), MAX_VALUES),
        ("inputs", plan.inputs.len(), 1 << 10),
        ("constants", plan.constants.len(), MAX_VALUES),
        ("kernels", plan.kernels.len(), 1 << 16),
        ("steps", plan.steps.len(), MAX_STEPS),
        ("outputs", plan.outputs.len(), 1 << 10),
        ("origins", plan.origins.len(), 1 << 20),
        ("notes", plan.notes.len(), 1 << 20),
        ("dims", plan.dims.len(), 1 << 10),
    ];
    match limits.into_iter().find(|&(_, found, limit)| found > limit) {
        Some((what, found, limit)) => Err(format!("{found} {what} are more than the limit of {limit}")),
        None => Ok(()),
    }
}

fn texts(plan: &Plan) -> Result<(), String> {
    let texts = [&plan.model, &plan.entry]
        .into_iter()
        .chain(plan.dims.iter().map(|(name, _)| name))
        .chain(plan.values.iter().map(|value| &value.name))
        .chain(plan.parameters.iter().map(|parameter| &parameter.path))
        .chain(plan.inputs.iter().map(|input| &input.name))
        .chain(plan.outputs.iter().flat_map(|output| [&output.name, &output.reason]))
        .chain(plan.origins.iter().flat_map(|origin| [&origin.file, &origin.text]))
        .chain(plan.notes.iter().flat_map(|note| [&note.value, &note.recipe]));
    for text in texts {
        if text.len() > MAX_TEXT {
            return Err(format!("a text of {} bytes is longer than the limit of {MAX_TEXT}", text.len()));
        }
        // They are printed to terminals.
        if text.chars().any(|c| c.is_control() && c != '\t') {
            return Err(format!("the text {text:?} has control characters"));
        }
    }
    Ok(())
}

fn check_value(value: &Value) -> Result<(), String> {
    let error = |what: &str| Err(format!("value `{}` of shape {:?} {what}", value.name, value.shape));
    if value.shape.len() > MAX_AXES {
        return error("has too many axes");
    }
    if value.shape.contains(&0) {
        return error("is empty");
    }
    let elements = value.shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
    if elements.is_none_or(|elements| elements > MAX_ELEMENTS) {
        return error(&format!("has more than {MAX_ELEMENTS} elements"));
    }
    match value.form {
        Form::Share(Fixed { bits, frac }) | Form::Encoded(_, Fixed { bits, frac })
            if !(1..=64).contains(&bits) || frac > 63 =>
        {
            error(&format!("has a ring of {bits} bits with {frac} of them behind the point"))
        }
        _ => Ok(()),
    }
}

fn check_kernel(kernel: &Kernel) -> Result<(), String> {
    match kernel {
        Kernel::Product { k: 1.., n: 1.., .. } => Ok(()),
        Kernel::Product { k, n, .. } => Err(format!("a product with a matrix of {k} rows and {n} columns")),
        Kernel::Elementwise(elementwise) => elementwise.check(),
    }
}

fn check_parameter(plan: &Plan, parameter: &Parameter) -> Result<(), String> {
    fits(get(plan, parameter.value)?, parameter.owner, &parameter.shape)?;
    check_limit(parameter.limit)
}

fn check_input(plan: &Plan, input: &Input) -> Result<(), String> {
    fits(get(plan, input.value)?, input.owner, &input.shape)?;
    match input.kind {
        InputKind::Token if input.limit < 1.0 => Err(format!("{} tokens", input.limit)),
        _ => check_limit(input.limit),
    }
}

fn fits(value: &Value, owner: Owner, shape: &[usize]) -> Result<(), String> {
    if value.form != Form::Clear(owner) || value.shape != shape {
        return Err(format!("declared as {shape:?} of {owner:?}, but its value is {:?} {:?}", value.form, value.shape));
    }
    Ok(())
}

fn check_limit(limit: f32) -> Result<(), String> {
    // Not a number fails too.
    if limit >= 0.0 { Ok(()) } else { Err(format!("its limit is {limit}")) }
}

fn check_steps(plan: &Plan, ready: &mut Ready) -> Result<(), String> {
    let mut last = 0;
    for (at, step) in plan.steps.iter().enumerate() {
        let place = |error: String| format!("step {at} (`{}`){}: {error}", step.op.name(), line_of(plan, step));
        let round = check_order(plan, ready, step, last).map_err(place)?;
        step::check(plan, step).map_err(place)?;
        let end = round + price::rounds(&plan.values, step).len() as u32;
        if end > MAX_ROUNDS {
            return Err(place(format!("it ends in round {end}, beyond the limit of {MAX_ROUNDS}")));
        }
        for &output in &step.outputs {
            ready.define(output, end).map_err(place)?;
        }
        last = round;
    }
    Ok(())
}

fn line_of(plan: &Plan, step: &Step) -> String {
    match plan.origins.get(step.origin as usize) {
        Some(origin) => format!(" at {}:{}", origin.file, origin.line),
        None => String::new(),
    }
}

/// Rounds ascend, and inputs are there when their step starts.
fn check_order(plan: &Plan, ready: &Ready, step: &Step, last: u32) -> Result<u32, String> {
    if step.origin as usize >= plan.origins.len() && !(step.origin == 0 && plan.origins.is_empty()) {
        return Err(format!("its origin {} does not exist", step.origin));
    }
    if step.round < last || step.round > MAX_ROUNDS {
        return Err(format!("it starts in round {} after a step of round {last}", step.round));
    }
    for &input in &step.inputs {
        let from = ready.of(input)?;
        if from > step.round {
            let name = &get(plan, input)?.name;
            return Err(format!("it starts in round {}, but `{name}` is there from round {from} on", step.round));
        }
    }
    Ok(step.round)
}

fn check_output(plan: &Plan, ready: &Ready, output: &Output) -> Result<(), String> {
    ready.of(output.value)?;
    match get(plan, output.value)?.form {
        Form::Clear(owner) if owner.knows(output.to) => Ok(()),
        form => Err(format!("it is for the {:?}, but its value is {form:?}", output.to)),
    }
}

/// The server's factors are masked or encoded once for a session: they must not depend on a query.
fn check_static_factors(plan: &Plan) -> Result<(), String> {
    let mut fixed = vec![false; plan.values.len()];
    let given = plan.parameters.iter().map(|p| p.value).chain(plan.constants.iter().map(|c| c.value));
    given.for_each(|id| fixed[id.0 as usize] = true);
    for (at, step) in plan.steps.iter().enumerate() {
        let local = matches!(step.op, StepOp::Clear(_) | StepOp::Encode | StepOp::Layout(_));
        if local && step.inputs.iter().all(|id| fixed[id.0 as usize]) {
            step.outputs.iter().for_each(|id| fixed[id.0 as usize] = true);
        }
        let owner = match step.op {
            StepOp::StaticMatMul { owner, .. } | StepOp::StaticMul { owner, .. } => Some(owner),
            StepOp::EncryptedMatMul { .. } => Some(Party::Server),
            _ => None,
        };
        if owner == Some(Party::Server)
            && let Some(factor) = step.inputs.get(1)
            && !fixed[factor.0 as usize]
        {
            let name = &get(plan, *factor)?.name;
            return Err(format!("step {at} takes `{name}` once for all queries, but it depends on the query"));
        }
    }
    Ok(())
}

/// Every opened value is an output to the same party, or the party computes such an output from it in the clear.
fn check_reveals(plan: &Plan) -> Result<(), String> {
    // Values from which a listed output is computed, by party; backwards through the clear steps.
    let mut listed = vec![[false; 2]; plan.values.len()];
    for output in &plan.outputs {
        listed[output.value.0 as usize][output.to.index()] = true;
    }
    for (at, step) in plan.steps.iter().enumerate().rev() {
        let mut wanted = [false; 2];
        for output in &step.outputs {
            for party in 0..2 {
                wanted[party] |= listed[output.0 as usize][party];
            }
        }
        match step.op {
            StepOp::Clear(_) => {
                for input in &step.inputs {
                    for party in 0..2 {
                        listed[input.0 as usize][party] |= wanted[party];
                    }
                }
            }
            StepOp::Reveal { to } if !wanted[to.index()] => {
                let name = step.inputs.first().and_then(|&id| get(plan, id).ok()).map_or("", |v| &v.name);
                let party = match to {
                    Party::Server => "server",
                    Party::Client => "client",
                };
                return Err(format!("step {at} opens `{name}` to the {party}, but no output lists it"));
            }
            _ => {}
        }
    }
    Ok(())
}
