//! Nodes in an arena, edges only backwards.

pub use ptc_plan::bound::{Bound, Grade};
use ptc_plan::file::{InputKind, Origin};
use ptc_plan::float::FloatTensor;
use ptc_plan::operator::Operator;
use ptc_plan::step::{Fixed, Levels, Party};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Visibility {
    Public,
    Client,
    Server,
    Secret,
}

impl Visibility {
    /// What only `party` sees.
    pub fn of(party: Party) -> Visibility {
        match party {
            Party::Server => Visibility::Server,
            Party::Client => Visibility::Client,
        }
    }

    pub fn seen_by(self, party: Party) -> bool {
        self == Visibility::Public || self == Visibility::of(party)
    }

    /// Who sees a value computed locally from two values: public yields, different owners make a secret.
    pub fn join(self, other: Visibility) -> Visibility {
        match (self, other) {
            (Visibility::Public, v) | (v, Visibility::Public) => v,
            (a, b) if a == b => a,
            _ => Visibility::Secret,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// An argument of the entry.
    Input {
        name: String,
        kind: InputKind,
        limit: f32,
    },
    /// A checkpoint tensor.
    Parameter {
        path: String,
    },
    Constant(FloatTensor),
    Apply(Operator),
    /// The value becomes known to `to`: a declared result or an author's `reveal`.
    Reveal {
        to: Party,
        reason: String,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub op: Op,
    pub inputs: Vec<NodeId>,
    pub shape: Vec<usize>,
    pub visibility: Visibility,
    /// A stable path, e.g. `blocks.0.attend.scores`; unique in the graph after `canonical`.
    pub name: String,
    /// Index into the graph's origins.
    pub origin: u32,
    /// `#[tolerance]` in force here.
    pub tolerance: Option<f64>,
    pub bound: Option<Bound>,
    /// Ring and scale; present on secret reals after `truncate`. Before it, a pass that chooses a scale leaves 0 bits.
    pub fixed: Option<Fixed>,
    /// How far the fixed point computation may lie from the exact one, absolute; after `errors`.
    pub error: Option<f64>,
}

impl Node {
    /// Bits that hold every value within the bound, with its sign, after adding up to `beyond`.
    pub fn signed_bits(&self, beyond: f64) -> u32 {
        let most = self.bound.map_or(0.0, |bound| bound.max_abs());
        signed_bits(most + beyond, self.fixed.map_or(0, |fixed| fixed.frac))
    }

    /// The scale of `count` levels from `low` on, each a `step` above the other: indices tell all values of the bound apart.
    pub fn level_scale(&self, low: f64, step: f64, count: u32) -> Levels {
        let bound = self.bound.expect("bounds are found before rings");
        // One more at each end: the index may be one too low, and the ends lie within a step.
        let steps = (bound.high.max(low + step * f64::from(count)) - bound.low.min(low)) / step + 2.0;
        let index_bits = steps.log2().ceil().clamp(1.0, 31.0) as u32;
        let first = (low / step).round() as i64 as u32 & ((1 << index_bits) - 1);
        let shift = self.fixed.map_or(0, |fixed| fixed.frac).saturating_add_signed(step.log2().round() as i32);
        Levels { index_bits, shift, first, count }
    }

    /// Bits that hold every value within the bound less `threshold`, with its sign.
    pub fn compared_bits(&self, threshold: f64) -> u32 {
        let frac = self.fixed.map_or(0, |fixed| fixed.frac);
        let unit = (-f64::from(frac)).exp2();
        let threshold = (threshold / unit).round() * unit;
        let most = self.bound.map_or(0.0, |bound| (bound.low - threshold).abs().max((bound.high - threshold).abs()));
        signed_bits(most, frac)
    }
}

/// Bits that hold `|x| <= most` with its sign at `frac` fraction bits.
pub fn signed_bits(most: f64, frac: u32) -> u32 {
    let scaled = most * (frac as f64).exp2() + 1.0;
    (scaled.log2().ceil().max(0.0) as u32).saturating_add(1)
}

#[derive(Clone, Debug, PartialEq)]
pub struct GraphOutput {
    pub name: String,
    pub to: Party,
    /// A `Reveal` node, or a value that its party computes in the clear.
    pub node: NodeId,
}

/// One entry of a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    pub model: String,
    pub entry: String,
    pub dims: Vec<(String, u64)>,
    pub nodes: Vec<Node>,
    pub outputs: Vec<GraphOutput>,
    pub origins: Vec<Origin>,
    pub notes: Vec<ptc_plan::file::Note>,
}

impl Graph {
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    pub fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id.0 as usize]
    }

    pub fn push(&mut self, node: Node) -> NodeId {
        debug_assert!(node.inputs.iter().all(|i| (i.0 as usize) < self.nodes.len()));
        self.nodes.push(node);
        NodeId(self.nodes.len() as u32 - 1)
    }

    /// Appends `op` on `inputs` with shape by the operator's rule, visibility by joining, and name, origin and tolerance
    /// of `like`. `part` is appended to the name.
    pub fn derive(&mut self, op: Operator, inputs: &[NodeId], like: NodeId, part: &str) -> NodeId {
        let shapes: Vec<&[usize]> = inputs.iter().map(|&i| self.node(i).shape.as_slice()).collect();
        let shape = op.shape(&shapes).expect("a pass builds nodes whose shapes fit");
        let visibility = inputs.iter().map(|&i| self.node(i).visibility).fold(Visibility::Public, Visibility::join);
        let source = self.node(like);
        let name = if part.is_empty() { source.name.clone() } else { format!("{}.{part}", source.name) };
        let (origin, tolerance) = (source.origin, source.tolerance);
        self.push(Node {
            op: Op::Apply(op),
            inputs: inputs.to_vec(),
            shape,
            visibility,
            name,
            origin,
            tolerance,
            bound: None,
            fixed: None,
            error: None,
        })
    }

    /// A public constant, named after `like`.
    pub fn constant(&mut self, value: FloatTensor, like: NodeId, part: &str) -> NodeId {
        let source = self.node(like);
        let node = Node {
            shape: value.shape.clone(),
            op: Op::Constant(value),
            inputs: vec![],
            visibility: Visibility::Public,
            name: format!("{}.{part}", source.name),
            origin: source.origin,
            tolerance: None,
            bound: None,
            fixed: None,
            error: None,
        };
        self.push(node)
    }

    pub fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes.len() as u32).map(NodeId)
    }

    /// For each node, the nodes that read it.
    pub fn users(&self) -> Vec<Vec<NodeId>> {
        let mut users = vec![vec![]; self.nodes.len()];
        for id in self.ids() {
            for input in &self.node(id).inputs {
                if users[input.0 as usize].last() != Some(&id) {
                    users[input.0 as usize].push(id);
                }
            }
        }
        users
    }
}
