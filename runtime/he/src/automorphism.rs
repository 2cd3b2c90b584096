//! Automorphisms: `x` becomes `x^g` for odd `g`.

use crate::basis::Basis;
use crate::ntt::slot_of;
use crate::polynomial::{Coefficients, Polynomial, Slots};

/// Coefficient `i` goes to place `i·g` modulo `2N`; beyond `N` it is negated and wraps.
pub fn of_coefficients(basis: &Basis, a: &Polynomial<Coefficients>, g: usize) -> Polynomial<Coefficients> {
    let degree = basis.degree();
    assert!(g % 2 == 1 && g < 2 * degree, "an odd power below {}", 2 * degree);
    let mut mapped = Polynomial::zeros(degree, a.limbs());
    // Where each coefficient comes from: `at·h` for `g·h = 1` modulo `2N`, negated from `N` on.
    let (inverse, wrap) = (inverse(g, 2 * degree), 2 * degree - 1);
    for ((prime, from), to) in basis.primes().iter().zip(a.iter()).zip(mapped.iter_mut()) {
        let mut source = 0;
        for to in to {
            let x = from[source & (degree - 1)];
            let negated = (source >> degree.ilog2() & 1) as u64;
            *to = prime.once(
                (x ^ negated.wrapping_neg()).wrapping_add(negated).wrapping_add(prime.value() & negated.wrapping_neg()),
            );
            source = source + inverse & wrap;
        }
    }
    mapped
}

/// `1/g` modulo `size`, a power of two: each step doubles the bits that are right, of which there are three at first.
fn inverse(g: usize, size: usize) -> usize {
    let step = |inverse: usize, _| inverse.wrapping_mul(2usize.wrapping_sub(g.wrapping_mul(inverse)));
    (0..5).fold(g, step) & (size - 1)
}

/// An automorphism of slots is a permutation, which is the same for all primes.
pub struct SlotMap {
    /// From which slot each comes.
    sources: Vec<u32>,
}

impl SlotMap {
    /// The value at `psi^e` of the image is that of `a` at `psi^(e·g)`.
    pub fn new(degree: usize, g: usize) -> SlotMap {
        assert!(g % 2 == 1 && g < 2 * degree, "an odd power below {}", 2 * degree);
        let mut sources = vec![0; degree];
        for at in 0..degree {
            let source = (2 * at + 1) * g % (2 * degree) / 2;
            sources[slot_of(at, degree)] = slot_of(source, degree) as u32;
        }
        SlotMap { sources }
    }

    pub fn apply(&self, a: &Polynomial<Slots>) -> Polynomial<Slots> {
        assert_eq!(self.sources.len(), a.degree(), "slots of a polynomial");
        let mut mapped = Polynomial::zeros(a.degree(), a.limbs());
        for (from, to) in a.iter().zip(mapped.iter_mut()) {
            to.iter_mut().zip(&self.sources).for_each(|(to, source)| *to = from[*source as usize]);
        }
        mapped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::uniform;
    use ptc_plan::two_party::parameters::SETS;
    use ptc_ring::Seed;

    #[test]
    fn both_forms_agree() {
        for set in SETS {
            let basis = Basis::new(set);
            let a: Polynomial<Coefficients> = uniform(&basis, basis.limbs(), &Seed::from_bytes([3; 32]), 0);
            for g in [1, 3, 5, 17, set.degree + 1, set.degree / 2 + 1, 2 * set.degree - 1] {
                let mapped = basis.forward(of_coefficients(&basis, &a, g));
                let slots = SlotMap::new(set.degree, g).apply(&basis.forward(a.clone()));
                assert!(mapped.iter().eq(slots.iter()), "x^{g} in degree {}", set.degree);
            }
        }
    }
}
