//! Products: who knows which factor decides the protocol.

use ptc_ir::graph::{Node, NodeId};
use ptc_plan::kernel::{Access, Elementwise, Instruction, Kernel, Word};
use ptc_plan::operator::Operator;
use ptc_plan::step::{Fixed, Form, Owner, Party, StepOp, ValueId};

use super::{Emitter, ring};
use crate::fuse;

impl Emitter<'_> {
    /// `x · w`, `w` known to somebody.
    pub(super) fn known_right(&mut self, node: &Node, transpose_b: bool, form: Form) -> ValueId {
        let (x, w) = (node.inputs[0], node.inputs[1]);
        let mut weight = self.at(w);
        let shape = self.graph.node(w).shape.clone();
        if transpose_b {
            weight = self.clear(Operator::Permute { axes: vec![1, 0] }, weight, vec![shape[1], shape[0]], node);
        }
        let fixed = self.fixed_of(node, 0);
        let x = self.shared_operand(x, ring(form), fixed);
        self.static_product(x, (w, weight), node, node.shape.clone(), form, fixed)
    }

    /// `w · x = (xᵀ · wᵀ)ᵀ`, for each leading index of `x`.
    pub(super) fn known_left(&mut self, node: &Node, transpose_b: bool, form: Form) -> ValueId {
        let (w, x) = (node.inputs[0], node.inputs[1]);
        let (w_shape, x_shape) = (self.graph.node(w).shape.clone(), self.graph.node(x).shape.clone());
        let weight = self.at(w);
        let swap = Operator::Permute { axes: vec![1, 0] };
        let weight = self.clear(swap, weight, vec![w_shape[1], w_shape[0]], node);
        let fixed = self.fixed_of(node, 1);
        let mut x = self.shared_operand(x, ring(form), fixed);
        let turn = Operator::Permute { axes: turned(&(0..x_shape.len()).collect::<Vec<_>>()) };
        if !transpose_b {
            x = self.layout(turn.clone(), x, turned(&x_shape), node, "transposed");
        }
        let product = self.static_product(x, (w, weight), node, turned(&node.shape), form, fixed);
        self.step(StepOp::Layout(turn), &[product], node, form)
    }

    pub(super) fn static_product(
        &mut self,
        x: ValueId,
        (w, weight): (NodeId, ValueId),
        node: &Node,
        shape: Vec<usize>,
        form: Form,
        x_fixed: Fixed,
    ) -> ValueId {
        let (bits, frac) = (ring(form), node.fixed.map_or(0, |f| f.frac) - x_fixed.frac);
        if self.must_be_shared(w) {
            let weight = self.share(weight, Fixed { bits, frac });
            return self.matrix_product(x, weight, node, shape, form);
        }
        let weight = self.encode(weight, Fixed { bits, frac });
        let owner = self.owner(weight);
        let factor_bits = self.factor_bits(w, Fixed { bits, frac });
        let op = match owner {
            Owner::Both => StepOp::PublicMatMul,
            Owner::Server => StepOp::StaticMatMul { owner: Party::Server, factor_bits },
            Owner::Client => StepOp::StaticMatMul { owner: Party::Client, factor_bits },
        };
        let size = &self.plan.values[weight.0 as usize].shape;
        let kernel = Kernel::Product { word: Word::for_ring(bits), k: size[0] as u32, n: size[1] as u32 };
        self.kernel(kernel);
        let out = self.named(format!("{}.product", node.name), shape.clone(), form);
        let out = if shape == node.shape { self.rename(out, node) } else { out };
        self.push(op, vec![x, weight], vec![out]);
        out
    }

    /// A factor of the server is masked once for a session, so another one in the next query would be read off its mask.
    fn must_be_shared(&self, w: NodeId) -> bool {
        self.fresh[w.0 as usize] && self.owner(self.at(w)) == Owner::Server
    }

    /// `x[.., n, m] · w[m, l]`, both shared.
    fn matrix_product(&mut self, x: ValueId, w: ValueId, node: &Node, shape: Vec<usize>, form: Form) -> ValueId {
        let sizes = [x, w].map(|value| self.plan.values[value.0 as usize].shape.clone());
        let (inner, columns) = (sizes[1][0], sizes[1][1]);
        let rows = sizes[0].iter().product::<usize>() / inner;
        let x = match sizes[0].len() {
            2 => x,
            _ => {
                let flat = vec![rows, inner];
                self.layout(Operator::Reshape { shape: flat.clone() }, x, flat, node, "rows")
            }
        };
        let product = self.named(format!("{}.product", node.name), vec![rows, columns], form);
        self.push(StepOp::MatMul { transpose_b: false }, vec![x, w], vec![product]);
        match shape.len() {
            2 => product,
            _ => self.layout(Operator::Reshape { shape: shape.clone() }, product, shape, node, "shaped"),
        }
    }

    /// Both shared; what one party knows becomes its share.
    pub(super) fn shared_product(&mut self, node: &Node, transpose_b: bool, form: Form, bits: u32) -> ValueId {
        let product = node.fixed.map_or(0, |fixed| fixed.frac);
        let first = self.fixed_of(node, 0).frac;
        let known = self.graph.node(node.inputs[1]).fixed.map(|fixed| product - fixed.frac);
        let fracs = [known.unwrap_or(first), product - known.unwrap_or(first)];
        let batch = node.shape[..node.shape.len() - 2].to_vec();
        let mut sides = vec![];
        for (&input, frac) in node.inputs.iter().zip(fracs) {
            let x = self.shared_operand(input, bits, Fixed { bits, frac });
            let shape = self.graph.node(input).shape.clone();
            let wanted: Vec<usize> = batch.iter().chain(&shape[shape.len() - 2..]).copied().collect();
            sides.push(match shape == wanted {
                true => x,
                false => self.layout(Operator::Broadcast { shape: wanted.clone() }, x, wanted, node, "spread"),
            });
        }
        self.step(StepOp::MatMul { transpose_b }, &sides, node, form)
    }

    /// Both shared: equal shapes, or one element of the second for each row of the first.
    pub(super) fn multiply(&mut self, node: &Node, form: Form, bits: u32) -> ValueId {
        let rows = |shape: &[usize]| {
            shape.len() == node.shape.len()
                && shape.last() == Some(&1)
                && shape[..shape.len() - 1] == node.shape[..node.shape.len() - 1]
        };
        let shapes = [0, 1].map(|at| self.graph.node(node.inputs[at]).shape.clone());
        let sides = [0, 1].map(|at| self.operand(node.inputs[at], bits));
        let (full, other, other_shape) = match shapes[0] == node.shape {
            true => (sides[0], sides[1], &shapes[1]),
            false => (sides[1], sides[0], &shapes[0]),
        };
        let full = self.spread(full, node, "left");
        let other = if rows(other_shape) { other } else { self.spread(other, node, "right") };
        self.step(StepOp::Mul, &[full, other], node, form)
    }

    /// One factor known; `x` is the operand at `secret`.
    pub(super) fn multiply_known(&mut self, node: &Node, secret: usize, form: Form) -> ValueId {
        let (x, w) = (node.inputs[secret], node.inputs[1 - secret]);
        let bits = ring(form);
        let fixed = self.fixed_of(node, secret);
        let frac = node.fixed.map_or(0, |f| f.frac) - fixed.frac;
        let x = self.shared_operand(x, bits, fixed);
        let x = self.spread(x, node, "factor");
        let shape = self.graph.node(w).shape.clone();
        let mut weight = self.at(w);
        let suffix = shape.len() <= node.shape.len() && node.shape[node.shape.len() - shape.len()..] == shape;
        if !suffix {
            weight = self.clear(Operator::Broadcast { shape: node.shape.clone() }, weight, node.shape.clone(), node);
        }
        if self.must_be_shared(w) {
            let weight = self.share(weight, Fixed { bits, frac });
            let weight = self.spread(weight, node, "shared");
            return self.step(StepOp::Mul, &[x, weight], node, form);
        }
        let weight = self.encode(weight, Fixed { bits, frac });
        let party = match self.owner(weight) {
            Owner::Server => Party::Server,
            Owner::Client => Party::Client,
            Owner::Both => {
                let size = self.plan.values[weight.0 as usize].shape.clone();
                let access = fuse::access(&size, &node.shape).unwrap_or(Access::Full);
                let code = vec![Instruction::Multiply(0, 1), Instruction::Low(2, bits as u8)];
                let kernel = Elementwise { inputs: vec![Access::Full, access], code, outputs: vec![3] };
                let kernel = self.kernel(Kernel::Elementwise(kernel));
                return self.step(StepOp::Local { kernel }, &[x, weight], node, form);
            }
        };
        let factor_bits = self.factor_bits(w, Fixed { bits, frac });
        self.step(StepOp::StaticMul { owner: party, factor_bits }, &[x, weight], node, form)
    }

    /// Bits of an encoded factor as a signed number, by its bound.
    fn factor_bits(&self, factor: NodeId, fixed: Fixed) -> u32 {
        let Some(bound) = self.graph.node(factor).bound else { return fixed.bits };
        let largest = (bound.max_abs() * f64::from(fixed.frac).exp2()).round();
        let magnitude = (largest + 1.0).log2().ceil().clamp(0.0, 64.0) as u32;
        (magnitude + 1).min(fixed.bits)
    }
}

/// The last two exchanged.
fn turned(axes: &[usize]) -> Vec<usize> {
    let mut turned = axes.to_vec();
    let last = turned.len() - 1;
    turned.swap(last - 1, last);
    turned
}
