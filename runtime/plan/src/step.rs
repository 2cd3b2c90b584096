//! The steps of a plan: one protocol each, with what it leaks. Prices are in [`crate::price`].

use serde::{Deserialize, Serialize};

use crate::bound::Bound;
use crate::file::Making;
use crate::operator::Operator;

/// Party 0 holds the weights, party 1 the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Party {
    Server,
    Client,
}

impl Party {
    pub fn index(self) -> usize {
        match self {
            Party::Server => 0,
            Party::Client => 1,
        }
    }

    pub fn other(self) -> Party {
        match self {
            Party::Server => Party::Client,
            Party::Client => Party::Server,
        }
    }
}

/// Who computes or knows a clear value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Owner {
    Server,
    Client,
    Both,
}

impl Owner {
    pub fn knows(self, party: Party) -> bool {
        match self {
            Owner::Both => true,
            Owner::Server => party == Party::Server,
            Owner::Client => party == Party::Client,
        }
    }
}

/// A ring `Z_2^bits` and how many of its bits lie behind the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fixed {
    pub bits: u32,
    pub frac: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Form {
    /// A float tensor that `Owner` knows; the other party holds nothing.
    Clear(Owner),
    /// The same, encoded in a ring: weights ready for a product.
    Encoded(Owner, Fixed),
    /// Additive shares modulo `2^bits`.
    Share(Fixed),
    /// Exclusive-or shares of one bit an element.
    Bits,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ValueId(pub u32);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Value {
    /// Where it comes from in the model, e.g. `blocks.0.attend.scores`.
    pub name: String,
    pub shape: Vec<usize>,
    pub form: Form,
    /// Between which every element lies, where that is known.
    pub bound: Option<Bound>,
    /// How far shares may lie from the exact computation, where that is known.
    pub error: Option<f64>,
}

impl Value {
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub op: StepOp,
    pub inputs: Vec<ValueId>,
    pub outputs: Vec<ValueId>,
    /// The round in which the step starts; a step of `n` rounds has its result before round `round + n`.
    pub round: u32,
    /// Index into the plan's origins: the source line that asked for it.
    pub origin: u32,
    /// How two parties alone make its products; what leaves no choice, or is left to the price rule, has none.
    pub method: Option<Method>,
}

/// How two parties alone make correlated products.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Method {
    /// By homomorphic encryption.
    Encrypted,
    /// By oblivious transfers (Gilboa, CRYPTO 1999).
    Transfers,
}

/// What a step does. `x`, `y` are the inputs in order; rings and shapes are those of the values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum StepOp {
    /// The owner computes in floating point. Inputs that `Both` know mix with the owner's.
    Clear(Operator),
    /// Clear to encoded, at the owner.
    Encode,
    /// Clear to shares: the owner's share is the encoding, the other's is zero.
    Share,
    /// A fused elementwise kernel (index into the plan's kernels) on shares.
    Local {
        kernel: u32,
    },
    /// `Reshape`, `Permute`, `Slice`, `Concat` or `Broadcast` on shares, encoded values or bits.
    Layout(Operator),
    /// Sum over an axis, which stays with size 1. Shares.
    SumAxis {
        axis: usize,
    },
    /// `x · w` with an encoded `w` that both know; `x[.., n, m]`, `w[m, l]`.
    PublicMatMul,
    /// `x · w` where `owner` knows the encoded `w[m, l]`; `x[.., n, m]`. As signed numbers the elements of `w` have at most
    /// `factor_bits` bits, which the owner checks; the cheaper is the product prepared.
    StaticMatMul {
        owner: Party,
        factor_bits: u32,
    },
    /// `x · w` elementwise, `w` known to `owner` and of the same shape as `x` or broadcast along `x`'s leading sizes.
    StaticMul {
        owner: Party,
        factor_bits: u32,
    },
    /// `x[b.., n, m] · y[b.., m, l]`, or with `transpose_b` `y[b.., l, m]`. Both shared, equal batch sizes.
    MatMul {
        transpose_b: bool,
    },
    /// Elementwise product of shares; `y` has the shape of `x`, or one element for each row of `x`'s last axis.
    Mul,
    Square,
    /// From the input's fixed point to the output's: shift right by `input.frac - output.frac`, ring grown to the
    /// output's. Needs `|x| < 2^(bits - 2)`. Right to one unit.
    Rescale,
    /// The bit `x < threshold`, threshold in `x`'s fixed point. Needs `|x - threshold| < 2^(bits - 1)`.
    Compare {
        threshold: i64,
    },
    /// Bits, local.
    Xor,
    /// Bits, local.
    Not,
    /// Bits.
    And,
    /// A bit becomes a share of 0 or 1 (scaled to the output's fraction bits).
    BitToShare,
    /// `bit · x`: inputs `(bit, x)`; output in `x`'s ring.
    Gate,
    /// Look-up of a public table at the private index `(x >> shift) mod 2^index_bits`; one output for each row of
    /// `values`, in the output's ring, or bits. `values[j]` has `2^index_bits` entries, already in fixed point.
    Table {
        index_bits: u32,
        shift: u32,
        values: Vec<Vec<u64>>,
    },
    /// What each share has in its low `shift` bits; local. The sum is `x mod 2^shift`, or `2^shift` more exactly where
    /// the index of a [`StepOp::Table`] of the same shift is one below.
    Rest {
        shift: u32,
    },
    /// `2^x`. See [`Exp2`].
    Exp2(Exp2),
    /// Largest along the last axis (kept with size 1) by a tournament of compare and gate.
    Max,
    /// How high the largest along the last axis (kept with size 1) reaches on a scale. See [`Levels`].
    Levels(Levels),
    /// The value is opened to `to` and to nobody else; the result is clear.
    Reveal {
        to: Party,
    },
    /// [`StepOp::StaticMatMul`] of the server's `w` with nothing prepared: the client sends its share encrypted, the server
    /// answers with the product. `making` is the plan's.
    EncryptedMatMul {
        factor_bits: u32,
        making: Making,
    },
}

impl StepOp {
    /// The name in reports and messages.
    pub fn name(&self) -> &'static str {
        match self {
            StepOp::Clear(op) => op.name(),
            StepOp::Encode => "encode",
            StepOp::Share => "share",
            StepOp::Local { .. } => "local",
            StepOp::Layout(op) => op.name(),
            StepOp::SumAxis { .. } => "sum_axis",
            StepOp::PublicMatMul => "public_matmul",
            StepOp::StaticMatMul { .. } => "static_matmul",
            StepOp::StaticMul { .. } => "static_mul",
            StepOp::MatMul { .. } => "matmul",
            StepOp::Mul => "mul",
            StepOp::Square => "square",
            StepOp::Rescale => "rescale",
            StepOp::Compare { .. } => "compare",
            StepOp::Xor => "xor",
            StepOp::Not => "not",
            StepOp::And => "and",
            StepOp::BitToShare => "bit_to_share",
            StepOp::Gate => "gate",
            StepOp::Table { .. } => "table",
            StepOp::Rest { .. } => "rest",
            StepOp::Exp2(_) => "exp2",
            StepOp::Max => "max",
            StepOp::Levels(_) => "levels",
            StepOp::Reveal { .. } => "reveal",
            StepOp::EncryptedMatMul { .. } => "encrypted_matmul",
        }
    }
}

/// A scale of `count` levels, one for each of `count` neighbouring indices `(x >> shift) mod 2^index_bits` from `first` on,
/// modulo `2^index_bits`. An element of index `first + k` reaches `k + 1` of them, one of another index none; the index may be
/// one too low, as both parties shift their shares. The result is the most that any element of a row reaches, times
/// `2^shift` in `x`'s fixed point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Levels {
    pub index_bits: u32,
    pub shift: u32,
    pub first: u32,
    pub count: u32,
}

impl Levels {
    /// Bits that count the elements of a row.
    pub fn count_bits(width: usize) -> u32 {
        width.max(1).ilog2() + 1
    }

    /// By how many bits a number of levels is shifted to be the result; negative where that has too few fraction bits.
    pub fn place(&self, from: Fixed, to: Fixed) -> i64 {
        i64::from(self.shift) + i64::from(to.frac) - i64::from(from.frac)
    }
}

/// `2^x` for `-octaves <= x <= 1`, shared in a ring of [`Exp2::input_bits`] or more (its high bits are dropped). With
/// `x = base·i + r` split at each party, `2^r` is a product of two private factors, and a look-up on `index_bits` bits tells
/// by how many steps of `base = 2^step_bits` octaves it is shifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exp2 {
    /// Bits of the whole part that is looked up; `index_bits + step_bits` covers the range and its sign.
    pub index_bits: u32,
    /// A step is `2^step_bits` octaves.
    pub step_bits: u32,
    /// Fraction bits of each private factor `2^r`, `r` in `[0, 2^step_bits)`.
    pub factor_frac: u32,
    /// Fraction bits of the result.
    pub result_frac: u32,
    /// Ring of the result.
    pub ring: u32,
    /// Three; or two, with a ring of the product so wide that shifts need no wrap bit.
    pub rounds: u32,
}

impl Exp2 {
    /// The least fraction bits of a private factor: the relative precision of the result.
    const FACTOR_FRAC: u32 = 10;
    /// Up to so many fraction bits of the result, steps of eight octaves fit the rings; beyond, of four.
    const LONG_STEPS: u32 = 16;

    /// The cheapest form for `-octaves <= x <= 1` with `result_frac` fraction bits; `ring` is the least one.
    pub fn for_range(octaves: u32, result_frac: u32, rounds: u32) -> Exp2 {
        let step_bits = if result_frac <= Self::LONG_STEPS { 3 } else { 2 };
        // The steps cover the range, and the carries of both parties' parts.
        let steps = u64::from(octaves).div_ceil(1 << step_bits) + 3;
        Exp2 {
            index_bits: steps.next_power_of_two().ilog2(),
            step_bits,
            // The product has as many bits as the result at least.
            factor_frac: Self::FACTOR_FRAC.max(result_frac.div_ceil(2)),
            result_frac,
            ring: result_frac + 3,
            rounds,
        }
    }

    /// How many shifts there are, none included; a power shifted further is below `2^-(result_frac + 1)`.
    pub fn shifts(&self) -> u32 {
        let step = 1 << self.step_bits;
        (self.result_frac + 1 + 2 * step).div_ceil(step).min(1 << self.index_bits)
    }

    /// The ring of the product of factors: in three rounds it holds two of `2^(factor_frac + base)` at the most, less half of
    /// that; in two, what is shifted and the bits that shifting drops.
    pub fn product(&self) -> Fixed {
        let frac = 2 * self.factor_frac;
        let bits = match self.rounds {
            2 => self.unshifted().bits + frac.saturating_sub(self.result_frac),
            _ => 2 * (self.factor_frac + (1 << self.step_bits)) + 1,
        };
        Fixed { bits, frac }
    }

    /// The product before it is shifted.
    pub fn unshifted(&self) -> Fixed {
        Fixed { bits: self.ring + ((self.shifts() - 1) << self.step_bits), frac: self.result_frac }
    }

    /// Bits of `x` that are read, given its fraction bits.
    pub fn input_bits(&self, frac: u32) -> u32 {
        self.index_bits + self.step_bits + frac
    }
}
