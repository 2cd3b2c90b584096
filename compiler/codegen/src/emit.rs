//! One step for each node, in the order of the graph.

mod products;
mod values;

use std::collections::{HashMap, HashSet};

use ptc_ir::Graph;
use ptc_ir::graph::{Node, NodeId, Op, Visibility, signed_bits};
use ptc_plan::file::{Constant, Input, Output, Parameter, Plan, Trust};
use ptc_plan::kernel::{Access, Elementwise, Instruction, Kernel};
use ptc_plan::operator::Operator;
use ptc_plan::step::{Exp2, Fixed, Form, Owner, Party, Step, StepOp, ValueId};

use crate::fuse;
use crate::{CodegenError, Generated};

/// Fraction bits of a party's own value that it reveals.
const REVEALED_FRAC: u32 = 20;

pub fn emit(graph: &Graph, trust: Trust) -> Result<Generated, Vec<CodegenError>> {
    let live = live(graph);
    let mut users = vec![vec![]; graph.nodes.len()];
    for id in graph.ids().filter(|id| live[id.0 as usize]) {
        for input in &graph.node(id).inputs {
            users[input.0 as usize].push(id);
        }
    }
    let plan = Plan {
        model: graph.model.clone(),
        entry: graph.entry.clone(),
        dims: graph.dims.clone(),
        trust,
        batch: None,
        values: vec![],
        parameters: vec![],
        inputs: vec![],
        constants: vec![],
        kernels: vec![],
        steps: vec![],
        outputs: vec![],
        origins: graph.origins.clone(),
        notes: graph.notes.clone(),
        choices: vec![],
    };
    let mut emitter = Emitter {
        graph,
        users,
        fresh: fresh(graph),
        plan,
        values: vec![None; graph.nodes.len()],
        operands: vec![1; graph.nodes.len()],
        tables: HashMap::new(),
        kernels: HashMap::new(),
        narrowed: HashMap::new(),
        encoded: HashMap::new(),
        origin: 0,
    };
    let mut errors = vec![];
    for id in graph.ids().filter(|id| live[id.0 as usize]) {
        if let Err(error) = emitter.node(id) {
            errors.push(error);
            break;
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    emitter.outputs();
    let nodes = graph.ids().filter_map(|id| emitter.values[id.0 as usize].map(|value| (id, value))).collect();
    Ok(Generated { plan: emitter.plan, nodes })
}

/// What the outputs need; and every input, so that a caller may always give it.
fn live(graph: &Graph) -> Vec<bool> {
    let mut live: Vec<bool> = graph.nodes.iter().map(|n| matches!(n.op, Op::Input { .. })).collect();
    for output in &graph.outputs {
        live[output.node.0 as usize] = true;
    }
    for id in (0..graph.nodes.len()).rev() {
        if live[id] {
            for input in &graph.nodes[id].inputs {
                live[input.0 as usize] = true;
            }
        }
    }
    live
}

/// Everything but what depends on parameters and constants alone.
fn fresh(graph: &Graph) -> Vec<bool> {
    let mut fresh = vec![false; graph.nodes.len()];
    for (id, node) in graph.nodes.iter().enumerate() {
        let derived = node.inputs.iter().any(|input| fresh[input.0 as usize]);
        fresh[id] = derived || matches!(node.op, Op::Input { .. } | Op::Reveal { .. });
    }
    fresh
}

struct Emitter<'a> {
    graph: &'a Graph,
    /// Live users, once for each use.
    users: Vec<Vec<NodeId>>,
    /// Nodes whose values differ from query to query.
    fresh: Vec<bool>,
    plan: Plan,
    values: Vec<Option<ValueId>>,
    /// Operands of a local node's kernel, those of nodes within it included.
    operands: Vec<usize>,
    /// A table look-up has several outputs; slices of it name one.
    tables: HashMap<NodeId, Vec<ValueId>>,
    kernels: HashMap<Kernel, u32>,
    narrowed: HashMap<(ValueId, u32), ValueId>,
    encoded: HashMap<(ValueId, Fixed), ValueId>,
    origin: u32,
}

impl Emitter<'_> {
    fn node(&mut self, id: NodeId) -> Result<(), CodegenError> {
        let graph = self.graph;
        let node = graph.node(id);
        self.origin = node.origin;
        let value = match &node.op {
            Op::Input { name, kind, limit } => {
                let owner = owner(node.visibility);
                let value = self.value(node, Form::Clear(owner));
                let (name, shape) = (name.clone(), node.shape.clone());
                self.plan.inputs.push(Input { name, kind: *kind, shape, owner, value, limit: *limit });
                value
            }
            Op::Parameter { path } => {
                let owner = owner(node.visibility);
                let value = self.value(node, Form::Clear(owner));
                let limit = node.bound.map_or(f32::MAX, |b| b.max_abs() as f32);
                let (path, shape) = (path.clone(), node.shape.clone());
                self.plan.parameters.push(Parameter { path, shape, owner, value, limit });
                value
            }
            Op::Constant(data) => {
                let value = self.value(node, Form::Clear(Owner::Both));
                self.plan.constants.push(Constant { value, data: data.data.clone() });
                value
            }
            Op::Reveal { to, .. } => {
                let x = self.at(node.inputs[0]);
                let known = match self.form(x) {
                    Form::Share(_) => false,
                    Form::Clear(Owner::Both) => true,
                    Form::Clear(owner) => owner.knows(*to),
                    _ => false,
                };
                if known {
                    x
                } else {
                    let x = match self.form(x) {
                        // One party's own value goes to the other by way of a sharing, so that there is one way to open.
                        Form::Clear(_) => {
                            let most = graph.node(node.inputs[0]).bound.map_or(1.0, |bound| bound.max_abs());
                            let bits = signed_bits(most, REVEALED_FRAC);
                            if bits > 64 {
                                return Err(self.error(
                                    &format!("a value of up to {most:.1e} does not fit a ring of 64 bits"),
                                    "calibrate the model, or declare a smaller `#[bound]`",
                                ));
                            }
                            self.share(x, Fixed { bits, frac: REVEALED_FRAC })
                        }
                        _ => self.narrow(x, graph.node(node.inputs[0]).signed_bits(0.0)),
                    };
                    self.step(StepOp::Reveal { to: *to }, &[x], node, Form::Clear(owner_of(*to)))
                }
            }
            Op::Apply(op) if node.visibility != Visibility::Secret => {
                let inputs: Vec<ValueId> = node.inputs.iter().map(|&i| self.at(i)).collect();
                self.step(StepOp::Clear(op.clone()), &inputs, node, Form::Clear(owner(node.visibility)))
            }
            Op::Apply(_) if fuse::is_local(graph, node) => {
                let leaves = |at: &NodeId| if self.within_user(*at) { self.operands[at.0 as usize] } else { 1 };
                self.operands[id.0 as usize] = node.inputs.iter().map(leaves).sum();
                if self.within_user(id) {
                    return Ok(());
                }
                self.local(id, node)
            }
            Op::Apply(op) => match self.secret(id, node, op)? {
                Some(value) => value,
                None => return Ok(()),
            },
        };
        self.values[id.0 as usize] = Some(value);
        let known = &mut self.plan.values[value.0 as usize];
        known.bound = known.bound.or(node.bound);
        known.error = known.error.or(node.error);
        Ok(())
    }

    /// The entry's results, then every value that is opened on the way to none of them.
    fn outputs(&mut self) {
        let graph = self.graph;
        let mut listed = HashSet::new();
        for output in &graph.outputs {
            let reason = self.reason(output.node, &mut listed);
            let value = self.at(output.node);
            self.plan.outputs.push(Output { name: output.name.clone(), to: output.to, value, reason, result: true });
        }
        let opened = |step: &Step| matches!(step.op, StepOp::Reveal { .. }).then(|| step.outputs[0]);
        let opened: HashSet<ValueId> = self.plan.steps.iter().filter_map(opened).collect();
        for id in graph.ids().filter(|id| !listed.contains(id)) {
            if let (Op::Reveal { to, reason }, Some(value)) = (&graph.node(id).op, self.values[id.0 as usize])
                && opened.contains(&value)
            {
                let name = graph.node(id).name.clone();
                self.plan.outputs.push(Output { name, to: *to, value, reason: reason.clone(), result: false });
            }
        }
    }

    /// Why what an output is computed from is opened: its party may work on after the reveal. `seen` gathers the nodes on
    /// the way.
    fn reason(&self, output: NodeId, seen: &mut HashSet<NodeId>) -> String {
        let mut reasons: Vec<&str> = vec![];
        let mut own = HashSet::new();
        let mut open = vec![output];
        while let Some(id) = open.pop() {
            let node = self.graph.node(id);
            match &node.op {
                _ if !own.insert(id) => {}
                Op::Reveal { reason, .. } if !reasons.contains(&reason.as_str()) => reasons.push(reason),
                Op::Reveal { .. } => {}
                _ => open.extend(node.inputs.iter().rev()),
            }
        }
        seen.extend(own);
        if reasons.is_empty() { "known to its party already".to_string() } else { reasons.join("; ") }
    }

    /// A secret node that takes a step of its own.
    fn secret(&mut self, id: NodeId, node: &Node, op: &Operator) -> Result<Option<ValueId>, CodegenError> {
        let graph = self.graph;
        let input = |at: usize| graph.node(node.inputs[at]);
        let is_secret = |at: usize| input(at).visibility == Visibility::Secret;
        let form = node.fixed.map_or(Form::Bits, Form::Share);
        let bits = node.fixed.map_or(1, |fixed| fixed.bits);
        let value = match op {
            Operator::Rescale => {
                let x = self.at(node.inputs[0]);
                self.step(StepOp::Rescale, &[x], node, form)
            }
            Operator::MatMul { transpose_b } => {
                let matrix = |at: usize| input(at).shape.len() == 2;
                let servers = input(0).visibility == Visibility::Server;
                match (is_secret(0), is_secret(1)) {
                    (false, true) if matrix(0) => self.known_left(node, *transpose_b, form),
                    (false, false) if servers && matrix(0) => self.known_left(node, *transpose_b, form),
                    // Also where the client knows the left operand and the server the right one.
                    (_, false) if matrix(1) => self.known_right(node, *transpose_b, form),
                    // A tensor of known matrices is shared, too.
                    _ => self.shared_product(node, *transpose_b, form, bits),
                }
            }
            Operator::Multiply => match (is_secret(0), is_secret(1)) {
                (true, true) => self.multiply(node, form, bits),
                (true, false) => self.multiply_known(node, 0, form),
                (false, true) => self.multiply_known(node, 1, form),
                // Each party knows one: the client's is shared.
                (false, false) => {
                    self.multiply_known(node, usize::from(input(0).visibility == Visibility::Server), form)
                }
            },
            Operator::Square => {
                let x = self.operand(node.inputs[0], bits);
                self.step(StepOp::Square, &[x], node, form)
            }
            Operator::Reshape { .. } | Operator::Permute { .. } | Operator::Broadcast { .. } => {
                let x = self.operand(node.inputs[0], bits);
                self.step(StepOp::Layout(op.clone()), &[x], node, form)
            }
            Operator::Slice { axis, start, length } => match self.tables.get(&node.inputs[0]) {
                Some(outputs) if *axis == 0 && *length == 1 => {
                    let one = outputs[*start];
                    let layout = Operator::Reshape { shape: node.shape.clone() };
                    let one = self.narrow(one, bits);
                    self.step(StepOp::Layout(layout), &[one], node, form)
                }
                _ => {
                    let x = self.operand(node.inputs[0], bits);
                    self.step(StepOp::Layout(op.clone()), &[x], node, form)
                }
            },
            Operator::Concat { .. } => {
                let fixed = node.fixed.unwrap_or(Fixed { bits: 1, frac: 0 });
                let parts: Vec<ValueId> = node.inputs.iter().map(|&i| self.aligned(i, fixed)).collect();
                self.step(StepOp::Layout(op.clone()), &parts, node, form)
            }
            Operator::Sum { axis } => {
                let x = self.operand(node.inputs[0], bits);
                self.step(StepOp::SumAxis { axis: *axis }, &[x], node, form)
            }
            Operator::Max { axis } => {
                if axis + 1 != node.shape.len() {
                    return Err(self.error("`max` of a secret value runs along the last axis only", "transpose first"));
                }
                let x = self.operand(node.inputs[0], bits);
                self.step(StepOp::Max, &[x], node, form)
            }
            Operator::Compare { threshold } => {
                let x = input(0);
                let fixed = x.fixed.expect("a compared value has a ring");
                let value = self.at(node.inputs[0]);
                let bits = x.compared_bits(*threshold).min(fixed.bits);
                let value = self.narrow(value, bits);
                // The difference is what fits the ring; a threshold beyond it is there modulo the ring's size.
                let threshold = (threshold * (fixed.frac as f64).exp2()).round() as i64;
                let beyond = threshold.unsigned_abs() >> (bits - 1) > 1;
                let threshold = if beyond { threshold << (64 - bits) >> (64 - bits) } else { threshold };
                self.step(StepOp::Compare { threshold }, &[value], node, Form::Bits)
            }
            Operator::Not | Operator::Xor | Operator::And => {
                let inputs: Vec<ValueId> = node.inputs.iter().map(|&i| self.at(i)).collect();
                let op = match op {
                    Operator::Not => StepOp::Not,
                    Operator::Xor => StepOp::Xor,
                    _ => StepOp::And,
                };
                self.step(op, &inputs, node, Form::Bits)
            }
            Operator::BitToReal => {
                let x = self.at(node.inputs[0]);
                self.step(StepOp::BitToShare, &[x], node, form)
            }
            Operator::Gate => {
                let bit = self.at(node.inputs[0]);
                let bit = self.spread(bit, node, "bit");
                let x = self.operand(node.inputs[1], bits);
                let x = self.spread(x, node, "gated");
                self.step(StepOp::Gate, &[bit, x], node, form)
            }
            Operator::Levels { low, step, count } => {
                let scale = input(0).level_scale(*low, *step, *count);
                let x = self.operand(node.inputs[0], scale.index_bits + scale.shift);
                self.step(StepOp::Levels(scale), &[x], node, form)
            }
            Operator::Exp2 { octaves, rounds } => {
                let mut exp = Exp2::for_range(*octaves, node.fixed.map_or(0, |fixed| fixed.frac), *rounds);
                let frac = input(0).fixed.expect("an exponent has a ring").frac;
                let x = self.operand(node.inputs[0], exp.input_bits(frac));
                exp.ring = bits;
                self.step(StepOp::Exp2(exp), &[x], node, form)
            }
            Operator::Table { low, step_bits, values } => {
                let to = node.fixed.expect("a table has a ring");
                let (scale, mask) =
                    (f64::from(to.frac).exp2(), if to.bits == 64 { u64::MAX } else { (1 << to.bits) - 1 });
                let entry = |v: &f32| ((f64::from(*v) * scale).round() as i64 as u64) & mask;
                let entries = values.iter().map(|row| row.iter().map(entry).collect()).collect();
                self.table(id, node, (*low, *step_bits), entries, form);
                return Ok(None);
            }
            Operator::BitTable { low, step_bits, values } => {
                let entries = values.iter().map(|row| row.iter().map(|&bit| u64::from(bit)).collect()).collect();
                self.table(id, node, (*low, *step_bits), entries, form);
                return Ok(None);
            }
            Operator::Rest { step_bits } => {
                let from = input(0).fixed.expect("a value with a rest has a ring");
                let x = self.at(node.inputs[0]);
                match from.frac as i32 - step_bits {
                    shift @ 1.. => self.step(StepOp::Rest { shift: shift as u32 }, &[x], node, form),
                    // Cells are no wider than a unit.
                    _ => {
                        let code = vec![Instruction::Const(0)];
                        let zero = Elementwise { inputs: vec![Access::Full], code, outputs: vec![1] };
                        let kernel = self.kernel(Kernel::Elementwise(zero));
                        self.step(StepOp::Local { kernel }, &[x], node, form)
                    }
                }
            }
            other => {
                return Err(self.error(
                    &format!("`{}` of a secret value has no protocol", other.name()),
                    "compute it on a value that one party may see, or declare an operand `@public`",
                ));
            }
        };
        Ok(Some(value))
    }

    /// `cells` are the lower end of the first and the width of each, as bits.
    fn table(&mut self, id: NodeId, node: &Node, cells: (f64, i32), entries: Vec<Vec<u64>>, form: Form) {
        let ((low, step_bits), tables) = (cells, entries.len());
        let from = self.graph.node(node.inputs[0]).fixed.expect("a looked-up value has a ring");
        let index_bits = entries[0].len().ilog2();
        // Where a cell is less than a unit, units are split.
        let shift = (from.frac as i32 - step_bits).max(0) as u32;
        let split = (step_bits - from.frac as i32).max(0) as u32;
        let x = self.operand(node.inputs[0], index_bits + shift);
        let start = (low * f64::from(from.frac + split).exp2()).round() as i64;
        let mut code =
            vec![Instruction::Const((start as u64).wrapping_neg()), Instruction::IsServer, Instruction::Multiply(1, 2)];
        let mut last = 0;
        if split > 0 {
            code.push(Instruction::ShiftLeft(0, split as u8));
            last = 4;
        }
        code.push(Instruction::Add(last, 3));
        code.push(Instruction::Low(code.len() as u16, (index_bits + shift) as u8));
        let outputs = vec![code.len() as u16];
        let kernel = self.kernel(Kernel::Elementwise(Elementwise { inputs: vec![Access::Full], code, outputs }));
        let shape = self.graph.node(node.inputs[0]).shape.clone();
        let from_low = Form::Share(Fixed { bits: index_bits + shift, frac: from.frac + split });
        let index = self.named(format!("{}.index", node.name), shape.clone(), from_low);
        self.push(StepOp::Local { kernel }, vec![x], vec![index]);
        let outputs: Vec<ValueId> =
            (0..tables).map(|j| self.named(format!("{}.{j}", node.name), shape.clone(), form)).collect();
        self.push(StepOp::Table { index_bits, shift, values: entries }, vec![index], outputs.clone());
        self.tables.insert(id, outputs);
    }

    /// A local node is computed within its user's kernel when that is its one user and has its shape.
    fn within_user(&self, id: NodeId) -> bool {
        let node = self.graph.node(id);
        let [user] = self.users[id.0 as usize][..] else { return false };
        let user = self.graph.node(user);
        fuse::is_local(self.graph, node)
            && fuse::is_local(self.graph, user)
            && user.shape == node.shape
            && self.operands[id.0 as usize] <= fuse::MOST_OPERANDS
            && self.graph.outputs.iter().all(|o| o.node != id)
    }

    fn local(&mut self, id: NodeId, node: &Node) -> ValueId {
        let graph = self.graph;
        let (mut kernel, operands) = fuse::kernel(graph, id, &|operand| self.within_user(operand));
        let mut inputs = vec![];
        for (at, operand) in operands.iter().enumerate() {
            let wanted = operand.fixed;
            let value = match graph.node(operand.node).visibility {
                Visibility::Secret => self.at(operand.node),
                _ => {
                    let clear = self.at(operand.node);
                    self.share(clear, wanted)
                }
            };
            let value = match operand.access {
                Some(_) => value,
                None => {
                    kernel.inputs[at] = Access::Full;
                    self.spread(value, node, "spread")
                }
            };
            inputs.push(value);
        }
        let kernel = self.kernel(Kernel::Elementwise(kernel));
        let form = Form::Share(node.fixed.expect("a local node has a ring"));
        self.step(StepOp::Local { kernel }, &inputs, node, form)
    }
}

fn owner(visibility: Visibility) -> Owner {
    match visibility {
        Visibility::Server => Owner::Server,
        Visibility::Client => Owner::Client,
        Visibility::Public | Visibility::Secret => Owner::Both,
    }
}

fn owner_of(party: Party) -> Owner {
    match party {
        Party::Server => Owner::Server,
        Party::Client => Owner::Client,
    }
}

fn ring(form: Form) -> u32 {
    match form {
        Form::Share(fixed) | Form::Encoded(_, fixed) => fixed.bits,
        _ => 1,
    }
}
