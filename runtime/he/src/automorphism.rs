//! Automorphisms: `x` becomes `x^g` for odd `g`.

use crate::basis::Basis;
use crate::polynomial::{Coefficients, Polynomial};

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
            source = (source + inverse) & wrap;
        }
    }
    mapped
}

/// `1/g` modulo `size`, a power of two: each step doubles the bits that are right, of which there are three at first.
fn inverse(g: usize, size: usize) -> usize {
    let step = |inverse: usize, _| inverse.wrapping_mul(2usize.wrapping_sub(g.wrapping_mul(inverse)));
    (0..5).fold(g, step) & (size - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ntt::slot_of;
    use crate::sample::uniform;
    use ptc_plan::two_party::parameters::SETS;
    use ptc_ring::Seed;

    #[test]
    fn values_at_roots_are_permuted() {
        for set in SETS {
            let (basis, degree) = (Basis::new(set), set.degree);
            let a: Polynomial<Coefficients> = uniform(&basis, basis.limbs(), &Seed::from_bytes([3; 32]), 0);
            for g in [1, 3, 5, 17, degree + 1, degree / 2 + 1, 2 * degree - 1] {
                let mapped = basis.forward(of_coefficients(&basis, &a, g));
                let slots = basis.forward(a.clone());
                for (mapped, slots) in mapped.iter().zip(slots.iter()) {
                    for at in 0..degree {
                        let source = (2 * at + 1) * g % (2 * degree) / 2;
                        assert_eq!(
                            mapped[slot_of(at, degree)],
                            slots[slot_of(source, degree)],
                            "x^{g}, degree {degree}"
                        );
                    }
                }
            }
        }
    }
}
