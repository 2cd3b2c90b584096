//! Steps that a party takes alone.

use std::sync::Arc;

use ptc_kernels::Backend;
use ptc_plan::Plan;
use ptc_plan::float::FloatTensor;
use ptc_plan::kernel::{Kernel, Word};
use ptc_plan::operator::Operator;
use ptc_plan::step::{Fixed, Form, Owner, Party, Step, StepOp, Value};
use ptc_ring::fixed;
use ptc_ring::tensor::{self, BitShare, Share, mask};

use crate::layout;
use crate::value::{Encoded, Held};

pub struct Local<'a> {
    pub plan: &'a Plan,
    pub party: Party,
    pub backend: &'a dyn Backend,
}

impl Local<'_> {
    /// The outputs of a step without rounds.
    pub fn run(&self, step: &Step, inputs: &[Held]) -> Vec<Held> {
        let out = self.value(step.outputs[0]);
        let first = &inputs[..1];
        let one = |held: Held| vec![held];
        match &step.op {
            StepOp::Clear(op) => one(self.clear(op, inputs, out)),
            StepOp::Encode => one(self.encode(&first[0], out)),
            StepOp::Share => one(self.share(&first[0], step, out)),
            StepOp::Local { kernel } => self.kernel(*kernel, step, inputs),
            StepOp::Layout(op) => one(self.layout(op, step, inputs, out)),
            StepOp::SumAxis { axis } => {
                let bits = ring(out).bits;
                let shape = &self.value(step.inputs[0]).shape;
                let data = layout::sum_axis(&first[0].share().data, shape, *axis, mask(bits));
                one(Held::Share(Arc::new(Share { bits, data })))
            }
            StepOp::PublicMatMul => one(self.public_matmul(inputs, step, out)),
            StepOp::Rest { shift } => {
                let (bits, low) = (ring(out).bits, mask(*shift));
                let data = first[0].share().data.iter().map(|x| x & low & mask(bits)).collect();
                one(Held::Share(Arc::new(Share { bits, data })))
            }
            StepOp::Xor => one(Held::Bits(Arc::new(tensor::xor(inputs[0].bits(), inputs[1].bits())))),
            StepOp::Not => one(Held::Bits(Arc::new(tensor::not(first[0].bits(), self.party)))),
            other => panic!("`{}` is no local step", other.name()),
        }
    }

    fn value(&self, id: ptc_plan::step::ValueId) -> &Value {
        &self.plan.values[id.0 as usize]
    }

    fn clear(&self, op: &Operator, inputs: &[Held], out: &Value) -> Held {
        let Form::Clear(owner) = out.form else { panic!("a clear step has a clear result") };
        if !owner.knows(self.party) {
            return Held::Absent;
        }
        if let (Operator::Reshape { shape }, [input]) = (op, inputs) {
            return Held::Clear(Arc::new(FloatTensor::new(shape.clone(), input.clear().data.clone())));
        }
        let tensors: Vec<&FloatTensor> = inputs.iter().map(|input| &**input.clear()).collect();
        Held::Clear(Arc::new(op.evaluate(&tensors)))
    }

    fn encode(&self, x: &Held, out: &Value) -> Held {
        match out.form {
            Form::Encoded(owner, ring) if owner.knows(self.party) => {
                Held::Encoded(Arc::new(Encoded::new(fixed::encode(&x.clear().data, ring))))
            }
            _ => Held::Absent,
        }
    }

    /// The owner's share is the value; what both know enters at the server.
    fn share(&self, x: &Held, step: &Step, out: &Value) -> Held {
        let holder = match self.value(step.inputs[0]).form {
            Form::Clear(Owner::Client) => Party::Client,
            _ => Party::Server,
        };
        let own = (holder == self.party).then(|| x.clear());
        match out.form {
            Form::Share(ring) => Held::Share(Arc::new(match own {
                Some(x) => Share { bits: ring.bits, data: fixed::encode(&x.data, ring) },
                None => Share::zeros(ring.bits, out.len()),
            })),
            _ => Held::Bits(Arc::new(match own {
                Some(x) => BitShare::from_values(&x.data.iter().map(|&x| u64::from(x != 0.0)).collect::<Vec<_>>()),
                None => BitShare::zeros(out.len()),
            })),
        }
    }

    fn kernel(&self, kernel: u32, step: &Step, inputs: &[Held]) -> Vec<Held> {
        let Kernel::Elementwise(kernel) = &self.plan.kernels[kernel as usize] else {
            panic!("a checked local step names an elementwise kernel")
        };
        let words: Vec<&[u64]> = inputs
            .iter()
            .map(|input| match input {
                Held::Share(share) => share.data.as_slice(),
                Held::Encoded(encoded) => encoded.data.as_slice(),
                _ => panic!("a checked kernel reads shares and what both know"),
            })
            .collect();
        let length = self.value(step.outputs[0]).len();
        let results = self.backend.elementwise(kernel, &words, length, self.party == Party::Server);
        let bits = |at: usize| ring(self.value(step.outputs[at])).bits;
        results.into_iter().enumerate().map(|(at, data)| Held::Share(Arc::new(Share::new(bits(at), data)))).collect()
    }

    fn layout(&self, op: &Operator, step: &Step, inputs: &[Held], out: &Value) -> Held {
        if let (Operator::Reshape { .. }, [input]) = (op, inputs) {
            // Data are flat: the same words under another shape.
            return input.clone();
        }
        let shapes: Vec<&[usize]> = step.inputs.iter().map(|&id| self.value(id).shape.as_slice()).collect();
        let moved = |words: &[&[u64]]| {
            let pairs: Vec<(&[usize], &[u64])> = shapes.iter().copied().zip(words.iter().copied()).collect();
            layout::layout(op, &pairs, &out.shape)
        };
        match out.form {
            Form::Share(Fixed { bits, .. }) => {
                let words: Vec<&[u64]> = inputs.iter().map(|input| input.share().data.as_slice()).collect();
                Held::Share(Arc::new(Share { bits, data: moved(&words) }))
            }
            Form::Bits => {
                let values: Vec<Vec<u64>> = inputs.iter().map(|input| input.bits().to_values()).collect();
                let words: Vec<&[u64]> = values.iter().map(Vec::as_slice).collect();
                Held::Bits(Arc::new(BitShare::from_values(&moved(&words))))
            }
            _ => {
                let known: Option<Vec<&[u64]>> =
                    inputs.iter().map(|input| input.encoded().map(|encoded| encoded.data.as_slice())).collect();
                match known {
                    Some(words) => Held::Encoded(Arc::new(Encoded::new(moved(&words)))),
                    None => Held::Absent,
                }
            }
        }
    }

    fn public_matmul(&self, inputs: &[Held], step: &Step, out: &Value) -> Held {
        let bits = ring(out).bits;
        let shape = &self.value(step.inputs[1]).shape;
        let weight = inputs[1].encoded().expect("both know a public factor");
        let packed = weight.packed(self.backend, Word::for_ring(bits), shape[0], shape[1]);
        let mut data = vec![0; out.len()];
        self.backend.product(&inputs[0].share().data, out.len() / shape[1], packed, &mut data);
        Held::Share(Arc::new(Share::new(bits, data)))
    }
}

/// Whether `party` does anything in this step; what the other computes on its own it need not even look at.
pub fn takes_part(plan: &Plan, party: Party, step: &Step) -> bool {
    step.outputs.iter().any(|id| match (plan.values[id.0 as usize].form, &step.op) {
        (_, StepOp::Reveal { .. }) => true,
        (Form::Clear(owner) | Form::Encoded(owner, _), _) => owner.knows(party),
        _ => true,
    })
}

/// The ring of a shared value.
pub fn ring(value: &Value) -> Fixed {
    match value.form {
        Form::Share(fixed) | Form::Encoded(_, fixed) => fixed,
        _ => panic!("a checked step has a ring here"),
    }
}
