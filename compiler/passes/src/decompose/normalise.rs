//! Rows divided by their deviation or their length.
//!
//! %1 = normalize %0       %1 = subtract .., ..          the deviation from the mean, times the size
//!                    =>   %2 = square %1
//!                         %3 = sum %2
//!                         %4 = rsqrt %3                 and the product by rows is put off
//!
//! After: the one function that is left is a reciprocal square root of one number for each row. The square takes few bits of
//! its operand, as its roundings average out over the row; the product takes more.

use ptc_ir::Graph;
use ptc_ir::graph::Node;
use ptc_plan::operator::Operator;

use super::{Deferred, derive, short};
use crate::options::Options;

/// Fraction bits of a centred value before its mean square is known.
const CENTRED_FRAC: u32 = 16;
/// Bits that a centred value of the least expected deviation keeps when it is squared.
const SQUARE_BITS: i32 = 6;

/// From where deviations are measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Centre {
    Mean,
    Zero,
}

/// With `2^l >= d`: `centred = (d·x - sum x) / 2^l` is exact, and `rho = d / 2^l` leaves through the factor.
pub fn normalise(out: &mut Graph, node: &Node, eps: f64, centre: Centre, options: &Options) -> Deferred {
    let x = node.inputs[0];
    let axis = node.shape.len() - 1;
    let size = node.shape[axis] as f64;
    let span = size.log2().ceil().exp2();
    let rho = size / span;
    let (value, eps) = if centre == Centre::Mean {
        let x = short(out, x, CENTRED_FRAC, node, "trimmed");
        let total = derive(out, Operator::Sum { axis }, &[x], node, "sum");
        let wide = derive(out, Operator::Scale { by: size }, &[x], node, "wide");
        let difference = derive(out, Operator::Subtract, &[wide, total], node, "difference");
        let centred = derive(out, Operator::Scale { by: 1.0 / span }, &[difference], node, "centred");
        (centred, eps * rho * rho * rho)
    } else {
        (x, eps * rho)
    };
    let least = options.calibration.bound(&format!("{}.variance", node.name)).map_or(0.06, |(low, _)| low.max(1e-6));
    // A unit of the centred value is stretched by the division; it keeps that many more bits. The square needs few: its
    // roundings average out over the row.
    let stretch = (-0.5 * least.log2()).ceil().clamp(-2.0, 8.0) as i32;
    let frac = (options.activation_frac as i32 + stretch.max(0)) as u32;
    let scaled = short(out, value, frac, node, "short");
    let rough = short(out, value, (SQUARE_BITS + stretch) as u32, node, "rough");
    let square = derive(out, Operator::Square, &[rough], node, "square");
    let energy = derive(out, Operator::Sum { axis }, &[square], node, "energy");
    let mean = derive(out, Operator::Scale { by: 1.0 / span }, &[energy], node, "mean_square");
    let variance = derive(out, Operator::Offset { by: eps }, &[mean], node, "variance");
    let by_row = derive(out, Operator::Rsqrt, &[variance], node, "rsqrt");
    Deferred { scaled, by_row, factor: rho.sqrt(), frac }
}

/// `x / max(|x|₂, eps)`, to where `eps` counts.
pub fn by_length(out: &mut Graph, node: &Node, eps: f64, options: &Options) -> Deferred {
    let x = node.inputs[0];
    let axis = node.shape.len() - 1;
    let frac = options.activation_frac;
    let scaled = short(out, x, frac, node, "short");
    let square = derive(out, Operator::Square, &[scaled], node, "square");
    let energy = derive(out, Operator::Sum { axis }, &[square], node, "energy");
    let bounded = derive(out, Operator::Offset { by: eps * eps }, &[energy], node, "variance");
    let by_row = derive(out, Operator::Rsqrt, &[bounded], node, "rsqrt");
    Deferred { scaled, by_row, factor: 1.0, frac }
}
