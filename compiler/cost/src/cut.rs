//! Which jobs are worth the tools that they need: project selection, as a minimum cut (Picard, 1976).
//!
//! A tool is paid once, whoever uses it. A job costs `equipped` if all its tools are there, and `bare` without. Between a
//! source and a sink, an edge of `bare` leads to each job and one of `equipped` leads from it; from each tool leads one of its
//! price, to it one without limit from each job that needs it. What is on the source's side of the least cut is equipped.

use petgraph::algo::dinics;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    pub equipped: f64,
    /// None where there is no way without tools.
    pub bare: Option<f64>,
    /// Places among the tools.
    pub tools: Vec<usize>,
}

/// Capacities are whole; a unit of costs has so many.
const SCALE: f64 = 16.0;

/// More than all others together.
const UNLIMITED: u64 = 1 << 62;

/// For each job whether it is equipped, at the least cost in all; of equal costs, fewer are.
pub fn select(jobs: &[Job], tools: &[f64]) -> Vec<bool> {
    let mut network = DiGraph::<(), u64>::new();
    let [source, sink] = [(); 2].map(|()| network.add_node(()));
    let tools: Vec<NodeIndex> = tools
        .iter()
        .map(|price| {
            let tool = network.add_node(());
            network.add_edge(tool, sink, capacity(*price));
            tool
        })
        .collect();
    let places: Vec<NodeIndex> = jobs
        .iter()
        .map(|job| {
            let place = network.add_node(());
            network.add_edge(source, place, job.bare.map_or(UNLIMITED, capacity));
            network.add_edge(place, sink, capacity(job.equipped));
            job.tools.iter().for_each(|tool| {
                network.add_edge(place, tools[*tool], UNLIMITED);
            });
            place
        })
        .collect();
    let (_, flows) = dinics(&network, source, sink);
    let reached = reached(&network, &flows, source);
    places.iter().map(|place| reached[place.index()]).collect()
}

fn capacity(cost: f64) -> u64 {
    // A cast from a float stops at the ends.
    ((cost * SCALE) as u64).min(UNLIMITED >> 16)
}

/// Nodes to which more could flow.
fn reached(network: &DiGraph<(), u64>, flows: &[u64], source: NodeIndex) -> Vec<bool> {
    let mut reached = vec![false; network.node_count()];
    let mut next = vec![source];
    while let Some(node) = next.pop() {
        if std::mem::replace(&mut reached[node.index()], true) {
            continue;
        }
        let onward = network.edges(node).filter(|edge| flows[edge.id().index()] < *edge.weight());
        next.extend(onward.map(|edge| edge.target()));
        let back = network.edges_directed(node, petgraph::Direction::Incoming);
        next.extend(back.filter(|edge| flows[edge.id().index()] > 0).map(|edge| edge.source()));
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(jobs: &[Job], tools: &[f64], equipped: &[bool]) -> f64 {
        let mut bought = vec![false; tools.len()];
        let mut sum = 0.0;
        for (job, equipped) in jobs.iter().zip(equipped) {
            sum += if *equipped { job.equipped } else { job.bare.unwrap_or(f64::INFINITY) };
            job.tools.iter().filter(|_| *equipped).for_each(|tool| bought[*tool] = true);
        }
        sum + tools.iter().zip(&bought).filter(|(_, bought)| **bought).map(|(price, _)| price).sum::<f64>()
    }

    fn check(jobs: &[Job], tools: &[f64]) -> Vec<bool> {
        let selected = select(jobs, tools);
        let all = (0..1u32 << jobs.len()).map(|set| (0..jobs.len()).map(|job| set >> job & 1 == 1).collect::<Vec<_>>());
        let least = all.map(|set| cost(jobs, tools, &set)).fold(f64::INFINITY, f64::min);
        assert_eq!(cost(jobs, tools, &selected), least, "{jobs:?} {tools:?} {selected:?}");
        selected
    }

    fn job(equipped: f64, bare: f64, tools: &[usize]) -> Job {
        Job { equipped, bare: Some(bare), tools: tools.to_vec() }
    }

    #[test]
    fn a_tool_is_bought_by_those_that_share_it() {
        // Alone none saves what the tool costs; together they do.
        assert_eq!(check(&[job(1.0, 7.0, &[0])], &[10.0]), [false]);
        assert_eq!(check(&[job(1.0, 7.0, &[0]), job(2.0, 8.0, &[0])], &[10.0]), [true, true]);
        // What must be equipped pays for it.
        let must = Job { equipped: 5.0, bare: None, tools: vec![0] };
        assert_eq!(check(&[must, job(1.0, 2.0, &[0]), job(2.0, 1.0, &[0])], &[10.0]), [true, true, false]);
        assert!(check(&[], &[3.0]).is_empty());
    }

    /// Numbers as of a die, the same ones each time.
    #[test]
    fn no_other_selection_is_cheaper() {
        let mut state = 1u64;
        let mut throw = |sides: u64| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) % sides
        };
        for _ in 0..300 {
            let tools: Vec<f64> = (0..1 + throw(4)).map(|_| throw(20) as f64).collect();
            let jobs: Vec<Job> = (0..throw(9))
                .map(|_| Job {
                    equipped: throw(12) as f64,
                    bare: (throw(8) > 0).then(|| throw(15) as f64),
                    tools: (0..tools.len()).filter(|_| throw(2) == 0).collect(),
                })
                .collect();
            check(&jobs, &tools);
        }
    }
}
