//! `x · A · B ..`: a value and the weights that it is multiplied with one after the other, rows added in between.

use std::collections::HashMap;

use ptc_ir::Graph;
use ptc_ir::graph::{Node, NodeId, Op, Visibility};
use ptc_plan::operator::Operator;

use super::price::Prices;
use crate::fold::{is_row, secret};

/// Whether a value has one user.
pub type Single = HashMap<NodeId, bool>;

/// A matrix that somebody sees, or its transpose.
#[derive(Clone, Copy, PartialEq)]
pub struct Factor {
    pub node: NodeId,
    pub turned: bool,
}

impl Factor {
    /// Rows and columns.
    fn size(self, graph: &Graph) -> [usize; 2] {
        let [rows, columns] = graph.node(self.node).shape[..] else { unreachable!("a factor is a matrix") };
        if self.turned { [columns, rows] } else { [rows, columns] }
    }

    /// The same matrix, of a node that is no transpose.
    pub fn unturned(self, graph: &Graph) -> Factor {
        match &graph.node(self.node).op {
            Op::Apply(Operator::Permute { axes }) if axes[..] == [1, 0] => {
                Factor { node: graph.node(self.node).inputs[0], turned: !self.turned }.unturned(graph)
            }
            _ => self,
        }
    }

    /// The matrices whose product it is, from the left.
    fn parts(self, graph: &Graph) -> Vec<Factor> {
        let whole = self.unturned(graph);
        let node = graph.node(whole.node);
        let (Op::Apply(Operator::MatMul { transpose_b }), &[a, b]) = (&node.op, &node.inputs[..]) else {
            return vec![self];
        };
        let flat = |id: NodeId| graph.node(id).shape.len() == 2;
        if !flat(a) || !flat(b) {
            return vec![self];
        }
        let (a, b) =
            (Factor { node: a, turned: whole.turned }, Factor { node: b, turned: whole.turned != *transpose_b });
        let [first, second] = if whole.turned { [b, a] } else { [a, b] };
        [first.parts(graph), second.parts(graph)].concat()
    }

    fn straight(self, out: &mut Graph) -> NodeId {
        match self.turned {
            true => out.derive(Operator::Permute { axes: vec![1, 0] }, &[self.node], self.node, "turned"),
            false => self.node,
        }
    }
}

/// One multiplication of a chain, and the row that is added behind it.
struct Link {
    factor: Factor,
    row: Option<NodeId>,
}

pub struct Chain {
    pub root: NodeId,
    links: Vec<Link>,
    /// Where the graph multiplies by several links at once: the first link of each product.
    grouped: Vec<usize>,
}

/// First links of the products of a chain, and what they cost.
pub struct Grouping {
    starts: Vec<usize>,
    pub price: f64,
}

/// `x · weight` with a secret result, where somebody sees the weight.
pub fn product(graph: &Graph, node: &Node) -> Option<(NodeId, Factor)> {
    let (Op::Apply(Operator::MatMul { transpose_b }), &[x, weight]) = (&node.op, &node.inputs[..]) else { return None };
    let clear = !secret(graph, weight) && graph.node(weight).shape.len() == 2;
    let open = node.visibility == Visibility::Secret && node.fixed.is_none();
    (clear && open && graph.node(x).shape.len() >= 2).then_some((x, Factor { node: weight, turned: *transpose_b }))
}

/// The product that nobody else reads and the clear row that `node` adds.
pub fn offset(graph: &Graph, single: &Single, node: &Node) -> Option<(NodeId, NodeId)> {
    let (Op::Apply(Operator::Add), &[a, b]) = (&node.op, &node.inputs[..]) else { return None };
    let width = *node.shape.last()?;
    let fits = |x: NodeId, row: NodeId| {
        let alone = single.get(&x) == Some(&true) && product(graph, graph.node(x)).is_some();
        let clear = !secret(graph, row) && is_row(&graph.node(row).shape, node.shape.len(), width);
        alone && clear && graph.node(x).shape == node.shape && node.fixed.is_none()
    };
    match (fits(a, b), fits(b, a)) {
        (true, _) => Some((a, b)),
        (_, true) => Some((b, a)),
        _ => None,
    }
}

impl Chain {
    /// One product, its weight taken apart.
    pub fn of(graph: &Graph, root: NodeId, weight: Factor) -> Chain {
        let links = weight.parts(graph).into_iter().map(|factor| Link { factor, row: None }).collect();
        Chain { root, links, grouped: vec![0] }
    }

    /// The longest chain whose last value is `end`; values in between have no other users.
    pub fn ending(graph: &Graph, single: &Single, end: NodeId) -> Option<Chain> {
        let mut chain: Option<Chain> = None;
        let mut at = end;
        loop {
            if at != end && single.get(&at) != Some(&true) {
                return chain;
            }
            let (inner, row) = match offset(graph, single, graph.node(at)) {
                Some((inner, row)) => (inner, Some(row)),
                None => (at, None),
            };
            let Some((x, weight)) = product(graph, graph.node(inner)) else { return chain };
            let mut longer = Chain::of(graph, x, weight);
            longer.links.last_mut().expect("a product has a factor").row = row;
            if let Some(rest) = chain {
                let before = longer.links.len();
                longer.grouped.extend(rest.grouped.iter().map(|start| start + before));
                longer.links.extend(rest.links);
            }
            (chain, at) = (Some(longer), x);
        }
    }

    /// The chain with one more product behind it.
    pub fn then(mut self, graph: &Graph, weight: Factor) -> Chain {
        self.grouped.push(self.links.len());
        self.links.extend(Chain::of(graph, self.root, weight).links);
        self
    }

    /// Who can multiply all factors and rows together.
    pub fn owner(&self, graph: &Graph) -> Visibility {
        let rows = self.links.iter().filter_map(|link| link.row);
        let all = self.links.iter().map(|link| link.factor.node).chain(rows);
        all.map(|id| graph.node(id).visibility).fold(Visibility::Public, Visibility::join)
    }

    /// Who can make one weight of the links `from..to`; rows between them go through it.
    fn owner_of(&self, graph: &Graph, from: usize, to: usize) -> Visibility {
        let rows = self.links[from..to - 1].iter().filter_map(|link| link.row);
        let all = self.links[from..to].iter().map(|link| link.factor.node).chain(rows);
        all.map(|id| graph.node(id).visibility).fold(Visibility::Public, Visibility::join)
    }

    fn price_of(&self, graph: &Graph, prices: &mut Prices, from: usize, to: usize) -> Option<f64> {
        let owner = self.owner_of(graph, from, to);
        if owner == Visibility::Secret {
            return None;
        }
        let root = &graph.node(self.root).shape;
        let rows = root[..root.len() - 1].iter().product();
        let [inner, _] = self.links[from].factor.size(graph);
        let [_, columns] = self.links[to - 1].factor.size(graph);
        let product = prices.product(owner, rows, inner, columns);
        Some(if from == 0 { product } else { product + prices.truncation(rows * inner) })
    }

    /// As one product; without end where nobody can make its weight.
    pub fn price_of_all(&self, graph: &Graph, prices: &mut Prices) -> f64 {
        self.price_of(graph, prices, 0, self.links.len()).unwrap_or(f64::INFINITY)
    }

    /// By dynamic programming over the last product of each prefix; of equal prices, the fewest products.
    pub fn cheapest(&self, graph: &Graph, prices: &mut Prices) -> Grouping {
        let mut best: Vec<Grouping> = vec![Grouping { starts: vec![], price: 0.0 }];
        for to in 1..=self.links.len() {
            let options = (0..to).filter_map(|from| {
                let last = self.price_of(graph, prices, from, to)?;
                Some((best[from].price + last, from))
            });
            let (price, from) =
                options.reduce(|a, b| if b.0 < a.0 { b } else { a }).expect("a link alone has one owner");
            let starts = [&best[from].starts[..], &[from]].concat();
            best.push(Grouping { starts, price });
        }
        best.pop().expect("a price for every prefix")
    }

    /// Whether it has several links.
    pub fn can_be_grouped(&self) -> bool {
        self.links.len() > 1
    }

    pub fn is_grouped_as(&self, grouping: &Grouping) -> bool {
        self.grouped == grouping.starts
    }

    /// One weight for the whole chain, and the row that is added in the end.
    pub fn merged(&self, out: &mut Graph) -> (NodeId, Option<NodeId>) {
        self.merged_links(out, 0, self.links.len())
    }

    fn merged_links(&self, out: &mut Graph, from: usize, to: usize) -> (NodeId, Option<NodeId>) {
        let (first, rest) = self.links[from..to].split_first().expect("a product has a factor");
        let mut row = first.row;
        let mut weight = first.factor.straight(out);
        for Link { factor, row: own } in rest {
            let op = Operator::MatMul { transpose_b: factor.turned };
            weight = out.derive(op.clone(), &[weight, factor.node], weight, "merged");
            if let Some(added) = row {
                let [inner, columns] = factor.size(out);
                let flat = out.derive(Operator::Reshape { shape: vec![1, inner] }, &[added], added, "row");
                let through = out.derive(op, &[flat, factor.node], added, "through");
                row = Some(out.derive(Operator::Reshape { shape: vec![columns] }, &[through], added, ""));
            }
            row = match (row, *own) {
                (Some(row), Some(own)) => Some(out.derive(Operator::Add, &[row, own], own, "sum")),
                (row, own) => row.or(own),
            };
        }
        (weight, row)
    }

    /// The chain's value, one product for each group; `like` is what it stands for.
    pub fn regrouped(&self, out: &mut Graph, single: &mut Single, grouping: &Grouping, like: &Node) -> NodeId {
        let ends = grouping.starts[1..].iter().copied().chain([self.links.len()]);
        let groups: Vec<(usize, usize)> = grouping.starts.iter().copied().zip(ends).collect();
        groups.into_iter().fold(self.root, |x, (from, to)| {
            let (weight, row) = self.merged_links(out, from, to);
            apply(out, single, x, weight, row, like)
        })
    }
}

/// `x · weight + row`, named as parts of `like`.
pub fn apply(
    out: &mut Graph,
    single: &mut Single,
    x: NodeId,
    weight: NodeId,
    row: Option<NodeId>,
    like: &Node,
) -> NodeId {
    let mut value = out.derive(Operator::MatMul { transpose_b: false }, &[x, weight], weight, "");
    stand_for(out, value, like);
    out.node_mut(value).name = format!("{}.product", like.name);
    single.insert(value, true);
    if let Some(row) = row {
        value = out.derive(Operator::Add, &[value, row], value, "offset");
        single.insert(value, true);
    }
    value
}

/// `id` has the name and place of `like`.
pub fn stand_for(out: &mut Graph, id: NodeId, like: &Node) {
    let node = out.node_mut(id);
    (node.name, node.origin, node.tolerance) = (like.name.clone(), like.origin, like.tolerance);
}
