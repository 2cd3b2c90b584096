//! The mathematical operators: meaning, shape rule, evaluation in floating point.
//!
//! A node of the compiler's graph applies one of these; so does a party that computes on values it may see. Elementwise
//! operators of two operands broadcast as numpy does. Bits and tokens are floats that hold whole numbers.

use serde::{Deserialize, Serialize};

use crate::float::FloatTensor;

mod evaluate;
mod shape;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Operator {
    // Arithmetic, elementwise.
    Add,
    Subtract,
    Multiply,
    Divide,
    Negate,
    /// `x · by`, `by` public.
    Scale {
        by: f64,
    },
    /// `x + by`, `by` public.
    Offset {
        by: f64,
    },
    Square,

    // Products. `a[.., n, m] · b[.., m, l]`; with `transpose_b`, `b` is `[.., l, m]`. Leading sizes broadcast.
    MatMul {
        transpose_b: bool,
    },

    // Structure.
    Reshape {
        shape: Vec<usize>,
    },
    Permute {
        axes: Vec<usize>,
    },
    Slice {
        axis: usize,
        start: usize,
        length: usize,
    },
    Concat {
        axis: usize,
    },
    /// To `shape`, as numpy broadcasts.
    Broadcast {
        shape: Vec<usize>,
    },
    /// `table[rows, ..][ids]`: inputs `(table, ids)`.
    Gather,

    // Reductions; the reduced axis stays with size 1.
    Sum {
        axis: usize,
    },
    Max {
        axis: usize,
    },

    // Functions, elementwise.
    Relu,
    /// `x · Φ(x)` with the exact error function.
    Gelu,
    /// `x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³)))`, within 4.8e-4 of `Gelu`.
    GeluTanh,
    Silu,
    Tanh,
    Sigmoid,
    Exp,
    Sqrt,
    Rsqrt,
    Reciprocal,

    // Functions of the last axis.
    /// Inputs `(x)` or `(x, keep)`; where the broadcast bit `keep` is 0 the weight is 0.
    Softmax,
    /// As `Softmax`, of powers of two instead of powers of e.
    Softmax2,
    /// `(x - mean) / sqrt(variance + eps)`.
    Normalize {
        eps: f64,
    },
    /// `x / sqrt(mean(x²) + eps)`.
    RmsNormalize {
        eps: f64,
    },
    /// `x / max(|x|₂, eps)`.
    L2Normalize {
        eps: f64,
    },

    // Truth values.
    /// `a < b`: a bit.
    Less,
    Not,
    And,
    Or,
    /// `bit ? a : b`: inputs `(bit, a, b)`.
    Select,

    // What `approximate` and `truncate` expand functions into; each is one protocol step.
    /// The same number in another fixed point.
    Rescale,
    /// The bit `x < threshold`.
    Compare {
        threshold: f64,
    },
    /// Exclusive or of bits.
    Xor,
    /// `bit · x`: inputs `(bit, x)`.
    Gate,
    /// A bit as a real 0 or 1.
    BitToReal,
    /// `2^x` for `x` of at most about one and at least `-octaves`; 0 where `x` is below the output's resolution. In two rounds
    /// or in three, which makes factors narrower.
    Exp2 {
        octaves: u32,
        rounds: u32,
    },
    /// How many of the levels `low + k·step`, `0 <= k < count`, the largest along the last axis reaches, times `step`; it may be
    /// one less. `step` is a power of two, `low` a multiple of it. The reduced axis stays with size 1.
    Levels {
        low: f64,
        step: f64,
        count: u32,
    },
    /// Piecewise constants: output `j` of the cell that holds `x`, cells of width `2^-step_bits` from `low` on. The cell
    /// found may be one below the right one. Output shape: `[outputs] ++ x.shape`.
    Table {
        low: f64,
        step_bits: i32,
        values: Vec<Vec<f32>>,
    },
    /// As `Table`, of bits.
    BitTable {
        low: f64,
        step_bits: i32,
        values: Vec<Vec<bool>>,
    },
    /// `x` less the multiple of `2^-step_bits` below it. Where a `Table` of such cells finds the one below the right one,
    /// this is a cell more.
    Rest {
        step_bits: i32,
    },
}

impl Operator {
    /// The result's shape, or what does not fit.
    pub fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, String> {
        shape::shape(self, inputs)
    }

    /// The mathematical result. Inputs fit by `shape`, which the caller has checked.
    pub fn evaluate(&self, inputs: &[&FloatTensor]) -> FloatTensor {
        evaluate::evaluate(self, inputs)
    }

    /// The name in printed graphs and reports.
    pub fn name(&self) -> &'static str {
        use Operator::*;
        match self {
            Add => "add",
            Subtract => "subtract",
            Multiply => "multiply",
            Divide => "divide",
            Negate => "negate",
            Scale { .. } => "scale",
            Offset { .. } => "offset",
            Square => "square",
            MatMul { .. } => "matmul",
            Reshape { .. } => "reshape",
            Permute { .. } => "permute",
            Slice { .. } => "slice",
            Concat { .. } => "concat",
            Broadcast { .. } => "broadcast",
            Gather => "gather",
            Sum { .. } => "sum",
            Max { .. } => "max",
            Relu => "relu",
            Gelu => "gelu",
            GeluTanh => "gelu_tanh",
            Silu => "silu",
            Tanh => "tanh",
            Sigmoid => "sigmoid",
            Exp => "exp",
            Sqrt => "sqrt",
            Rsqrt => "rsqrt",
            Reciprocal => "reciprocal",
            Softmax => "softmax",
            Softmax2 => "softmax2",
            Normalize { .. } => "normalize",
            RmsNormalize { .. } => "rms_normalize",
            L2Normalize { .. } => "l2_normalize",
            Less => "less",
            Not => "not",
            And => "and",
            Or => "or",
            Select => "select",
            Rescale => "rescale",
            Compare { .. } => "compare",
            Xor => "xor",
            Gate => "gate",
            BitToReal => "bit_to_real",
            Exp2 { .. } => "exp2",
            Levels { .. } => "levels",
            Table { .. } => "table",
            BitTable { .. } => "bit_table",
            Rest { .. } => "rest",
        }
    }
}
