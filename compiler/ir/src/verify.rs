//! What every graph must satisfy, whoever built it.
//!
//! - Edges point backwards; origins exist.
//! - Shapes follow the operator table; constants fill their shapes.
//! - A value that depends on both parties' values is secret until a `Reveal`. (It may be labelled more secret than it
//!   need be; `relocate` tightens that.)
//! - An output's party sees its value.
//! - Rings are at most 64 bits (0: only the scale is chosen so far), bounds are ordered.
//!
//! [`unique_names`] and [`needed_reveals`] hold from `canonical` and `relocate` on.

use std::collections::BTreeMap;
use std::fmt;

use ptc_plan::file::InputKind;
use ptc_plan::operator::Operator;

use crate::graph::{Graph, Node, NodeId, Op, Visibility};
use crate::kind::kinds;
use crate::print;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Absent for what concerns the whole graph.
    pub node: Option<NodeId>,
    pub name: String,
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.node {
            Some(node) => write!(f, "%{} `{}`: {}", node.0, self.name, self.message),
            None => write!(f, "`{}`: {}", self.name, self.message),
        }
    }
}

/// Everything that does not hold; empty for a good graph. Never panics, whatever the graph.
pub fn verify(graph: &Graph) -> Vec<Problem> {
    let mut problems = vec![];
    for (at, node) in graph.nodes.iter().enumerate() {
        if let Some(input) = node.inputs.iter().find(|input| input.0 as usize >= at) {
            problems.push(problem(at, node, format!("reads `%{}`, which is not before it", input.0)));
        }
    }
    if !problems.is_empty() {
        // The other rules follow edges.
        return problems;
    }
    let kinds = kinds(graph);
    for (at, node) in graph.nodes.iter().enumerate() {
        let messages = [
            origin(graph, node),
            shape(graph, node),
            visibility(graph, node),
            bits(graph, node, &kinds),
            annotations(node),
        ];
        problems.extend(messages.into_iter().flatten().map(|message| problem(at, node, message)));
    }
    problems.extend(outputs(graph));
    problems
}

/// From `canonical` on: no two nodes have the same name.
pub fn unique_names(graph: &Graph) -> Vec<Problem> {
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    let mut problems = vec![];
    for (at, node) in graph.nodes.iter().enumerate() {
        match first.get(node.name.as_str()) {
            Some(before) => problems.push(problem(at, node, format!("`%{before}` has the same name"))),
            None => drop(first.insert(&node.name, at)),
        }
    }
    problems
}

/// From `relocate` on: nothing is revealed to a party that sees it anyway.
pub fn needed_reveals(graph: &Graph) -> Vec<Problem> {
    let mut problems = vec![];
    for (at, node) in graph.nodes.iter().enumerate() {
        if let (Op::Reveal { to, .. }, [input]) = (&node.op, &node.inputs[..])
            && graph.node(*input).visibility.seen_by(*to)
        {
            let message = format!("the {} sees `%{}` without it", print::party(*to), input.0);
            problems.push(problem(at, node, message));
        }
    }
    problems
}

fn problem(at: usize, node: &Node, message: String) -> Problem {
    Problem { node: Some(NodeId(at as u32)), name: node.name.clone(), message }
}

fn origin(graph: &Graph, node: &Node) -> Option<String> {
    let known = (node.origin as usize) < graph.origins.len();
    (!known).then(|| format!("its origin {} is none of the graph's {}", node.origin, graph.origins.len()))
}

fn shape(graph: &Graph, node: &Node) -> Option<String> {
    let inputs: Vec<&[usize]> = node.inputs.iter().map(|&input| graph.node(input).shape.as_slice()).collect();
    match (&node.op, &inputs[..]) {
        (Op::Apply(op), inputs) => match op.shape(inputs) {
            Ok(shape) if shape == node.shape => None,
            Ok(shape) => Some(format!("has shape {:?}, but `{}` makes {shape:?}", node.shape, op.name())),
            Err(message) => Some(message),
        },
        (Op::Reveal { .. }, [input]) if *input == node.shape => None,
        (Op::Reveal { .. }, [input]) => Some(format!("reveals shape {input:?} as {:?}", node.shape)),
        (Op::Reveal { .. }, _) => Some(format!("reveals {} values, not one", inputs.len())),
        (Op::Constant(value), []) if value.shape == node.shape => own_size(node),
        (Op::Constant(value), []) => Some(format!("has shape {:?}, its constant {:?}", node.shape, value.shape)),
        (Op::Input { .. } | Op::Parameter { .. }, []) => own_size(node),
        (Op::Input { .. } | Op::Parameter { .. } | Op::Constant(_), _) => Some("a source reads no values".into()),
    }
}

/// The operator table limits sizes; a source is held against it by reshaping to itself.
fn own_size(node: &Node) -> Option<String> {
    Operator::Reshape { shape: node.shape.clone() }.shape(&[&node.shape]).err()
}

fn visibility(graph: &Graph, node: &Node) -> Option<String> {
    let label = node.visibility;
    match &node.op {
        Op::Constant(_) if label != Visibility::Public => Some("a constant is public".into()),
        Op::Input { .. } | Op::Parameter { .. } if label == Visibility::Secret => {
            Some("an input or a parameter is public or belongs to a party".into())
        }
        Op::Reveal { to, .. } if label != Visibility::of(*to) => {
            Some(format!("is labelled {}, but revealed to the {}", print::visibility(label), print::party(*to)))
        }
        Op::Apply(_) => {
            let inputs = node.inputs.iter().map(|&input| graph.node(input).visibility);
            let known = inputs.fold(Visibility::Public, Visibility::join);
            let legal = known.join(label) == label;
            (!legal).then(|| {
                let (known, label) = (print::visibility(known), print::visibility(label));
                format!("is labelled {label}, but its operands make it {known}")
            })
        }
        _ => None,
    }
}

/// Secret truth values must be bits: xor shares of a real mean nothing.
fn bits(graph: &Graph, node: &Node, kinds: &[InputKind]) -> Option<String> {
    use Operator::*;
    let truths: &[NodeId] = match &node.op {
        Op::Apply(Not | And | Or | Xor) => &node.inputs,
        Op::Apply(Select | Gate | BitToReal) => node.inputs.get(..1)?,
        Op::Apply(Softmax | Softmax2) => node.inputs.get(1..)?,
        _ => return None,
    };
    let wrong = truths.iter().find(|&&input| {
        graph.node(input).visibility == Visibility::Secret && kinds[input.0 as usize] != InputKind::Bit
    })?;
    Some(format!("takes `%{}` for a bit, but it is {}", wrong.0, print::kind(kinds[wrong.0 as usize])))
}

fn annotations(node: &Node) -> Option<String> {
    if let Some(fixed) = node.fixed
        && (fixed.bits > 64 || fixed.frac > 127)
    {
        return Some(format!(
            "its ring({}, {}) has more than 64 bits, or 127 behind the point",
            fixed.bits, fixed.frac
        ));
    }
    match node.bound {
        Some(bound) if bound.low.is_nan() || bound.high.is_nan() || bound.low > bound.high => {
            Some(format!("its bound({}, {}) is not ordered", bound.low, bound.high))
        }
        _ => None,
    }
}

fn outputs(graph: &Graph) -> Vec<Problem> {
    let mut problems = vec![];
    for output in &graph.outputs {
        let message = match graph.nodes.get(output.node.0 as usize) {
            None => format!("output of `%{}`, which does not exist", output.node.0),
            Some(node) if !node.visibility.seen_by(output.to) => {
                let label = print::visibility(node.visibility);
                format!("output of `%{}`, which is {label}, to the {}", output.node.0, print::party(output.to))
            }
            Some(_) => continue,
        };
        let node = Some(output.node).filter(|node| (node.0 as usize) < graph.nodes.len());
        problems.push(Problem { node, name: output.name.clone(), message });
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;

    const HEAD: &str = "model \"M\" entry \"e\"\norigin 0 \"m.ptx\":1 \"\"\n\
        %0 = input \"x\" {limit: 1} : client real[2, 3] \"x\" @0\n\
        %1 = parameter \"w\" : server real[3, 4] \"w\" @0\n";

    /// The graph of the two sources above and `lines` has the one problem that contains `expected`, or none.
    fn check(lines: &str, expected: &str) {
        let graph = parse(&format!("{HEAD}{lines}")).expect("the test's graph parses");
        let mut problems = verify(&graph);
        problems.extend(unique_names(&graph));
        problems.extend(needed_reveals(&graph));
        let problems: Vec<String> = problems.iter().map(Problem::to_string).collect();
        match expected {
            "" => assert_eq!(problems, Vec::<String>::new()),
            _ => assert!(problems.len() == 1 && problems[0].contains(expected), "{problems:?} for `{expected}`"),
        }
    }

    #[test]
    fn a_revealed_product_is_fine() {
        check(
            "%2 = matmul %0, %1 : secret real[2, 4] \"p\" ring(64, 12) bound(-1, 1, proved) @0\n\
             %3 = reveal %2 {to: client, reason: \"r\"} : client real[2, 4] \"r\" @0\n\
             output \"e\" client %3",
            "",
        );
    }

    #[test]
    fn shapes_follow_the_operator_table() {
        check("%2 = matmul %0, %1 : secret real[2, 5] \"p\" @0", "has shape [2, 5], but `matmul` makes [2, 4]");
        check("%2 = matmul %1, %0 : secret real[2, 5] \"p\" @0", "inner sizes 4 and 2 differ");
        check("%2 = add %0 : client real[2, 3] \"p\" @0", "takes two operands, not 1");
        check("%2 = parameter \"v\" : server real[68719476736, 2] \"v\" @0", "more than 2^36");
        check("%2 = relu : public real[2] \"v\" @0", "`relu` of nothing");
    }

    #[test]
    fn two_owners_make_a_secret() {
        check("%2 = matmul %0, %1 : client real[2, 4] \"p\" @0", "labelled client, but its operands make it secret");
        check("%2 = relu %1 : client real[3, 4] \"p\" @0", "labelled client, but its operands make it server");
        check("%2 = relu %1 : secret real[3, 4] \"p\" @0", "");
        check("output \"e\" server %0", "`e`: output of `%0`, which is client, to the server");
    }

    #[test]
    fn reveals_are_needed_and_labelled() {
        check("%2 = reveal %0 {to: client, reason: \"\"} : client real[2, 3] \"p\" @0", "sees `%0` without it");
        check("%2 = reveal %0 {to: server, reason: \"\"} : public real[2, 3] \"p\" @0", "labelled public");
    }

    #[test]
    fn secret_truths_are_bits() {
        let product = "%2 = matmul %0, %1 : secret real[2, 4] \"p\" @0\n";
        check(&format!("{product}%3 = not %2 : secret bit[2, 4] \"n\" @0"), "takes `%2` for a bit, but it is real");
        check(&format!("{product}%3 = compare %2 {{threshold: 0}} : secret bit[2, 4] \"n\" @0"), "");
    }

    #[test]
    fn the_rest() {
        check("%2 = relu %0 : client real[2, 3] \"x\" @0", "`%0` has the same name");
        check("%2 = relu %0 : client real[2, 3] \"p\" @7", "origin 7 is none");
        check("%2 = relu %0 : client real[2, 3] \"p\" ring(65, 3) @0", "ring(65, 3)");
        check("%2 = relu %0 : client real[2, 3] \"p\" bound(1, 0, proved) @0", "is not ordered");
    }
}
