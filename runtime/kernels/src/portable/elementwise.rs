//! An interpreter of elementwise programs, a block of lanes at an instruction.

use std::ops::Range;

use crate::blocks::{Output, over_chunks};
use crate::check::assert_fit;
use ptc_plan::kernel::{Access, Elementwise, Instruction};
use ptc_ring::tensor::wipe;

/// Lanes of a register: long enough to hide the interpreter, short enough that all registers stay in the cache.
const LANES: usize = 128;

type Register = [u64; LANES];

pub fn run(kernel: &Elementwise, inputs: &[&[u64]], len: usize, is_server: bool) -> Vec<Vec<u64>> {
    assert_fit(kernel, inputs, len);
    let mut tensors = vec![vec![0; len]; kernel.outputs.len()];
    let outputs: Vec<Output> = tensors.iter_mut().map(|tensor| Output::new(tensor)).collect();
    over_chunks(len, |range| {
        let mut registers = vec![[0; LANES]; kernel.inputs.len() + kernel.code.len()];
        for start in range.clone().step_by(LANES) {
            let lanes = start..(start + LANES).min(range.end);
            evaluate(kernel, inputs, lanes.clone(), is_server, &mut registers);
            for (output, &register) in outputs.iter().zip(&kernel.outputs) {
                // SAFETY: ranges of lanes are disjoint, each output has its own tensor.
                let target = unsafe { output.part(lanes.clone()) };
                target.copy_from_slice(&registers[register as usize][..lanes.len()]);
            }
        }
        wipe(registers.as_flattened_mut());
    });
    tensors
}

fn evaluate(kernel: &Elementwise, inputs: &[&[u64]], lanes: Range<usize>, is_server: bool, registers: &mut [Register]) {
    for ((register, &access), input) in registers.iter_mut().zip(&kernel.inputs).zip(inputs) {
        load(register, access, input, lanes.clone());
    }
    for (at, instruction) in kernel.code.iter().enumerate() {
        let (defined, rest) = registers.split_at_mut(kernel.inputs.len() + at);
        step(*instruction, defined, &mut rest[0], is_server);
    }
}

fn load(register: &mut Register, access: Access, input: &[u64], lanes: Range<usize>) {
    let target = &mut register[..lanes.len()];
    match access {
        Access::Full => target.copy_from_slice(&input[lanes]),
        Access::Single => target.fill(input[0]),
        Access::Cycle { period } => {
            let mut at = lanes.start % period as usize;
            for word in target {
                *word = input[at];
                at = if at + 1 == period as usize { 0 } else { at + 1 };
            }
        }
        Access::Each { period } => {
            let (mut at, mut used) = (lanes.start / period as usize, lanes.start % period as usize);
            for word in target {
                *word = input[at];
                used += 1;
                if used == period as usize {
                    (at, used) = (at + 1, 0);
                }
            }
        }
    }
}

fn step(instruction: Instruction, defined: &[Register], out: &mut Register, is_server: bool) {
    match instruction {
        Instruction::Const(value) => out.fill(value),
        Instruction::IsServer => out.fill(u64::from(is_server)),
        Instruction::Add(a, b) => pairs(out, &defined[a as usize], &defined[b as usize], u64::wrapping_add),
        Instruction::Subtract(a, b) => pairs(out, &defined[a as usize], &defined[b as usize], u64::wrapping_sub),
        Instruction::Multiply(a, b) => pairs(out, &defined[a as usize], &defined[b as usize], u64::wrapping_mul),
        Instruction::And(a, b) => pairs(out, &defined[a as usize], &defined[b as usize], |x, y| x & y),
        Instruction::ShiftLeft(a, by) => each(out, &defined[a as usize], |x| x << by),
        Instruction::ShiftRight(a, by) => each(out, &defined[a as usize], |x| x >> by),
        Instruction::Low(a, bits) => each(out, &defined[a as usize], |x| x & u64::MAX >> (64 - bits)),
    }
}

#[inline(always)]
fn each(out: &mut Register, a: &Register, f: impl Fn(u64) -> u64) {
    out.iter_mut().zip(a).for_each(|(out, &x)| *out = f(x));
}

#[inline(always)]
fn pairs(out: &mut Register, a: &Register, b: &Register, f: impl Fn(u64, u64) -> u64) {
    out.iter_mut().zip(a).zip(b).for_each(|((out, &x), &y)| *out = f(x, y));
}
