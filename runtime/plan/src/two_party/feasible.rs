//! Whether a plan's products can be encrypted: the largest parameters bound ring, weights and inner size together.

use super::encrypted::{self, Product};
use super::products;
use crate::bill::bill;
use crate::file::{Plan, Trust};
use crate::price::encrypted_product;
use crate::step::{Step, StepOp};

/// The first product of `step` that no parameters hold. The step has the shapes that its kind needs.
pub fn too_large(plan: &Plan, step: &Step) -> Option<Product> {
    let Trust::TwoParty { making } = plan.trust else { return None };
    let inline = match step.op {
        StepOp::EncryptedMatMul { factor_bits, .. } => Some(encrypted_product(&plan.values, step, factor_bits)),
        _ => None,
    };
    let prepared = bill(&plan.values, step).into_iter().flat_map(|correlation| products(&correlation));
    inline.into_iter().chain(prepared).find(|product| encrypted::find(product, making).is_none())
}

/// What is wrong with such a product, for people.
pub fn describe(product: &Product) -> String {
    let Product { rows, inner, columns, bits, factor_bits, .. } = product;
    format!(
        "a product of [{rows}, {inner}] by [{inner}, {columns}] of {factor_bits} bits in a ring of {bits} bits is too large \
         for homomorphic encryption"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::Making;

    fn fits(bits: u32, factor_bits: u32, inner: usize) -> bool {
        let product = Product { batch: 1, rows: 1, inner, columns: 1, bits, factor_bits };
        [Making::FAST, Making::SPARING].iter().all(|making| encrypted::find(&product, *making).is_some())
    }

    #[test]
    fn what_models_need_fits() {
        for (bits, factor_bits) in [(1, 1), (32, 12), (37, 17), (48, 48), (64, 24), (64, 64)] {
            for inner in [1, 768, 1 << 20] {
                assert!(fits(bits, factor_bits, inner), "{bits} bits, {factor_bits} of the factor, {inner} inner");
            }
        }
        assert!(!fits(64, 64, 1 << 46));
    }
}
