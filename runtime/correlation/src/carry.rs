//! Where the planes of a comparison's carry tree lie among its masks and products.

use ptc_plan::bill::leaf_products;
use ptc_plan::price::{carry_digits, carry_levels};

/// One level of the tree: pairs of neighbours are joined, an odd top one passes through.
pub struct CarryLevel {
    pub pairs: usize,
    /// Planes from here on: `a`, `b`, `c` for each pair; the lowest has no `c`.
    pub first_mask: usize,
    /// Planes from here on: `a·b`, `a·c` for each pair; the lowest has no `a·c`.
    pub first_product: usize,
}

/// From the leaves up.
pub fn carry_layout(bits: u32) -> Vec<CarryLevel> {
    let (mut first_mask, mut first_product) = (bits as usize - 1, leaf_products(bits));
    let level = |pairs: usize| {
        let level = CarryLevel { pairs, first_mask, first_product };
        first_mask += 3 * pairs - 1;
        first_product += 2 * pairs - 1;
        level
    };
    carry_levels(carry_digits(bits)).into_iter().map(level).collect()
}
