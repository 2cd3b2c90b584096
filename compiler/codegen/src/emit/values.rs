//! Values of the plan: found, converted, narrowed, spread, made.

use ptc_ir::graph::{Node, NodeId};
use ptc_plan::kernel::{Access, Elementwise, Instruction, Kernel};
use ptc_plan::operator::Operator;
use ptc_plan::step::{Fixed, Form, Owner, Step, StepOp, Value, ValueId};

use super::Emitter;
use crate::CodegenError;

impl Emitter<'_> {
    /// The shared value of a node in a ring of `bits`.
    pub(super) fn operand(&mut self, id: NodeId, bits: u32) -> ValueId {
        let value = self.at(id);
        self.narrow(value, bits)
    }

    /// The value of a node, shared if it is clear, in exactly this fixed point.
    pub(super) fn aligned(&mut self, id: NodeId, fixed: Fixed) -> ValueId {
        let value = self.at(id);
        let Form::Share(from) = self.form(value) else {
            return match self.form(value) {
                Form::Clear(_) => self.share(value, fixed),
                _ => value,
            };
        };
        if from.frac == fixed.frac {
            return self.narrow(value, fixed.bits);
        }
        let code =
            vec![Instruction::ShiftLeft(0, (fixed.frac - from.frac) as u8), Instruction::Low(1, fixed.bits as u8)];
        let kernel =
            self.kernel(Kernel::Elementwise(Elementwise { inputs: vec![Access::Full], code, outputs: vec![2] }));
        let Value { name, shape, .. } = self.plan.values[value.0 as usize].clone();
        let out = self.named(format!("{name}.aligned"), shape, Form::Share(fixed));
        self.push(StepOp::Local { kernel }, vec![value], vec![out]);
        out
    }

    pub(super) fn at(&self, id: NodeId) -> ValueId {
        self.values[id.0 as usize].expect("operands come before their users")
    }

    pub(super) fn form(&self, value: ValueId) -> Form {
        self.plan.values[value.0 as usize].form
    }

    pub(super) fn owner(&self, value: ValueId) -> Owner {
        match self.form(value) {
            Form::Clear(owner) | Form::Encoded(owner, _) => owner,
            _ => Owner::Both,
        }
    }

    /// The fixed point of an operand; one that its owner still knows gets half of the product's scale.
    pub(super) fn fixed_of(&self, node: &Node, at: usize) -> Fixed {
        let product = node.fixed.expect("a secret product has a ring");
        self.graph.node(node.inputs[at]).fixed.unwrap_or(Fixed { bits: product.bits, frac: product.frac / 2 })
    }

    /// As [`Emitter::operand`]; a clear value is shared first.
    pub(super) fn shared_operand(&mut self, id: NodeId, bits: u32, fixed: Fixed) -> ValueId {
        let value = self.at(id);
        match self.form(value) {
            Form::Clear(_) => self.share(value, Fixed { bits, frac: fixed.frac }),
            _ => self.narrow(value, bits),
        }
    }

    /// Drops high bits: local, and nothing when the ring is narrow already.
    pub(super) fn narrow(&mut self, value: ValueId, bits: u32) -> ValueId {
        let Form::Share(fixed) = self.form(value) else { return value };
        if fixed.bits <= bits {
            return value;
        }
        if let Some(&narrow) = self.narrowed.get(&(value, bits)) {
            return narrow;
        }
        let code = vec![Instruction::Low(0, bits as u8)];
        let kernel =
            self.kernel(Kernel::Elementwise(Elementwise { inputs: vec![Access::Full], code, outputs: vec![1] }));
        let Value { name, shape, .. } = self.plan.values[value.0 as usize].clone();
        let out = self.named(format!("{name}.low"), shape, Form::Share(Fixed { bits, frac: fixed.frac }));
        self.push(StepOp::Local { kernel }, vec![value], vec![out]);
        self.narrowed.insert((value, bits), out);
        out
    }

    /// To the node's shape.
    pub(super) fn spread(&mut self, value: ValueId, node: &Node, part: &str) -> ValueId {
        if self.plan.values[value.0 as usize].shape == node.shape {
            return value;
        }
        self.layout(Operator::Broadcast { shape: node.shape.clone() }, value, node.shape.clone(), node, part)
    }

    pub(super) fn layout(
        &mut self,
        op: Operator,
        value: ValueId,
        shape: Vec<usize>,
        node: &Node,
        part: &str,
    ) -> ValueId {
        let form = self.form(value);
        let out = self.named(format!("{}.{part}", node.name), shape, form);
        self.push(StepOp::Layout(op), vec![value], vec![out]);
        out
    }

    pub(super) fn clear(&mut self, op: Operator, value: ValueId, shape: Vec<usize>, node: &Node) -> ValueId {
        let form = self.form(value);
        let out = self.named(format!("{}.known", node.name), shape, form);
        self.push(StepOp::Clear(op), vec![value], vec![out]);
        out
    }

    pub(super) fn share(&mut self, value: ValueId, fixed: Fixed) -> ValueId {
        self.converted(StepOp::Share, value, fixed, Form::Share(fixed))
    }

    pub(super) fn encode(&mut self, value: ValueId, fixed: Fixed) -> ValueId {
        let owner = self.owner(value);
        self.converted(StepOp::Encode, value, fixed, Form::Encoded(owner, fixed))
    }

    pub(super) fn converted(&mut self, op: StepOp, value: ValueId, fixed: Fixed, form: Form) -> ValueId {
        if let Some(&done) = self.encoded.get(&(value, fixed))
            && self.form(done) == form
        {
            return done;
        }
        let Value { name, shape, .. } = self.plan.values[value.0 as usize].clone();
        let out = self.named(format!("{name}.fixed"), shape, form);
        self.push(op, vec![value], vec![out]);
        self.encoded.insert((value, fixed), out);
        out
    }

    pub(super) fn kernel(&mut self, kernel: Kernel) -> u32 {
        let next = self.plan.kernels.len() as u32;
        let id = *self.kernels.entry(kernel.clone()).or_insert(next);
        if id == next {
            self.plan.kernels.push(kernel);
        }
        id
    }

    pub(super) fn value(&mut self, node: &Node, form: Form) -> ValueId {
        self.named(node.name.clone(), node.shape.clone(), form)
    }

    pub(super) fn named(&mut self, name: String, shape: Vec<usize>, form: Form) -> ValueId {
        self.plan.values.push(Value { name, shape, form, bound: None, error: None });
        ValueId(self.plan.values.len() as u32 - 1)
    }

    pub(super) fn rename(&mut self, value: ValueId, node: &Node) -> ValueId {
        self.plan.values[value.0 as usize].name = node.name.clone();
        value
    }

    /// A step whose one output is the node's value.
    pub(super) fn step(&mut self, op: StepOp, inputs: &[ValueId], node: &Node, form: Form) -> ValueId {
        let out = self.value(node, form);
        self.push(op, inputs.to_vec(), vec![out]);
        out
    }

    pub(super) fn push(&mut self, op: StepOp, inputs: Vec<ValueId>, outputs: Vec<ValueId>) {
        self.plan.steps.push(Step { op, inputs, outputs, round: 0, origin: self.origin, method: None });
    }

    pub(super) fn error(&self, message: &str, hint: &str) -> CodegenError {
        CodegenError { origin: self.origin, message: message.to_string(), hint: hint.to_string() }
    }
}
