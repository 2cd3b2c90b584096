//! The fixed factors of static products, packed once for all queries of a session: `W` at the server, its mask `U` at the
//! dealer, `W - U` at the client.

use std::collections::BTreeMap;

use ptc_kernels::{Backend, Packed};
use ptc_plan::Plan;
use ptc_plan::bill::{Correlation, bill};
use ptc_plan::kernel::Word;
use ptc_plan::step::ValueId;

/// By weight and by what it is packed for.
#[derive(Default)]
pub struct Factors {
    matrices: BTreeMap<(u32, bool), Packed>,
    elements: BTreeMap<u32, Vec<u64>>,
}

impl Factors {
    /// `words` are a weight's ring words, reduced to the widest ring it is multiplied in.
    pub fn prepare<'a>(plan: &Plan, backend: &dyn Backend, words: impl Fn(ValueId) -> &'a [u64]) -> Factors {
        let mut factors = Factors::default();
        for correlation in plan.steps.iter().flat_map(|step| bill(&plan.values, step)) {
            match correlation {
                Correlation::StaticMatMul { weight, inner, columns, bits, .. } => {
                    let pack = || backend.pack(Word::for_ring(bits), inner, columns, words(weight));
                    factors.matrices.entry(matrix_key(weight, bits)).or_insert_with(pack);
                }
                Correlation::StaticMul { weight, .. } => {
                    factors.elements.entry(weight.0).or_insert_with(|| words(weight).to_vec());
                }
                _ => {}
            }
        }
        factors
    }

    /// The weight as the right factor of a product in a ring of `bits` bits.
    pub fn matrix(&self, weight: ValueId, bits: u32) -> Option<&Packed> {
        self.matrices.get(&matrix_key(weight, bits))
    }

    /// The weight as the factor of an elementwise product.
    pub fn elements(&self, weight: ValueId) -> Option<&[u64]> {
        self.elements.get(&weight.0).map(Vec::as_slice)
    }

    /// `r · factor` for a static product; not reduced. Panics for another correlation or a weight not prepared.
    pub(crate) fn product(&self, backend: &dyn Backend, correlation: &Correlation, r: &[u64]) -> Vec<u64> {
        match *correlation {
            Correlation::StaticMatMul { weight, rows, columns, bits, .. } => {
                let factor = self.matrix(weight, bits).expect("a matrix of the plan's bill");
                let mut product = vec![0; rows * columns];
                backend.product(r, rows, factor, &mut product);
                product
            }
            Correlation::StaticMul { weight, .. } => {
                let factor = self.elements(weight).expect("a factor of the plan's bill");
                r.iter().zip(factor.iter().cycle()).map(|(r, w)| r.wrapping_mul(*w)).collect()
            }
            _ => panic!("not a static product"),
        }
    }
}

/// Rings of up to 32 bits and wider ones are packed for different words.
fn matrix_key(weight: ValueId, bits: u32) -> (u32, bool) {
    (weight.0, Word::for_ring(bits) == Word::W64)
}
