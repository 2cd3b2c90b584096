//! A graph as a drawing for Graphviz: one box for each node, filled by who may see its value.

use petgraph::dot::{Config, Dot};
use petgraph::graph::DiGraph;

use crate::graph::{Graph, Node, Op, Visibility};

/// The text of a `dot` file.
pub fn dot(graph: &Graph) -> String {
    let mut drawing: DiGraph<&Node, ()> = DiGraph::with_capacity(graph.nodes.len(), graph.nodes.len() * 2);
    let boxes: Vec<_> = graph.nodes.iter().map(|node| drawing.add_node(node)).collect();
    for (at, node) in graph.nodes.iter().enumerate() {
        for input in &node.inputs {
            drawing.add_edge(boxes[input.0 as usize], boxes[at], ());
        }
    }
    let plain = [Config::EdgeNoLabel, Config::NodeNoLabel];
    let attributes = |_: &DiGraph<&Node, ()>, (_, node): (_, &&Node)| {
        format!("label={:?} shape=box style=filled fillcolor={:?}", label(node), colour(node.visibility))
    };
    let drawn = Dot::with_attr_getters(&drawing, &plain, &|_, _| String::new(), &attributes);
    format!("{drawn:?}")
}

fn label(node: &Node) -> String {
    let op = match &node.op {
        Op::Input { .. } => "input",
        Op::Parameter { .. } => "parameter",
        Op::Constant(_) => "constant",
        Op::Apply(operator) => operator.name(),
        Op::Reveal { .. } => "reveal",
    };
    let ring = node.fixed.map_or(String::new(), |fixed| format!("\n<{}, {}>", fixed.bits, fixed.frac));
    format!("{op}\n{}\n{:?}{ring}", node.name, node.shape)
}

fn colour(visibility: Visibility) -> &'static str {
    match visibility {
        Visibility::Public => "#eeeeee",
        Visibility::Client => "#cfe8ff",
        Visibility::Server => "#ffe3c2",
        Visibility::Secret => "#e3d5f5",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;

    #[test]
    fn every_node_and_edge_is_drawn() {
        let graph = parse(
            r#"model "M" entry "e"
origin 0 "m.ptx":1 ""
%0 = input "x" {limit: 4} : client real[2] "x" @0
%1 = parameter "w" : server real[2] "w" @0
%2 = add %0, %1 : secret real[2] "s" @0
%3 = reveal %2 {to: client, reason: "result"} : client real[2] "r" @0
output "e" client %3
"#,
        )
        .expect("a good graph");
        let text = dot(&graph);
        assert_eq!(text.matches("->").count(), 3);
        assert_eq!(text.matches("shape=box").count(), 4);
        assert!(text.contains("#e3d5f5") && text.contains("add\\n"), "{text}");
    }
}
