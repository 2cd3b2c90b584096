//! Queries that a plan serves together: stacked on their way in, told apart on their way out.
//!
//! A batch with fewer queries than the plan takes is filled with copies of the last one, whose results are dropped. The other
//! party sees the same messages whether a query is a copy or not; only who receives results can tell that some are equal.

use ptc_plan::Plan;
use ptc_plan::file::Input;
use ptc_plan::float::FloatTensor;

use crate::tensors::Tensors;

/// What one query gives.
pub fn inputs(plan: &Plan) -> Vec<Input> {
    let mut inputs = plan.inputs.clone();
    if plan.batch.is_some() {
        for input in &mut inputs {
            // A checked plan has the queries there.
            input.shape.remove(0);
        }
    }
    inputs
}

/// How often the plan runs for so many queries.
pub fn runs(plan: &Plan, queries: usize) -> usize {
    queries.div_ceil(size(plan))
}

/// Of `queries` in all, those of a run, in their order; the last stands for those that lack.
pub fn members(plan: &Plan, queries: usize, run: usize) -> Vec<usize> {
    let size = size(plan);
    let last = queries.saturating_sub(1);
    (0..size).map(|at| run.saturating_mul(size).saturating_add(at).min(last)).collect()
}

/// The plan's inputs in a run. What queries give has the shapes of [`inputs`]; what not all of them give is left out.
pub fn stack(plan: &Plan, queries: &[Tensors], run: usize) -> Tensors {
    let Some(first) = queries.first() else { return Tensors::new() };
    let members = members(plan, queries.len(), run);
    if plan.batch.is_none() {
        return queries[members[0]].clone();
    }
    let all = |name: &String| stacked(members.iter().map(|&query| &queries[query][name]));
    let common = first.keys().filter(|&name| queries.iter().all(|query| query.contains_key(name)));
    common.map(|name| (name.clone(), all(name))).collect()
}

/// Tensors of one shape along a new first axis.
pub fn stacked<'a>(tensors: impl Iterator<Item = &'a FloatTensor>) -> FloatTensor {
    let (mut shape, mut data, mut count) = (vec![], vec![], 0);
    for tensor in tensors {
        assert!(count == 0 || shape == tensor.shape, "tensors of one shape");
        shape.clone_from(&tensor.shape);
        data.extend_from_slice(&tensor.data);
        count += 1;
    }
    shape.insert(0, count);
    FloatTensor::new(shape, data)
}

/// The results of each query, from those of each run.
pub fn split(plan: &Plan, runs: Vec<Tensors>, queries: usize) -> Vec<Tensors> {
    if plan.batch.is_none() {
        return runs;
    }
    let one = |run: &Tensors, at: usize| run.iter().map(|(name, all)| (name.clone(), slice(all, at))).collect();
    let all = runs.iter().flat_map(|run| (0..size(plan)).map(move |at| one(run, at)));
    all.take(queries).collect()
}

fn slice(stack: &FloatTensor, at: usize) -> FloatTensor {
    let shape = stack.shape[1..].to_vec();
    let length: usize = shape.iter().product();
    FloatTensor::new(shape, stack.data[at * length..(at + 1) * length].to_vec())
}

fn size(plan: &Plan) -> usize {
    plan.batch.map_or(1, |batch| batch.max(1) as usize)
}

#[cfg(test)]
mod tests {
    use ptc_plan::file::InputKind;
    use ptc_plan::step::{Owner, ValueId};

    use super::*;

    fn query(x: f32) -> Tensors {
        [("x".to_string(), FloatTensor::new(vec![2], vec![x, -x]))].into()
    }

    fn plan(batch: Option<u32>) -> Plan {
        let shape = batch.iter().map(|&batch| batch as usize).chain([2]).collect();
        let (name, kind, owner) = ("x".into(), InputKind::Real, Owner::Client);
        let input = Input { name, kind, shape, owner, value: ValueId(0), limit: 9.0 };
        Plan { batch, inputs: vec![input], ..Plan::default() }
    }

    /// So many queries go in, and come out in their order.
    fn check(batch: Option<u32>, queries: usize, expected: &[&[f32]]) {
        let plan = plan(batch);
        assert_eq!(inputs(&plan)[0].shape, [2]);
        let given: Vec<Tensors> = (0..queries).map(|at| query(at as f32)).collect();
        let runs: Vec<Tensors> = (0..runs(&plan, queries)).map(|run| stack(&plan, &given, run)).collect();
        let found: Vec<&[f32]> = runs.iter().map(|run| run["x"].data.as_slice()).collect();
        assert_eq!(found, expected);
        assert!(runs.iter().all(|run| run["x"].shape == plan.inputs[0].shape));
        assert_eq!(split(&plan, runs, queries), given);
    }

    #[test]
    fn queries_come_out_as_they_went_in() {
        check(None, 2, &[&[0.0, -0.0], &[1.0, -1.0]]);
        check(Some(2), 2, &[&[0.0, -0.0, 1.0, -1.0]]);
        check(Some(2), 3, &[&[0.0, -0.0, 1.0, -1.0], &[2.0, -2.0, 2.0, -2.0]]);
        check(Some(3), 1, &[&[0.0, -0.0, 0.0, -0.0, 0.0, -0.0]]);
    }

    #[test]
    fn who_gives_one_query_gives_it_in_every_run() {
        let plan = plan(Some(2));
        assert_eq!(stack(&plan, &[query(5.0)], 7)["x"].data, [5.0, -5.0, 5.0, -5.0]);
        assert_eq!(stack(&plan, &[], 0), Tensors::new());
    }
}
