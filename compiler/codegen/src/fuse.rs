//! What is local between two rounds is one kernel.
//!
//! %2 = add %0, %1                       %4 = kernel(%0, %1, %3)
//! %4 = scale (subtract %2, %3)     =>
//!
//! A local elementwise node with one local user of the same shape is computed within that user's kernel.

use std::collections::HashMap;

use ptc_ir::Graph;
use ptc_ir::graph::{Node, NodeId, Op, Visibility};
use ptc_plan::kernel::{Access, Elementwise, Instruction};
use ptc_plan::operator::Operator;
use ptc_plan::step::Fixed;

/// A node with more operands than this is not computed within its user's kernel.
pub const MOST_OPERANDS: usize = 24;

/// Whether a secret node is computed by each party alone, element by element.
pub fn is_local(graph: &Graph, node: &Node) -> bool {
    let Op::Apply(op) = &node.op else { return false };
    if node.visibility != Visibility::Secret || node.fixed.is_none() {
        return false;
    }
    match op {
        Operator::Add | Operator::Subtract | Operator::Negate | Operator::Scale { .. } | Operator::Offset { .. } => {
            true
        }
        Operator::Rescale => is_free(graph, node),
        _ => false,
    }
}

/// A truncation whose operand's ring is wide enough to lose the bits: no wrap to mend.
fn is_free(graph: &Graph, node: &Node) -> bool {
    let from = graph.node(node.inputs[0]).fixed.expect("a rescaled value has a ring");
    let to = node.fixed.expect("a rescale has a ring");
    from.bits >= to.bits + (from.frac - to.frac)
}

/// An operand of a kernel: a node whose value must be at hand, and how the kernel reads it.
pub struct Operand {
    pub node: NodeId,
    /// The fixed point in which a clear value is shared for the kernel.
    pub fixed: Fixed,
    /// Absent: the value is first broadcast to the kernel's shape.
    pub access: Option<Access>,
}

/// The kernel of a local node with everything that is computed within it.
pub fn kernel(graph: &Graph, root: NodeId, inline: &dyn Fn(NodeId) -> bool) -> (Elementwise, Vec<Operand>) {
    let mut operands = vec![];
    collect(graph, root, root, inline, &mut operands);
    let at = operands.iter().enumerate().map(|(i, o)| ((o.node, o.fixed.frac), i as u16)).collect();
    let mut code = Code { graph, at, first: operands.len() as u16, instructions: vec![] };
    let fixed = graph.node(root).fixed.expect("a local node has a ring");
    let result = code.node(root);
    let result = code.low(result, fixed.bits);
    let kernel = Elementwise {
        inputs: operands.iter().map(|o| o.access.unwrap_or(Access::Full)).collect(),
        code: code.instructions,
        outputs: vec![result],
    };
    (kernel, operands)
}

fn collect(graph: &Graph, root: NodeId, id: NodeId, inline: &dyn Fn(NodeId) -> bool, operands: &mut Vec<Operand>) {
    let user = graph.node(id).fixed.expect("a local node has a ring");
    for &input in &graph.node(id).inputs {
        let node = graph.node(input);
        let fixed = node.fixed.unwrap_or(user);
        if let Some(known) = operands.iter_mut().find(|o| o.node == input && o.fixed.frac == fixed.frac) {
            // A clear value is shared once, in a ring for all its uses.
            known.fixed.bits = known.fixed.bits.max(fixed.bits);
            continue;
        }
        let shape = &graph.node(root).shape;
        if node.shape == *shape && inline(input) {
            collect(graph, root, input, inline, operands);
        } else {
            operands.push(Operand { node: input, fixed, access: access(&node.shape, shape) });
        }
    }
}

/// How a value of shape `from` is read under `to`; none of the forms may fit.
pub fn access(from: &[usize], to: &[usize]) -> Option<Access> {
    if from.iter().product::<usize>() == 1 {
        return Some(if to.iter().product::<usize>() == 1 { Access::Full } else { Access::Single });
    }
    let lead = to.len() - from.len();
    let padded: Vec<usize> = std::iter::repeat_n(1, lead).chain(from.iter().copied()).collect();
    if padded == to {
        return Some(Access::Full);
    }
    let differs: Vec<usize> = (0..to.len()).filter(|&i| padded[i] != to[i]).collect();
    let (first, last) = (*differs.first()?, *differs.last()?);
    if padded[..=last].iter().all(|&s| s == 1) {
        return Some(Access::Cycle { period: padded[last + 1..].iter().product::<usize>() as u32 });
    }
    if padded[first..].iter().all(|&s| s == 1) {
        return Some(Access::Each { period: to[first..].iter().product::<usize>() as u32 });
    }
    None
}

struct Code<'a> {
    graph: &'a Graph,
    /// Registers of nodes already at hand.
    at: HashMap<(NodeId, u32), u16>,
    first: u16,
    instructions: Vec<Instruction>,
}

impl Code<'_> {
    fn push(&mut self, instruction: Instruction) -> u16 {
        self.instructions.push(instruction);
        self.first + self.instructions.len() as u16 - 1
    }

    fn constant(&mut self, value: i64) -> u16 {
        self.push(Instruction::Const(value as u64))
    }

    /// A public constant counts at the server alone.
    fn public(&mut self, value: i64) -> u16 {
        let value = self.constant(value);
        let once = self.push(Instruction::IsServer);
        self.push(Instruction::Multiply(value, once))
    }

    fn low(&mut self, register: u16, bits: u32) -> u16 {
        if bits == 64 { register } else { self.push(Instruction::Low(register, bits as u8)) }
    }

    /// The register of an operand of a node at `frac` fraction bits.
    fn operand(&mut self, id: NodeId, frac: u32) -> u16 {
        match self.at.get(&(id, frac)) {
            Some(&register) => register,
            None => self.node(id),
        }
    }

    /// Computes a local node; the result counts modulo its ring, high bits are left over.
    fn node(&mut self, id: NodeId) -> u16 {
        let node = self.graph.node(id);
        let Op::Apply(op) = &node.op else { unreachable!("only operators are local") };
        let to = node.fixed.expect("a local node has a ring");
        let frac = |at: usize| self.graph.node(node.inputs[at]).fixed.map_or(to.frac, |f| f.frac);
        let result = match op {
            Operator::Add | Operator::Subtract => {
                let fracs = [frac(0), frac(1)];
                let sides = [0, 1].map(|at| {
                    let register = self.operand(node.inputs[at], fracs[at]);
                    self.align(register, to.frac - fracs[at])
                });
                match op {
                    Operator::Add => self.push(Instruction::Add(sides[0], sides[1])),
                    _ => self.push(Instruction::Subtract(sides[0], sides[1])),
                }
            }
            Operator::Negate => {
                let x = self.operand(node.inputs[0], to.frac);
                let zero = self.constant(0);
                self.push(Instruction::Subtract(zero, x))
            }
            Operator::Scale { by } => {
                let from = frac(0);
                let grown = to.frac as f64 - from as f64;
                let x = self.operand(node.inputs[0], from);
                let factor = (by * grown.exp2()).round() as i64;
                match factor {
                    1 => x,
                    _ => {
                        let factor = self.constant(factor);
                        self.push(Instruction::Multiply(x, factor))
                    }
                }
            }
            Operator::Offset { by } => {
                let x = self.operand(node.inputs[0], to.frac);
                match (by * (to.frac as f64).exp2()).round() as i64 {
                    0 => x,
                    offset => {
                        let offset = self.public(offset);
                        self.push(Instruction::Add(x, offset))
                    }
                }
            }
            Operator::Rescale => {
                let from = self.graph.node(node.inputs[0]).fixed.expect("a rescaled value has a ring");
                let x = self.operand(node.inputs[0], from.frac);
                let shift = from.frac - to.frac;
                if shift == 0 {
                    x
                } else {
                    // Rounding: with this much added, the shares' lost carry takes as often as the floor gives.
                    let rounding = self.public((1i64 << shift) - 1);
                    let sum = self.push(Instruction::Add(x, rounding));
                    let whole = self.low(sum, from.bits);
                    self.push(Instruction::ShiftRight(whole, shift as u8))
                }
            }
            other => unreachable!("`{}` is not local", other.name()),
        };
        self.at.insert((id, to.frac), result);
        result
    }

    fn align(&mut self, register: u16, by: u32) -> u16 {
        if by == 0 { register } else { self.push(Instruction::ShiftLeft(register, by as u8)) }
    }
}
