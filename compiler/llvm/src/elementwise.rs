//! Elementwise programs as one vector loop each.
//!
//! The loop reads whole tensors and single words. An input of another access is spread into a block of its own first,
//! in the first cache, so that every access has the same loop.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::RwLock;

use ptc_kernels::aligned::Aligned;
use ptc_kernels::blocks::{Output, over_chunks};
use ptc_kernels::{Backend, Portable, check};
use ptc_plan::kernel::{Access, Elementwise};
use sha2::{Digest, Sha256};

use crate::cache::hex;
use crate::{Compiler, LlvmError};

mod program;

/// Words of a block: a few of them fit the first cache, and a call is nothing beside one.
const BLOCK: usize = 1024;

/// `(inputs, outputs, len, is_server)`; see [`program`].
type Program = unsafe extern "C" fn(*const *const u64, *const *mut u64, u64, u64);

/// What has been compiled so far. A kernel that does not compile is remembered as well and left to the interpreter.
#[derive(Default)]
pub struct Programs {
    compiled: RwLock<HashMap<Elementwise, Option<Program>>>,
}

impl Programs {
    pub fn run(
        &self,
        compiler: &Compiler,
        kernel: &Elementwise,
        inputs: &[&[u64]],
        len: usize,
        is_server: bool,
    ) -> Vec<Vec<u64>> {
        check::assert_fit(kernel, inputs, len);
        let Some(program) = self.program(compiler, kernel) else {
            return Portable.elementwise(kernel, inputs, len, is_server);
        };
        let mut tensors = vec![vec![0; len]; kernel.outputs.len()];
        let outputs: Vec<Output> = tensors.iter_mut().map(|tensor| Output::new(tensor)).collect();
        over_chunks(len, |range| run_range(program, kernel, inputs, &outputs, range, is_server));
        drop(outputs);
        tensors
    }

    pub fn warm(&self, compiler: &Compiler, kernel: &Elementwise) {
        self.program(compiler, kernel);
    }

    /// Whether no kernel was left to the interpreter.
    #[cfg(test)]
    pub fn all_native(&self) -> bool {
        self.compiled.read().unwrap().values().all(Option::is_some)
    }

    fn program(&self, compiler: &Compiler, kernel: &Elementwise) -> Option<Program> {
        let known = self.compiled.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(program) = known.get(kernel) {
            return *program;
        }
        drop(known);
        let mut known = self.compiled.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(program) = known.get(kernel) {
            return *program;
        }
        let program = compile(compiler, kernel).ok();
        known.insert(kernel.clone(), program);
        program
    }
}

fn compile(compiler: &Compiler, kernel: &Elementwise) -> Result<Program, LlvmError> {
    // A symbol is loaded once; the kernel's own hash keeps it the same from run to run, for the cache.
    let symbol = format!("elementwise_{}", hex(&Sha256::digest(format!("{kernel:?}"))));
    let functions = program::text(&symbol, kernel, compiler.host.vector_bits / 64);
    let addresses = compiler.load(&functions, std::slice::from_ref(&symbol))?;
    let address = addresses.first().ok_or_else(|| LlvmError::Load(format!("no address of `{symbol}`")))?;
    // SAFETY: `program::text` defines the symbol with the arguments of `Program`; the code outlives `Programs`, because
    // `Llvm` holds both and drops the code last.
    Ok(unsafe { std::mem::transmute::<*const (), Program>(*address as *const ()) })
}

fn run_range(
    program: Program,
    kernel: &Elementwise,
    inputs: &[&[u64]],
    outputs: &[Output],
    range: Range<usize>,
    is_server: bool,
) {
    let spreads = |access: &Access| matches!(access, Access::Cycle { .. } | Access::Each { .. });
    let block = if kernel.inputs.iter().any(spreads) { BLOCK } else { range.len().max(1) };
    let mut spread = Aligned::zeros(BLOCK * kernel.inputs.iter().filter(|access| spreads(access)).count());
    for start in range.clone().step_by(block) {
        let part = start..(start + block).min(range.end);
        let mut room = spread.words_mut().chunks_exact_mut(BLOCK);
        let sources: Vec<*const u64> = kernel
            .inputs
            .iter()
            .zip(inputs)
            .map(|(&access, input)| match access {
                Access::Full => input[part.clone()].as_ptr(),
                Access::Single => input.as_ptr(),
                Access::Cycle { .. } | Access::Each { .. } => {
                    let target = &mut room.next().expect("a block for each spread input")[..part.len()];
                    fill(target, access, input, part.start);
                    target.as_ptr()
                }
            })
            .collect();
        // SAFETY: parts of ranges are disjoint, each output has its own tensor.
        let targets: Vec<*mut u64> =
            outputs.iter().map(|output| unsafe { output.part(part.clone()) }.as_mut_ptr()).collect();
        // SAFETY: every source has `part.len()` words, or the one of `Single`, by `assert_fit` and the slices above; so
        // has every target. There is one of each for every input and output of the kernel that was compiled.
        unsafe { program(sources.as_ptr(), targets.as_ptr(), part.len() as u64, u64::from(is_server)) };
    }
}

/// What the output words from `start` on see of `input`: runs of it, or runs of one word.
fn fill(mut target: &mut [u64], access: Access, input: &[u64], start: usize) {
    let mut at = start;
    while !target.is_empty() {
        let (Access::Cycle { period } | Access::Each { period }) = access else { unreachable!("read in place") };
        let (row, column) = (at / period as usize, at % period as usize);
        let (run, rest) = target.split_at_mut((period as usize - column).min(target.len()));
        match access {
            Access::Each { .. } => run.fill(input[row]),
            _ => run.copy_from_slice(&input[column..][..run.len()]),
        }
        at += run.len();
        target = rest;
    }
}
