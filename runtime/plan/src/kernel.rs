//! Kernels described as data: what a party compiles for its own processor, or interprets portably.

use serde::{Deserialize, Serialize};

/// The word in which a ring product is computed: the ring's width rounded up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Word {
    W32,
    W64,
}

impl Word {
    pub fn for_ring(ring: u32) -> Word {
        if ring <= 32 { Word::W32 } else { Word::W64 }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kernel {
    /// `c[m, n] = a[m, k] · b[k, n]` modulo `2^32` or `2^64`; `b` is packed once, `m` is free.
    Product {
        word: Word,
        k: u32,
        n: u32,
    },
    Elementwise(Elementwise),
}

/// How an input of an elementwise kernel is indexed by the output's flat index `i`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Access {
    /// `x[i]`
    Full,
    /// `x[i % period]`: a row vector under a matrix.
    Cycle { period: u32 },
    /// `x[i / period]`: a column beside a matrix.
    Each { period: u32 },
    /// `x[0]`
    Single,
}

/// A straight-line program over `u64` lanes. Register `r` is input `r` for `r < inputs.len()`, then the result of
/// instruction `r - inputs.len()`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Elementwise {
    pub inputs: Vec<Access>,
    pub code: Vec<Instruction>,
    /// Registers written out, one per output tensor.
    pub outputs: Vec<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Instruction {
    Const(u64),
    /// One for party 0, zero for party 1: a public constant enters a sharing once.
    IsServer,
    Add(u16, u16),
    Subtract(u16, u16),
    Multiply(u16, u16),
    And(u16, u16),
    ShiftLeft(u16, u8),
    ShiftRight(u16, u8),
    /// The low `k` bits, `1 <= k <= 64`.
    Low(u16, u8),
}

impl Elementwise {
    /// A kernel from a file is used only after this.
    pub fn check(&self) -> Result<(), String> {
        if self.inputs.len() > 64 || self.code.len() > 1024 || self.outputs.is_empty() || self.outputs.len() > 16 {
            return Err(format!(
                "elementwise kernel of {} inputs, {} instructions, {} outputs is outside the limits 64, 1024, 1 to 16",
                self.inputs.len(),
                self.code.len(),
                self.outputs.len()
            ));
        }
        for access in &self.inputs {
            if let Access::Cycle { period: 0 } | Access::Each { period: 0 } = access {
                return Err("elementwise kernel with period 0".into());
            }
        }
        for (at, instruction) in self.code.iter().enumerate() {
            let defined = (self.inputs.len() + at) as u16;
            use Instruction::*;
            let fits = match *instruction {
                Const(_) | IsServer => true,
                Add(a, b) | Subtract(a, b) | Multiply(a, b) | And(a, b) => a < defined && b < defined,
                ShiftLeft(a, by) | ShiftRight(a, by) => a < defined && by < 64,
                Low(a, bits) => a < defined && (1..=64).contains(&bits),
            };
            if !fits {
                return Err(format!(
                    "instruction {at} of an elementwise kernel reads an undefined register or bad width"
                ));
            }
        }
        let registers = (self.inputs.len() + self.code.len()) as u16;
        match self.outputs.iter().find(|&&r| r >= registers) {
            Some(r) => Err(format!("elementwise kernel writes register {r} of {registers}")),
            None => Ok(()),
        }
    }
}
