//! A name for each node and a node for each name.

use std::collections::HashSet;

use ptc_ir::Graph;

/// The first node of a name keeps it; the others get the first of `.2`, `.3`, .. that is free.
pub fn unique(mut graph: Graph) -> Graph {
    let all: HashSet<String> = graph.nodes.iter().map(|node| node.name.clone()).collect();
    let mut taken: HashSet<String> = HashSet::with_capacity(graph.nodes.len());
    let mut last: std::collections::HashMap<String, usize> = Default::default();
    for node in &mut graph.nodes {
        if taken.contains(&node.name) {
            let count = last.entry(node.name.clone()).or_insert(1);
            let fresh = |count: &mut usize| {
                *count += 1;
                format!("{}.{count}", node.name)
            };
            let mut name = fresh(count);
            while all.contains(&name) || taken.contains(&name) {
                name = fresh(count);
            }
            node.name = name;
        }
        taken.insert(node.name.clone());
    }
    graph
}
