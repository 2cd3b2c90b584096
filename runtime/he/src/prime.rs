//! Primes of 30 to 50 bits and arithmetic modulo them, in constant time for a given prime.
//!
//! Factors that are used often carry a quotient of 52 bits (Shoup's), which is what 52-bit multipliers want.

/// Radix of the quotients that factors carry, and of accumulators.
pub const RADIX_BITS: u32 = 52;
pub const RADIX_MASK: u64 = (1 << RADIX_BITS) - 1;

/// The widest prime: four times it fits into the radix.
pub const WIDEST: u32 = 50;

/// A prime with its constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prime {
    value: u64,
    bits: u32,
    /// `floor(2^(2·bits) / value)`.
    barrett: u64,
    /// `floor(2^64 / value)`.
    word: u64,
    /// The accumulators' radix, and its square.
    radix: Factor,
    square: Factor,
}

/// `value` with `floor(value · 2^52 / p)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Factor {
    pub value: u64,
    pub quotient: u64,
}

impl Prime {
    /// Panics when `value` is not a prime of 2 to 50 bits.
    pub fn new(value: u64) -> Prime {
        assert!(is_prime(value), "{value} is not a prime");
        let bits = u64::BITS - value.leading_zeros();
        assert!((3..=WIDEST).contains(&bits), "a prime of {bits} bits");
        let barrett = ((1u128 << (2 * bits)) / value as u128) as u64;
        let word = ((1u128 << 64) / value as u128) as u64;
        let none = Factor::default();
        let prime = Prime { value, bits, barrett, word, radix: none, square: none };
        let radix = (1 << RADIX_BITS) % value;
        Prime { radix: prime.factor(radix), square: prime.factor(prime.mul(radix, radix)), ..prime }
    }

    /// `2^52`.
    pub fn radix(&self) -> Factor {
        self.radix
    }

    /// `2^104`.
    pub fn radix_square(&self) -> Factor {
        self.square
    }

    pub fn value(&self) -> u64 {
        self.value
    }

    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// Of reduced `a` and `b`.
    #[inline(always)]
    pub fn add(&self, a: u64, b: u64) -> u64 {
        self.once(a + b)
    }

    #[inline(always)]
    pub fn sub(&self, a: u64, b: u64) -> u64 {
        let difference = a.wrapping_sub(b);
        difference.min(difference.wrapping_add(self.value))
    }

    #[inline(always)]
    pub fn negate(&self, a: u64) -> u64 {
        self.sub(0, a)
    }

    /// `a·b` of factors below `2^bits` (Barrett, with quotients at most two too small).
    #[inline(always)]
    pub fn mul(&self, a: u64, b: u64) -> u64 {
        self.reduce_product(a as u128 * b as u128)
    }

    /// `x` below `2^(2·bits)`.
    #[inline(always)]
    fn reduce_product(&self, x: u128) -> u64 {
        let quotient = ((x >> (self.bits - 1)) * self.barrett as u128) >> (self.bits + 1);
        let rest = (x as u64).wrapping_sub((quotient as u64).wrapping_mul(self.value));
        self.once(self.once(rest))
    }

    /// `a·factor`, `a` below `2^52`.
    #[inline(always)]
    pub fn mul_factor(&self, a: u64, factor: Factor) -> u64 {
        self.once(self.mul_factor_lazy(a, factor))
    }

    /// The same below `2·p`.
    #[inline(always)]
    pub fn mul_factor_lazy(&self, a: u64, factor: Factor) -> u64 {
        let quotient = ((a as u128 * factor.quotient as u128) >> RADIX_BITS) as u64;
        a.wrapping_mul(factor.value).wrapping_sub(quotient.wrapping_mul(self.value))
    }

    /// Any word.
    #[inline(always)]
    pub fn reduce(&self, x: u64) -> u64 {
        let quotient = ((x as u128 * self.word as u128) >> 64) as u64;
        self.once(x.wrapping_sub(quotient.wrapping_mul(self.value)))
    }

    #[inline(always)]
    pub fn reduce_wide(&self, x: u128) -> u64 {
        // `2^64` modulo the prime.
        let shift = self.word.wrapping_mul(self.value).wrapping_neg();
        let high = self.reduce((x >> 64) as u64);
        self.add(self.mul(high, shift), self.reduce(x as u64))
    }

    #[inline(always)]
    pub fn reduce_signed(&self, x: i64) -> u64 {
        let size = self.reduce(x.unsigned_abs());
        let negative = (x >> 63) as u64;
        // Negation of zero must stay zero.
        self.once((size ^ negative).wrapping_sub(negative).wrapping_add(self.value & negative))
    }

    #[inline(always)]
    pub fn reduce_signed_wide(&self, x: i128) -> u64 {
        let size = self.reduce_wide(x.unsigned_abs());
        let negative = (x >> 127) as u64;
        self.once((size ^ negative).wrapping_sub(negative).wrapping_add(self.value & negative))
    }

    /// `x` below `2·p`.
    #[inline(always)]
    pub fn once(&self, x: u64) -> u64 {
        x.min(x.wrapping_sub(self.value))
    }

    pub fn factor(&self, value: u64) -> Factor {
        let value = value % self.value;
        Factor { value, quotient: (((value as u128) << RADIX_BITS) / self.value as u128) as u64 }
    }

    pub fn pow(&self, base: u64, mut exponent: u64) -> u64 {
        let (mut square, mut result) = (base % self.value, 1);
        while exponent > 0 {
            if exponent & 1 == 1 {
                result = self.mul(result, square);
            }
            square = self.mul(square, square);
            exponent >>= 1;
        }
        result
    }

    /// `a` is not a multiple of the prime.
    pub fn inverse(&self, a: u64) -> u64 {
        self.pow(a, self.value - 2)
    }

    /// The smallest element of order `order`, a power of two that divides `p - 1`.
    pub fn root(&self, order: u64) -> u64 {
        assert!(
            order.is_power_of_two() && order >= 2 && (self.value - 1).is_multiple_of(order),
            "no root of order {order}"
        );
        let candidates = (2..self.value).map(|x| self.pow(x, (self.value - 1) / order));
        let root = candidates.into_iter().find(|root| self.pow(*root, order / 2) == self.value - 1);
        let root = root.expect("half of all elements give one");
        let step = self.mul(root, root);
        let odd_powers = std::iter::successors(Some(root), |power| Some(self.mul(*power, step)));
        odd_powers.take(order as usize / 2).min().expect("there is one")
    }
}

/// For each of `bits` the largest prime of so many bits that is 1 modulo `2·degree` and not taken before.
pub fn choose(degree: usize, bits: &[u32]) -> Vec<Prime> {
    let mut chosen: Vec<Prime> = vec![];
    for bits in bits {
        let step = 2 * degree as u64;
        let highest = (1u64 << bits) - step + 1;
        let candidates = (0..).map(|at| highest - at * step).take_while(|value| value >> (bits - 1) == 1);
        let free = |value: &u64| is_prime(*value) && chosen.iter().all(|prime| prime.value != *value);
        chosen.push(Prime::new(candidates.into_iter().find(free).expect("there are many primes of this size")));
    }
    chosen
}

/// Miller and Rabin's test with the first twelve primes as bases, which is exact below 2^64 (Sorenson and Webster, 2015).
fn is_prime(n: u64) -> bool {
    const BASES: [u64; 12] = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37];
    if n < 2 || BASES.iter().any(|p| n.is_multiple_of(*p)) {
        return BASES.contains(&n);
    }
    let mul = |a: u64, b: u64| (a as u128 * b as u128 % n as u128) as u64;
    let twos = (n - 1).trailing_zeros();
    let odd = (n - 1) >> twos;
    BASES.iter().all(|base| {
        let mut power = 1;
        for bit in (0..u64::BITS - odd.leading_zeros()).rev() {
            power = mul(power, power);
            if odd >> bit & 1 == 1 {
                power = mul(power, *base);
            }
        }
        let mut passes = power == 1 || power == n - 1;
        for _ in 1..twos {
            power = mul(power, power);
            passes |= power == n - 1;
        }
        passes
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn primes_are_told_from_others() {
        let small: Vec<u64> = (0..60).filter(|n| is_prime(*n)).collect();
        assert_eq!(small, [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59]);
        // A strong pseudoprime to the first nine prime bases, a Carmichael number, the largest prime below 2^64.
        assert!(!is_prime(3_825_123_056_546_413_051) && !is_prime(825_265) && is_prime(u64::MAX - 58));
    }

    #[test]
    fn chosen_primes_split_the_polynomial() {
        let primes = choose(8192, &[50, 50, 36, 36, 30]);
        for (at, prime) in primes.iter().enumerate() {
            assert_eq!(prime.value() % 16384, 1);
            assert!(primes[..at].iter().all(|other| other != prime));
            let root = prime.root(16384);
            assert_eq!(prime.pow(root, 8192), prime.value() - 1);
            assert_eq!(prime.mul(prime.inverse(root), root), 1);
        }
        assert_eq!(primes.iter().map(Prime::bits).collect::<Vec<_>>(), [50, 50, 36, 36, 30]);
    }

    proptest! {
        #[test]
        fn arithmetic_is_that_of_integers(a in any::<u64>(), b in any::<u64>(), wide in any::<i128>()) {
            for prime in choose(2048, &[50, 49, 41, 30]) {
                let p = prime.value();
                let edges = [0, 1, p - 1, a % p, b % p];
                prop_assert_eq!(prime.reduce(a), a % p);
                prop_assert_eq!(prime.reduce_wide(wide as u128) as u128, wide as u128 % p as u128);
                prop_assert_eq!(prime.reduce_signed_wide(wide) as i128, wide.rem_euclid(p as i128));
                for x in [a as i64, 0, i64::MIN, i64::MAX, p as i64, -(p as i64)] {
                    prop_assert_eq!(prime.reduce_signed(x) as i64, x.rem_euclid(p as i64));
                }
                for x in edges {
                    prop_assert_eq!(prime.negate(x), (p - x) % p);
                    for y in edges {
                        prop_assert_eq!(prime.add(x, y), (x + y) % p);
                        prop_assert_eq!(prime.sub(x, y), (x + p - y) % p);
                        prop_assert_eq!(prime.mul(x, y) as u128, x as u128 * y as u128 % p as u128);
                        prop_assert_eq!(prime.mul_factor(x, prime.factor(y)), prime.mul(x, y));
                    }
                }
                let top = RADIX_MASK;
                prop_assert_eq!(prime.mul_factor(top, prime.factor(b)) as u128, top as u128 * (b % p) as u128 % p as u128);
            }
        }
    }
}
