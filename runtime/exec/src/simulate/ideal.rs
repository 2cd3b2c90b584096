//! Does a step's opened output follow from its opened inputs?

use ptc_kernels::batched::{self, Shape};
use ptc_kernels::{Backend, Portable};
use ptc_mpc::ideal;
use ptc_plan::Plan;
use ptc_plan::kernel::{Elementwise, Instruction, Kernel, Word};
use ptc_plan::step::{Exp2, Fixed, Form, Step, StepOp};
use ptc_ring::fixed::to_signed;
use ptc_ring::tensor::{mask, reduce_slice};

use super::Open;
use crate::layout;
use crate::local::ring;

/// What is wrong, in one line.
pub fn fault(plan: &Plan, step: &Step, inputs: &[&Open], outputs: &[&Open]) -> Option<String> {
    let words = |values: &[&Open]| -> Option<Vec<Vec<u64>>> {
        let one = |value: &&Open| match value {
            Open::Words(words) => Some(words.clone()),
            Open::Clear(_) => None,
        };
        values.iter().map(one).collect()
    };
    // Steps between clear values are the reference themselves.
    let (given, found) = (words(inputs)?, words(outputs)?);
    Judge { plan, step, given: &given, found: &found }.fault()
}

struct Judge<'a> {
    plan: &'a Plan,
    step: &'a Step,
    given: &'a [Vec<u64>],
    found: &'a [Vec<u64>],
}

impl Judge<'_> {
    fn fault(&self) -> Option<String> {
        let (given, bits) = (self.given, self.output_ring().bits);
        match &self.step.op {
            StepOp::Local { kernel } => self.local(*kernel),
            StepOp::Layout(op) => {
                let shapes = self.step.inputs.iter().map(|id| self.plan.values[id.0 as usize].shape.as_slice());
                let inputs: Vec<(&[usize], &[u64])> = shapes.zip(given.iter().map(Vec::as_slice)).collect();
                self.units(&layout::layout(op, &inputs, self.output_shape()), 0..=0)
            }
            StepOp::SumAxis { axis } => {
                let shape = &self.plan.values[self.step.inputs[0].0 as usize].shape;
                self.units(&layout::sum_axis(&given[0], shape, *axis, mask(bits)), 0..=0)
            }
            StepOp::PublicMatMul | StepOp::StaticMatMul { .. } | StepOp::EncryptedMatMul { .. } => {
                let shape = &self.plan.values[self.step.inputs[1].0 as usize].shape;
                let (k, n) = (shape[0], shape[1]);
                let shape = Shape { batch: 1, m: given[0].len() / k, k, n, transpose_b: false };
                self.product(shape)
            }
            StepOp::MatMul { transpose_b } => {
                let (x, out) = (&self.plan.values[self.step.inputs[0].0 as usize].shape, self.output_shape());
                let (m, k, n) = (x[x.len() - 2], x[x.len() - 1], out[out.len() - 1]);
                let batch = x[..x.len() - 2].iter().product();
                self.product(Shape { batch, m, k, n, transpose_b: *transpose_b })
            }
            StepOp::StaticMul { .. } => self.units(&ideal::static_mul(&given[0], &given[1], bits), 0..=0),
            StepOp::Mul => self.units(&ideal::mul(&given[0], &given[1], bits), 0..=0),
            StepOp::Square => self.units(&ideal::square(&given[0], bits), 0..=0),
            StepOp::Rescale => {
                let (from, to) = (self.input_ring(), self.output_ring());
                let limit = 1u64 << (from.bits - 2);
                if let Some(at) = given[0].iter().position(|&x| to_signed(x, from.bits).unsigned_abs() >= limit) {
                    let found = real(given[0][at], from);
                    let most = real(limit, from);
                    return Some(format!("element {at} is {found}, beyond the {most} that a rescale takes"));
                }
                self.units(&ideal::rescale(&given[0], from, to), 0..=1)
            }
            StepOp::Compare { threshold } => {
                self.units(&ideal::compare(&given[0], *threshold, self.input_ring().bits), 0..=0)
            }
            StepOp::Xor => self.units(&given[0].iter().zip(&given[1]).map(|(a, b)| a ^ b).collect::<Vec<_>>(), 0..=0),
            StepOp::Not => self.units(&given[0].iter().map(|a| 1 - a).collect::<Vec<_>>(), 0..=0),
            StepOp::And => self.units(&ideal::and(&given[0], &given[1]), 0..=0),
            StepOp::BitToShare => self.units(&ideal::bit_to_share(&given[0], self.output_ring()), 0..=0),
            StepOp::Gate => self.units(&ideal::gate(&given[0], &given[1], bits), 0..=0),
            StepOp::Table { index_bits, shift, values } => self.table(*index_bits, *shift, values),
            StepOp::Rest { shift } => self.rest(*shift),
            StepOp::Exp2(exp) => self.exp2(*exp),
            StepOp::Max => {
                let width = self.plan.values[self.step.inputs[0].0 as usize].shape.last().copied().unwrap_or(1);
                self.units(&ideal::max(&given[0], width, bits), 0..=0)
            }
            StepOp::Levels(scale) => {
                let width = self.plan.values[self.step.inputs[0].0 as usize].shape.last().copied().unwrap_or(1);
                let place = scale.place(self.input_ring(), self.output_ring()).unsigned_abs();
                let expected = ideal::levels(&given[0], width, *scale);
                let expected: Vec<u64> = expected.into_iter().map(|reached| reached << place & mask(bits)).collect();
                self.steps(&expected, 1 << place)
            }
            StepOp::Clear(_) | StepOp::Encode | StepOp::Share | StepOp::Reveal { .. } => None,
        }
    }

    fn output_shape(&self) -> &[usize] {
        &self.plan.values[self.step.outputs[0].0 as usize].shape
    }

    /// Bits count as a ring of one bit.
    fn output_ring(&self) -> Fixed {
        let value = &self.plan.values[self.step.outputs[0].0 as usize];
        match value.form {
            Form::Bits | Form::Clear(_) => Fixed { bits: 1, frac: 0 },
            _ => ring(value),
        }
    }

    fn input_ring(&self) -> Fixed {
        ring(&self.plan.values[self.step.inputs[0].0 as usize])
    }

    /// `found - expected` lies in `allowed`, in units of the output's ring.
    fn units(&self, expected: &[u64], allowed: std::ops::RangeInclusive<i64>) -> Option<String> {
        let (found, fixed) = (&self.found[0], self.output_ring());
        assert_eq!(found.len(), expected.len(), "elements of `{}`", self.step.op.name());
        let error = |(&found, &expected): (&u64, &u64)| match fixed.bits {
            1 => i64::from(found != expected),
            bits => to_signed(found.wrapping_sub(expected) & mask(bits), bits),
        };
        let at = found.iter().zip(expected).position(|pair| !allowed.contains(&error(pair)))?;
        let (is, should) = (real(found[at], fixed), real(expected[at], fixed));
        Some(format!("element {at} is {is}, its inputs make {should}"))
    }

    /// Each found is expected, or one `step` less.
    fn steps(&self, expected: &[u64], step: u64) -> Option<String> {
        let (found, fixed) = (&self.found[0], self.output_ring());
        let fits =
            |(found, expected): (&u64, &u64)| [0, step].contains(&(expected.wrapping_sub(*found) & mask(fixed.bits)));
        let at = found.iter().zip(expected).position(|pair| !fits(pair))?;
        Some(format!("element {at} is {}, its inputs make {}", real(found[at], fixed), real(expected[at], fixed)))
    }

    fn product(&self, shape: Shape) -> Option<String> {
        let bits = self.output_ring().bits;
        let mut expected = batched::product(&Portable, Word::for_ring(bits), shape, &self.given[0], &self.given[1]);
        reduce_slice(&mut expected, bits);
        self.units(&expected, 0..=0)
    }

    /// A kernel is linear but for shifts to the right, each of which may cost a unit.
    fn local(&self, kernel: u32) -> Option<String> {
        let Some(Kernel::Elementwise(kernel)) = self.plan.kernels.get(kernel as usize) else { return None };
        let shifts = single_shifts(kernel)?;
        let length = self.found[0].len();
        let words: Vec<&[u64]> = self.given.iter().map(Vec::as_slice).collect();
        let zeros: Vec<Vec<u64>> = self
            .step
            .inputs
            .iter()
            .zip(self.given)
            .map(|(id, words)| match self.plan.values[id.0 as usize].form {
                Form::Share(_) => vec![0; words.len()],
                // What both know stands at both.
                _ => words.clone(),
            })
            .collect();
        let zeros: Vec<&[u64]> = zeros.iter().map(Vec::as_slice).collect();
        let mut expected = Portable.elementwise(kernel, &words, length, true).swap_remove(0);
        let other = Portable.elementwise(kernel, &zeros, length, false).swap_remove(0);
        expected.iter_mut().zip(other).for_each(|(a, b)| *a = a.wrapping_add(b));
        reduce_slice(&mut expected, self.output_ring().bits);
        self.units(&expected, -shifts..=shifts)
    }

    fn table(&self, index_bits: u32, shift: u32, rows: &[Vec<u64>]) -> Option<String> {
        // The cell found may be the one below, which the look-up of a share's floor yields.
        let below: Vec<u64> = self.given[0].iter().map(|x| x.wrapping_sub(1 << shift)).collect();
        let exact = ideal::table(&self.given[0], index_bits, shift, rows);
        let lower = ideal::table(&below, index_bits, shift, rows);
        for (row, found) in self.found.iter().enumerate() {
            let fits = |at: &usize| found[*at] == exact[row][*at] || found[*at] == lower[row][*at];
            if let Some(at) = (0..found.len()).find(|at| !fits(at)) {
                return Some(format!("element {at} of table {row} is {}, not entry {}", found[at], exact[row][at]));
            }
        }
        None
    }

    fn rest(&self, shift: u32) -> Option<String> {
        let ring = self.output_ring();
        let expected = ideal::rest(&self.given[0], shift, ring.bits);
        let fits = |(found, expected): (&u64, &u64)| {
            found == expected || *found == expected.wrapping_add(1 << shift) & mask(ring.bits)
        };
        let at = self.found[0].iter().zip(&expected).position(|pair| !fits(pair))?;
        let (is, should) = (real(self.found[0][at], ring), real(expected[at], ring));
        Some(format!("element {at} is {is}, the rest of its input is {should}, or a cell more"))
    }

    fn exp2(&self, exp: Exp2) -> Option<String> {
        let expected = ideal::exp2(&self.given[0], self.input_ring().frac, exp);
        let unit = f64::from(exp.result_frac).exp2();
        // Both parties' factors are rounded, then their product and what it is shifted to.
        let relative = f64::from(exp.factor_frac).exp2().recip() * 1.1;
        let dropped = 2.0 / unit;
        let found = self.found[0].iter().map(|&x| to_signed(x, exp.ring) as f64 / unit);
        let expected: Vec<f64> = expected.into_iter().map(|x| x / unit).collect();
        let fits = |(found, expected): (f64, &f64)| (found - expected).abs() <= relative * expected.max(1e-9) + dropped;
        let at = found.clone().zip(&expected).position(|pair| !fits(pair))?;
        Some(format!("element {at} is {}, its input makes {}", found.clone().nth(at)?, expected[at]))
    }
}

fn real(word: u64, fixed: Fixed) -> f64 {
    match fixed.bits {
        1 => word as f64,
        bits => to_signed(word, bits) as f64 / f64::from(fixed.frac).exp2(),
    }
}

/// How many shifts to the right a kernel has; `None` when their units are multiplied, or when it has several outputs.
fn single_shifts(kernel: &Elementwise) -> Option<i64> {
    let first = kernel.code.iter().position(|i| matches!(i, Instruction::ShiftRight(..)));
    let grows = |i: &Instruction| matches!(i, Instruction::Multiply(..) | Instruction::ShiftLeft(..));
    let after = first.map_or(&[][..], |at| &kernel.code[at..]);
    let shifts = after.iter().filter(|i| matches!(i, Instruction::ShiftRight(..))).count();
    (kernel.outputs.len() == 1 && !after.iter().any(grows)).then_some(shifts as i64)
}
