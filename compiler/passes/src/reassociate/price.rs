//! What a product with a weight costs, in bytes, before rings and rounds are known.
//!
//! Encrypted products are priced as the plan will price them, at the ring of a usual activation; a round counts as many
//! bytes as a link of 1 Gbit/s carries in half a millisecond.

use std::collections::HashMap;

use ptc_ir::graph::Visibility;
use ptc_plan::file::Making;
use ptc_plan::price::packed;
use ptc_plan::two_party::encrypted::{self, Product};

/// Ring of a product of an activation with a weight, and bits of the weight.
const PRODUCT_BITS: u32 = 36;
const FACTOR_BITS: u32 = 17;
const ROUND_BYTES: f64 = 62_500.0;
/// Of an element that is truncated: two bits online, and a product of bits from transfers.
const TRUNCATED_BYTES: f64 = 5.0;

#[derive(Default)]
pub struct Prices {
    /// By rows, inner size and columns.
    made: HashMap<[usize; 3], f64>,
}

impl Prices {
    /// `[rows, inner] · [inner, columns]` with a weight of `owner`; local where the weight is public.
    pub fn product(&mut self, owner: Visibility, rows: usize, inner: usize, columns: usize) -> f64 {
        if owner == Visibility::Public {
            return 0.0;
        }
        let opened = packed(rows * inner, PRODUCT_BITS) as f64;
        let product = Product { batch: 1, rows, inner, columns, bits: PRODUCT_BITS, factor_bits: FACTOR_BITS };
        opened + ROUND_BYTES + *self.made.entry([rows, inner, columns]).or_insert_with(|| made(&product))
    }

    /// Of a product's `count` elements, before they enter another one.
    pub fn truncation(&self, count: usize) -> f64 {
        ROUND_BYTES + TRUNCATED_BYTES * count as f64
    }

    /// A value of a shared product that is opened masked by both.
    pub fn opening(&self, count: usize) -> f64 {
        2.0 * packed(count, PRODUCT_BITS) as f64
    }
}

/// Bytes and work of the encrypted product. One that no parameters fit is dearer than any that they do.
fn made(product: &Product) -> f64 {
    let Some(packing) = encrypted::find(product, Making::FAST) else { return f64::MAX / 1e6 };
    let work = encrypted::seconds(product, &packing) * f64::from(Making::FAST.second_bytes);
    (encrypted::request_bytes(product, &packing) + encrypted::response_bytes(product, &packing)) as f64 + work
}
