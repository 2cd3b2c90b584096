//! Fixed point: a real `x` is `round(x · 2^frac)` in two's complement modulo `2^bits`.

use crate::tensor::mask;
use ptc_plan::step::Fixed;

/// Rounds to nearest. Values beyond the ring wrap around; the plan's limits keep them out.
pub fn encode(values: &[f32], fixed: Fixed) -> Vec<u64> {
    let (scale, low) = ((fixed.frac as f64).exp2(), mask(fixed.bits));
    values.iter().map(|&x| (x as f64 * scale).round_ties_even() as i64 as u64 & low).collect()
}

pub fn decode(data: &[u64], fixed: Fixed) -> Vec<f32> {
    let unit = (-(fixed.frac as f64)).exp2();
    data.iter().map(|&x| (to_signed(x, fixed.bits) as f64 * unit) as f32).collect()
}

/// The representative in `[-2^(bits-1), 2^(bits-1))`.
#[inline(always)]
pub fn to_signed(x: u64, bits: u32) -> i64 {
    debug_assert!((1..=64).contains(&bits), "a ring of {bits} bits");
    (x << (64 - bits)) as i64 >> (64 - bits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn signs_and_halves() {
        let fixed = Fixed { bits: 8, frac: 4 };
        assert_eq!(encode(&[0.0, 1.0, -1.0, -0.0625, 7.9375, -8.0], fixed), [0, 16, 240, 255, 127, 128]);
        assert_eq!(decode(&[0, 16, 240, 255, 127, 128], fixed), [0.0, 1.0, -1.0, -0.0625, 7.9375, -8.0]);
        assert_eq!(encode(&[0.03, 0.04, -0.03, -0.04], fixed), [0, 1, 0, 255]);
        assert_eq!(to_signed(u64::MAX, 64), -1);
        assert_eq!(to_signed(1, 1), -1);
    }

    proptest! {
        #[test]
        fn a_real_comes_back_within_half_a_unit(x in -100.0f32..100.0, bits in 20u32..=64, frac in 0u32..=12) {
            let fixed = Fixed { bits, frac };
            let back = decode(&encode(&[x], fixed), fixed)[0];
            // Half a unit of fixed point, and half a unit of the last place of an f32 below 128.
            let tolerance = (-(frac as f32) - 1.0).exp2() + (-18f32).exp2();
            prop_assert!((back - x).abs() <= tolerance, "{} became {}", x, back);
        }
    }
}
