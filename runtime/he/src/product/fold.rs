//! Every `2^j`-th coefficient of a polynomial given by its slots, at a fraction of the price of all of them.

use std::sync::OnceLock;

use crate::aligned::Aligned;
use crate::basis::Basis;
use crate::ntt::{BLOCK, Transform, fold};
use crate::residues;

/// Transforms of polynomials in `x^2`, `x^4`, ..., for each prime of a basis; made when they are first needed.
pub struct Folds {
    degree: usize,
    transforms: Vec<Vec<OnceLock<Transform>>>,
}

impl Folds {
    pub fn new(basis: &Basis) -> Folds {
        let levels = (basis.degree() / BLOCK).ilog2() as usize;
        let of_prime = |_| (0..levels).map(|_| OnceLock::new()).collect();
        Folds { degree: basis.degree(), transforms: basis.primes().iter().map(of_prime).collect() }
    }

    /// The largest distance of coefficients that is had at once and divides `distance`.
    pub fn step(&self, distance: usize) -> usize {
        (1 << distance.trailing_zeros()).min(self.degree / BLOCK)
    }

    /// Coefficients `0, step, 2·step, ...` of the polynomial whose residues modulo the `limb`-th prime are `slots`.
    pub fn coefficients(&self, basis: &Basis, limb: usize, slots: &[u64], step: usize, out: &mut [u64]) {
        let whole = basis.transform(limb);
        if step == 1 {
            out.copy_from_slice(slots);
            return whole.inverse(out);
        }
        // Those further apart are among those that are had at once.
        let folded = self.step(step);
        let transform = self.transforms[limb][folded.ilog2() as usize - 1].get_or_init(|| whole.folded(folded));
        let mut sums = Aligned::zeros(self.degree / folded);
        fold(slots, folded, sums.words_mut());
        let prime = whole.prime();
        sums.words_mut().iter_mut().for_each(|sum| *sum = prime.reduce(*sum));
        transform.inverse(sums.words_mut());
        let scale = prime.factor(prime.inverse(folded as u64));
        residues::scale(prime, sums.words_mut(), scale);
        assert_eq!(out.len(), self.degree / step, "every {step}-th coefficient");
        out.iter_mut().zip(sums.words().iter().step_by(step / folded)).for_each(|(out, sum)| *out = *sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ptc_plan::two_party::parameters::SETS;
    use ptc_ring::Seed;

    #[test]
    fn folded_coefficients_are_those_of_the_whole() {
        for set in [&SETS[0], &SETS[2]] {
            let basis = Basis::new(set);
            let folds = Folds::new(&basis);
            for limb in 0..basis.primes().len() {
                let prime = basis.primes()[limb];
                let words = Seed::from_bytes([4; 32]).stream(0, 0).words(set.degree);
                let coefficients: Vec<u64> = words.iter().map(|word| prime.reduce(*word)).collect();
                let mut slots = coefficients.clone();
                basis.transform(limb).forward(&mut slots);
                for step in (0..=set.degree.ilog2()).map(|log| 1 << log) {
                    let mut found = vec![0; set.degree / step];
                    folds.coefficients(&basis, limb, &slots, step, &mut found);
                    assert!(found.iter().eq(coefficients.iter().step_by(step)), "every {step}-th, prime {limb}");
                }
            }
        }
    }
}
