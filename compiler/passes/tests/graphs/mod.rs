//! Random graphs of what passes look for, from any source of choices.

use ptc_ir::Graph;
use ptc_ir::graph::{GraphOutput, Node, NodeId, Op, Visibility};
use ptc_plan::file::{InputKind, Origin};
use ptc_plan::float::FloatTensor;
use ptc_plan::operator::Operator;
use ptc_plan::step::Party;

/// Where choices come from.
pub trait Choices {
    /// Below `bound`, which is positive.
    fn below(&mut self, bound: usize) -> usize;
}

/// Enough for a causal mask to be split.
const ROWS: usize = 16;

// The leaves of every random graph, in this order.
const KEEP: NodeId = NodeId(1);
const GAIN: NodeId = NodeId(2);
const W: NodeId = NodeId(3);
const V: NodeId = NodeId(4);
const B: NodeId = NodeId(5);
const D: NodeId = NodeId(7);
const OPEN: NodeId = NodeId(8);
const TRIANGLE: NodeId = NodeId(9);
const BAND: NodeId = NodeId(10);
const HALF: NodeId = NodeId(11);
const TWOS: NodeId = NodeId(12);

pub fn random_graph(random: &mut impl Choices) -> Graph {
    let mut graph = Graph { model: "m".into(), entry: "e".into(), ..Graph::default() };
    graph.origins.push(Origin { file: "m.ptx".into(), line: 1, text: String::new() });
    let input = |kind, name: &str| Op::Input { name: name.into(), kind, limit: 1.0 };
    leaf(&mut graph, input(InputKind::Real, "x"), "x", &[ROWS, 6], Visibility::Client);
    leaf(&mut graph, input(InputKind::Bit, "keep"), "keep", &[ROWS, 1], Visibility::Client);
    leaf(&mut graph, input(InputKind::Real, "gain"), "gain", &[6], Visibility::Client);
    for (name, shape) in [("w", vec![6, 6]), ("v", vec![6, 6]), ("b", vec![6]), ("c", vec![ROWS, 6]), ("d", vec![])] {
        leaf(&mut graph, Op::Parameter { path: name.into() }, name, &shape, Visibility::Server);
    }
    leaf(&mut graph, Op::Parameter { path: "open".into() }, "open", &[6, 6], Visibility::Public);
    let triangle = (0..ROWS * ROWS).map(|i| f32::from(i % ROWS <= i / ROWS)).collect();
    let triangle = FloatTensor::new(vec![ROWS, ROWS], triangle);
    let band = (0..ROWS * ROWS).map(|i| f32::from((i % ROWS).abs_diff(i / ROWS) < 3)).collect();
    let band = FloatTensor::new(vec![ROWS, ROWS], band);
    for value in [triangle, band, FloatTensor::scalar(0.5), FloatTensor::new(vec![6], vec![2.0; 6])] {
        let shape = value.shape.clone();
        leaf(&mut graph, Op::Constant(value), "constant", &shape, Visibility::Public);
    }
    while graph.nodes.len() < 50 {
        match random.below(2) {
            0 => phrase(&mut graph, random),
            _ => step(&mut graph, random),
        }
    }
    // Careless labels: more secret than need be, from some node on.
    let careless = random.below(2 * graph.nodes.len());
    for node in graph.nodes.iter_mut().skip(careless) {
        if matches!(node.op, Op::Apply(_)) {
            node.visibility = Visibility::Secret;
        }
    }
    for output in 0..4 {
        let last = graph.nodes.len() - 1 - random.below(20 - output);
        reveal(&mut graph, NodeId(last as u32), [Party::Client, Party::Server][random.below(2)], output);
    }
    graph
}

/// One operator, if its operands fit.
fn step(graph: &mut Graph, random: &mut impl Choices) {
    let op = operator(random);
    let count = match op {
        Operator::Concat { .. } => 1 + random.below(3),
        Operator::Softmax => 1 + random.below(2),
        Operator::Add | Operator::Subtract | Operator::Multiply | Operator::MatMul { .. } => 2,
        _ => 1,
    };
    let mut inputs: Vec<NodeId> = (0..count).map(|_| pick(graph, random)).collect();
    if op == Operator::Softmax && count == 2 {
        // Masks are truth values: public ones, or the client's.
        inputs[1] = [TRIANGLE, BAND, KEEP][random.below(3)];
    }
    try_op(graph, op, &inputs);
}

/// What passes look for: linear layers, affine normalisations, attention, pooling.
fn phrase(graph: &mut Graph, random: &mut impl Choices) {
    use Operator::*;
    let x = pick(graph, random);
    match random.below(5) {
        0 => {
            for _ in 0..1 + random.below(3) {
                let product = try_op(graph, MatMul { transpose_b: random.below(2) == 0 }, &[x, weight(random)]);
                if random.below(3) > 0 {
                    try_op(graph, Add, &[product, row(random)]);
                }
            }
        }
        1 => {
            let unit = try_op(graph, Normalize { eps: 0.1 }, &[x]);
            let mut affine = try_op(graph, Multiply, &[unit, row(random)]);
            if random.below(2) == 0 {
                affine = try_op(graph, Add, &[row(random), affine]);
            }
            for _ in 0..1 + random.below(2) {
                try_op(graph, MatMul { transpose_b: random.below(2) == 0 }, &[affine, weight(random)]);
            }
        }
        2 => {
            let [q, k] = [W, V].map(|weight| try_op(graph, MatMul { transpose_b: false }, &[x, weight]));
            let scores = try_op(graph, MatMul { transpose_b: true }, &[q, k]);
            let scaled = try_op(graph, Scale { by: 0.3 }, &[scores]);
            let weights = try_op(graph, Softmax, &[scaled, [TRIANGLE, BAND, KEEP][random.below(3)]]);
            try_op(graph, MatMul { transpose_b: false }, &[weights, x]);
        }
        3 => {
            let product = try_op(graph, Multiply, &[x, KEEP]);
            let sum = try_op(graph, Sum { axis: random.below(2) }, &[product]);
            try_op(graph, Divide, &[sum, D]);
        }
        _ => {
            let product = try_op(graph, MatMul { transpose_b: false }, &[x, weight(random)]);
            let shifted = try_op(graph, Subtract, &[product, row(random)]);
            try_op(graph, Multiply, &[row(random), shifted]);
        }
    }
}

fn weight(random: &mut impl Choices) -> NodeId {
    [W, V, OPEN][random.below(3)]
}

fn row(random: &mut impl Choices) -> NodeId {
    [B, GAIN, TWOS, HALF, D][random.below(5)]
}

/// The new node, or the first operand where the operands do not fit.
fn try_op(graph: &mut Graph, op: Operator, inputs: &[NodeId]) -> NodeId {
    let shapes: Vec<&[usize]> = inputs.iter().map(|&id| graph.node(id).shape.as_slice()).collect();
    match op.shape(&shapes) {
        Ok(shape) if shape.len() <= 4 && shape.iter().product::<usize>() <= 2000 => {
            let name = op.name();
            let id = graph.derive(op, inputs, inputs[0], "");
            graph.node_mut(id).name = name.to_string();
            id
        }
        _ => inputs[0],
    }
}

/// Later nodes more often, and secret ones.
fn pick(graph: &Graph, random: &mut impl Choices) -> NodeId {
    let count = graph.nodes.len();
    let secret = |id: &NodeId| graph.node(*id).visibility == Visibility::Secret;
    let mut some =
        || NodeId(if random.below(3) == 0 { random.below(count) } else { count - 1 - random.below(10) } as u32);
    let picks = [some(), some(), some()];
    picks.into_iter().find(secret).unwrap_or(picks[0])
}

fn operator(random: &mut impl Choices) -> Operator {
    use Operator::*;
    let shapes = [vec![ROWS, 6], vec![ROWS, 2, 3], vec![1, 6], vec![6, 1], vec![6], vec![ROWS, 1, 6]];
    let orders = [vec![1, 0], vec![0, 2, 1], vec![1, 0, 2], vec![2, 0, 1]];
    let axis = random.below(3);
    match random.below(25) {
        0..=3 => MatMul { transpose_b: random.below(2) == 0 },
        4 | 5 => Add,
        6 => Subtract,
        7 | 8 => Multiply,
        9 => Negate,
        10 | 11 => Scale { by: [0.3, -1.0, 0.5, 2.0, 1.0][random.below(5)] },
        12 => Offset { by: [0.0, 1.5][random.below(2)] },
        13 => Reshape { shape: shapes[random.below(6)].clone() },
        14 | 15 => Permute { axes: orders[random.below(4)].clone() },
        16 => Slice { axis, start: random.below(3), length: 1 + random.below(4) },
        17 => Concat { axis },
        18 => Broadcast { shape: shapes[random.below(6)].clone() },
        19 => Sum { axis },
        20 => Relu,
        21 => Normalize { eps: 0.1 },
        22 => Softmax,
        23 => Max { axis },
        _ => Tanh,
    }
}

fn leaf(graph: &mut Graph, op: Op, name: &str, shape: &[usize], visibility: Visibility) -> NodeId {
    let (shape, name) = (shape.to_vec(), name.to_string());
    let node = Node {
        op,
        inputs: vec![],
        shape,
        visibility,
        name,
        origin: 0,
        tolerance: None,
        bound: None,
        fixed: None,
        error: None,
    };
    graph.push(node)
}

fn reveal(graph: &mut Graph, id: NodeId, to: Party, at: usize) {
    let shape = graph.node(id).shape.clone();
    let mut node = id;
    if !graph.node(id).visibility.seen_by(to) {
        let op = Op::Reveal { to, reason: "result".into() };
        node = leaf(graph, op, &format!("result{at}"), &shape, Visibility::of(to));
        graph.node_mut(node).inputs = vec![id];
    }
    graph.outputs.push(GraphOutput { name: format!("result{at}"), to, node });
}
