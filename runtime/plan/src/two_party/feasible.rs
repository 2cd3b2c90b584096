//! Whether a plan's products can be encrypted: the largest parameters bound ring, weights and inner size together.

use super::encrypted::{self, Product};
use super::products;
use super::ways::{methods, methods_of};
use crate::bill::{Correlation, bill};
use crate::file::{Plan, Trust};
use crate::price::encrypted_product;
use crate::step::{Method, Step, StepOp};

/// The first product of `step` that neither parameters hold nor transfers can make. The step has the shapes that its kind
/// needs.
pub fn too_large(plan: &Plan, step: &Step) -> Option<Product> {
    if plan.trust == Trust::Dealer {
        return None;
    }
    if let StepOp::EncryptedMatMul { factor_bits, .. } = step.op {
        return Some(encrypted_product(&plan.values, step, factor_bits)).filter(|product| !encrypted::fits(product));
    }
    let lost = |correlation: &Correlation| methods_of(correlation).is_empty();
    let all = bill(&plan.values, step).into_iter().filter(lost).flat_map(|correlation| products(&correlation));
    all.into_iter().find(|product| !encrypted::fits(product))
}

/// What keeps a step from having its products made as it says.
pub fn refused(plan: &Plan, step: &Step) -> Option<&'static str> {
    let method = step.method?;
    if methods(&plan.values, step).contains(&method) {
        return None;
    }
    Some(match method {
        Method::Encrypted => "nothing that it consumes can be encrypted",
        Method::Transfers => "nothing that it consumes is made from transfers or otherwise",
    })
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
