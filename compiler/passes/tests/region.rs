//! Where the private region begins and ends: `relocate` against an exhaustive search on small random graphs, and against
//! the definition of what a party may learn.

use std::collections::{BTreeMap, BTreeSet};

use ptc_ir::Graph;
use ptc_ir::evaluate::{Tensors, for_each_value};
use ptc_ir::graph::{GraphOutput, Node, NodeId, Op, Visibility};
use ptc_ir::print::print;
use ptc_passes::{canonical, relocate};
use ptc_plan::file::{InputKind, Origin};
use ptc_plan::float::FloatTensor;
use ptc_plan::operator::Operator;
use ptc_plan::step::Party;

mod numbers;

use numbers::Random;

const PARTIES: [Party; 2] = [Party::Server, Party::Client];

/// A value, and the party that gets it, by its index.
type Reveal = (NodeId, usize);

/// Cost of a secret operator and of a reveal, beside that of each element.
const PRICES: [(u64, u64); 3] = [(1, 100), (100, 1), (10, 10)];

#[test]
fn the_region_is_the_cheapest_of_all() {
    for seed in 1..=400 {
        let graph = canonical::run(&random_graph(&mut Random(seed)));
        let relocated = canonical::run(&relocate::run(&graph));
        for (secret, reveal) in PRICES {
            let (found, best) = (cost(&relocated, secret, reveal), cheapest(&graph, secret, reveal));
            // Less where additions were regrouped.
            let cheap = found <= best;
            assert!(cheap, "seed {seed}: {found}, not {best}\n{}=>\n{}", print(&graph), print(&relocated));
        }
        numbers::same(&format!("seed {seed}"), &graph, &relocated, 1e-5);
    }
}

#[test]
fn a_party_sees_only_what_its_results_tell() {
    for seed in 1..=400 {
        let graph = random_graph(&mut Random(seed));
        let relocated = relocate::run(&graph);
        for party in PARTIES {
            check_learned(seed, &graph, &relocated, party);
        }
    }
}

/// Over all small inputs: where the party's own values and the results declared to it agree, so does all that it sees.
fn check_learned(seed: u64, graph: &Graph, relocated: &Graph, party: Party) {
    let mut seen: BTreeMap<Vec<u32>, Vec<u32>> = BTreeMap::new();
    for choice in 0..81u32 {
        let number = |at: u32| FloatTensor::new(vec![2], vec![(choice / 3u32.pow(at) % 3) as f32 - 1.0; 2]);
        let given = |names: [&str; 2], first: u32| -> Tensors {
            names.into_iter().zip(first..).map(|(name, at)| (name.to_string(), number(at))).collect()
        };
        let (inputs, mut parameters) = (given(["x", "y"], 0), given(["v", "w"], 2));
        parameters.insert("o".into(), FloatTensor::new(vec![2], vec![1.0, -2.0]));
        let mut results: Vec<u32> = own(&inputs, &parameters, party);
        let declared: BTreeSet<NodeId> =
            graph.outputs.iter().filter(|output| output.to == party).map(|output| output.node).collect();
        for_each_value(graph, &inputs, &parameters, |id, value| {
            if declared.contains(&id) {
                results.extend(value.data.iter().map(|x| (x + 0.0).to_bits()));
            }
        })
        .expect("all sources have values");
        let mut learned = vec![];
        for_each_value(relocated, &inputs, &parameters, |id, value| {
            if relocated.node(id).visibility.seen_by(party) {
                learned.extend(value.data.iter().map(|x| (x + 0.0).to_bits()));
            }
        })
        .expect("all sources have values");
        let first = seen.entry(results).or_insert_with(|| learned.clone());
        assert!(*first == learned, "seed {seed}, {party:?}\n{}=>\n{}", print(graph), print(relocated));
    }
}

fn own(inputs: &Tensors, parameters: &Tensors, party: Party) -> Vec<u32> {
    let values = if party == Party::Client { inputs } else { parameters };
    values.values().flat_map(|value| value.data.iter().map(|x| x.to_bits())).collect()
}

/// Of a labelled graph.
fn cost(graph: &Graph, secret: u64, reveal: u64) -> u64 {
    let of = |node: &Node| match &node.op {
        Op::Apply(_) if node.visibility == Visibility::Secret => secret + size(node),
        Op::Reveal { .. } => reveal + size(node),
        _ => 0,
    };
    graph.nodes.iter().map(of).sum()
}

fn size(node: &Node) -> u64 {
    node.shape.iter().product::<usize>() as u64
}

/// The least cost over all sets of values that may be revealed.
fn cheapest(graph: &Graph, secret: u64, reveal: u64) -> u64 {
    let candidates: Vec<Reveal> = PARTIES.into_iter().flat_map(|party| derivable(graph, party)).collect();
    assert!(candidates.len() <= 16, "a small graph");
    let sets = 0..1u32 << candidates.len();
    let ways = sets.filter_map(|set| {
        let chosen = (0..candidates.len()).filter(|at| set >> at & 1 == 1).map(|at| candidates[at]);
        way(graph, &chosen.collect(), secret, reveal)
    });
    ways.min().expect("each result itself may be revealed")
}

/// The values that `party` does not see, and could derive from the results declared to it and what it sees.
fn derivable(graph: &Graph, party: Party) -> Vec<Reveal> {
    let mut known: BTreeSet<NodeId> =
        graph.ids().filter(|&id| depends(graph, id).into_iter().all(|leaf| leaf.seen_by(party))).collect();
    let seen = known.clone();
    known.extend(graph.outputs.iter().filter(|output| output.to == party).map(|output| output.node));
    loop {
        let before = known.len();
        for id in graph.ids() {
            let node = graph.node(id);
            if known.contains(&id) {
                known.extend(undone(&node.op, &node.inputs, &known));
            } else if !node.inputs.is_empty() && node.inputs.iter().all(|input| known.contains(input)) {
                known.insert(id);
            }
        }
        if known.len() == before {
            let reveals = |id: &NodeId| matches!(graph.node(*id).op, Op::Reveal { .. });
            return known.difference(&seen).filter(|id| !reveals(id)).map(|&id| (id, party.index())).collect();
        }
    }
}

/// The operand of a known value that follows from it and from other known operands.
fn undone(op: &Op, inputs: &[NodeId], known: &BTreeSet<NodeId>) -> Option<NodeId> {
    match (op, inputs) {
        (Op::Reveal { .. }, &[x]) => Some(x),
        (Op::Apply(Operator::Add | Operator::Subtract), &[a, b]) if known.contains(&a) != known.contains(&b) => {
            Some(if known.contains(&a) { b } else { a })
        }
        (Op::Apply(Operator::Negate | Operator::Scale { .. } | Operator::Offset { .. }), &[x]) => Some(x),
        (Op::Apply(Operator::Broadcast { .. } | Operator::Reshape { .. }), &[x]) => Some(x),
        _ => None,
    }
}

/// Who sees the leaves that a value depends on.
fn depends(graph: &Graph, id: NodeId) -> Vec<Visibility> {
    let node = graph.node(id);
    match node.inputs.is_empty() {
        true => vec![node.visibility],
        false => node.inputs.iter().flat_map(|&input| depends(graph, input)).collect(),
    }
}

/// The cost of computing all results with these reveals; none if they do not suffice.
fn way(graph: &Graph, revealed: &BTreeSet<Reveal>, secret: u64, reveal: u64) -> Option<u64> {
    let mut clear: BTreeSet<Reveal> = BTreeSet::new();
    let mut shared: BTreeSet<NodeId> = BTreeSet::new();
    for id in graph.ids() {
        let node = graph.node(id);
        for party in PARTIES {
            let leaf = node.inputs.is_empty() && node.visibility.seen_by(party);
            let follows = !node.inputs.is_empty() && node.inputs.iter().all(|&at| clear.contains(&(at, party.index())));
            if leaf || follows || revealed.contains(&(id, party.index())) {
                clear.insert((id, party.index()));
            }
        }
    }
    let known = |id: NodeId, party: Party| clear.contains(&(id, party.index()));
    // What is revealed, or an operand of a secret value, and cannot be computed by anybody alone.
    let mut waiting: Vec<NodeId> = revealed.iter().map(|&(id, _)| id).collect();
    while let Some(id) = waiting.pop() {
        let node = graph.node(id);
        let alone = PARTIES.into_iter().any(|party| {
            known(id, party)
                && (!revealed.contains(&(id, party.index())) || node.inputs.iter().all(|&at| known(at, party)))
        });
        if !alone && shared.insert(id) {
            waiting.extend(&node.inputs);
        }
    }
    let result = |output: &GraphOutput| match graph.node(output.node).op {
        Op::Reveal { .. } => graph.node(output.node).inputs[0],
        _ => output.node,
    };
    let enough = graph.outputs.iter().all(|output| known(result(output), output.to));
    let opened: u64 = revealed.iter().map(|(id, _)| reveal + size(graph.node(*id))).sum();
    enough.then(|| opened + shared.iter().map(|&id| secret + size(graph.node(id))).sum::<u64>())
}

fn random_graph(random: &mut Random) -> Graph {
    let mut graph = Graph { model: "m".into(), entry: "e".into(), ..Graph::default() };
    graph.origins.push(Origin { file: "m.ptx".into(), line: 1, text: String::new() });
    let input = |name: &str| Op::Input { name: name.into(), kind: InputKind::Real, limit: 1.0 };
    let parameter = |name: &str| Op::Parameter { path: name.into() };
    leaf(&mut graph, input("x"), "x", Visibility::Client);
    leaf(&mut graph, input("y"), "y", Visibility::Client);
    leaf(&mut graph, parameter("v"), "v", Visibility::Server);
    leaf(&mut graph, parameter("w"), "w", Visibility::Server);
    leaf(&mut graph, parameter("o"), "o", Visibility::Public);
    let leaves = graph.nodes.len();
    while graph.nodes.len() < leaves + 7 {
        let id = |random: &mut Random| NodeId(random.below(graph.nodes.len()) as u32);
        // The second operand is one of the newest, so that graphs are deep.
        let (a, b) = (id(random), NodeId((graph.nodes.len() - 1 - random.below(2)) as u32));
        let whole = |id: NodeId| graph.node(id).shape == [2];
        let (op, inputs) = match random.below(8) {
            0 => (Operator::Add, vec![a, b]),
            1 => (Operator::Subtract, vec![a, b]),
            2 => (Operator::Multiply, vec![a, b]),
            3 => (Operator::Negate, vec![b]),
            4 => (Operator::Offset { by: 0.5 }, vec![b]),
            5 => (Operator::Square, vec![b]),
            6 if whole(b) => (Operator::Broadcast { shape: vec![3, 2] }, vec![b]),
            _ => (Operator::Relu, vec![b]),
        };
        let name = format!("n{}", graph.nodes.len());
        let id = graph.derive(op, &inputs, inputs[0], "");
        graph.node_mut(id).name = name;
    }
    // One result for each party: of several, an earlier one may be revealed whole where a later one makes a part do.
    let first = random.below(2);
    for at in 0..1 + random.below(2) {
        let to = PARTIES[(first + at) % 2];
        let node = NodeId((graph.nodes.len() - 1 - random.below(3)) as u32);
        let node = match graph.node(node).op {
            Op::Reveal { .. } => graph.node(node).inputs[0],
            _ => node,
        };
        let like = graph.node(node).clone();
        let reveal = Node {
            op: Op::Reveal { to, reason: "result".into() },
            inputs: vec![node],
            visibility: Visibility::of(to),
            name: format!("result{at}"),
            ..like
        };
        let node = graph.push(reveal);
        graph.outputs.push(GraphOutput { name: format!("o{at}"), to, node });
    }
    graph
}

fn leaf(graph: &mut Graph, op: Op, name: &str, visibility: Visibility) {
    graph.push(Node {
        op,
        inputs: vec![],
        shape: vec![2],
        visibility,
        name: name.into(),
        origin: 0,
        tolerance: None,
        bound: None,
        fixed: None,
        error: None,
    });
}
