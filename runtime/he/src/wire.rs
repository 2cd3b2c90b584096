//! The wire form of polynomials: residues in as many bits as their prime has, words modulo a power of two in its bits.

use ptc_net::PeerError;
use ptc_ring::{Seed, pack};

use crate::basis::Basis;
use crate::polynomial::Polynomial;

/// Bytes of the residues modulo the first `limbs` primes.
pub fn polynomial_len(basis: &Basis, limbs: usize) -> usize {
    basis.primes()[..limbs].iter().map(|prime| basis.degree() / 8 * prime.bits() as usize).sum()
}

pub fn write_polynomial<Form>(basis: &Basis, polynomial: &Polynomial<Form>, out: &mut Vec<u8>) {
    for (prime, limb) in basis.primes().iter().zip(polynomial.iter()) {
        pack::pack(limb, prime.bits(), out);
    }
}

/// Refuses residues that are not reduced.
pub fn read_polynomial<Form>(basis: &Basis, limbs: usize, reader: &mut Reader) -> Result<Polynomial<Form>, PeerError> {
    let bytes = reader.take(polynomial_len(basis, limbs))?;
    let mut polynomial = Polynomial::zeros(basis.degree(), limbs);
    let mut rest = bytes;
    for (prime, limb) in basis.primes().iter().zip(polynomial.iter_mut()) {
        let (own, others) = rest.split_at(basis.degree() / 8 * prime.bits() as usize);
        pack::unpack_from(own, prime.bits(), 0, limb);
        if limb.iter().fold(0, |largest, x| largest.max(*x)) >= prime.value() {
            return Err(PeerError::Malformed("a residue that is not below its prime".into()));
        }
        rest = others;
    }
    Ok(polynomial)
}

/// Bytes of `count` words modulo `2^bits`.
pub fn power_len(count: usize, bits: u32) -> usize {
    (pack::packed_len(count, bits.min(64)) + pack::packed_len(count, bits.saturating_sub(64))) as usize
}

/// Words modulo `2^bits`, `bits <= 128`: the low 64 bits of all, then what is above them.
pub fn write_power(words: &[u128], bits: u32, out: &mut Vec<u8>) {
    let low: Vec<u64> = words.iter().map(|word| *word as u64).collect();
    pack::pack(&low, bits.min(64), out);
    if bits > 64 {
        let high: Vec<u64> = words.iter().map(|word| (*word >> 64) as u64).collect();
        pack::pack(&high, bits - 64, out);
    }
}

pub fn read_power(count: usize, bits: u32, reader: &mut Reader) -> Result<Vec<u128>, PeerError> {
    let mut read = |bits: u32| -> Result<Vec<u64>, PeerError> {
        let bytes = reader.take(power_len(count, bits))?;
        let mut words = vec![0; count];
        pack::unpack_from(bytes, bits, 0, &mut words);
        Ok(words)
    };
    let low = read(bits.min(64))?;
    if bits <= 64 {
        return Ok(low.into_iter().map(u128::from).collect());
    }
    let high = read(bits - 64)?;
    Ok(low.into_iter().zip(high).map(|(low, high)| u128::from(high) << 64 | u128::from(low)).collect())
}

/// Takes a peer's message apart.
pub struct Reader<'a> {
    bytes: &'a [u8],
    taken: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, taken: 0 }
    }

    pub fn take(&mut self, count: usize) -> Result<&'a [u8], PeerError> {
        let Some((head, rest)) = self.bytes.split_at_checked(count) else {
            let expected = self.taken.saturating_add(count);
            return Err(PeerError::WrongLength { expected, found: self.taken + self.bytes.len() });
        };
        self.bytes = rest;
        self.taken += count;
        Ok(head)
    }

    /// A public seed.
    pub fn seed(&mut self) -> Result<Seed, PeerError> {
        let bytes = self.take(32)?;
        Ok(Seed::from_bytes(bytes.try_into().expect("as many bytes as were taken")))
    }

    /// Nothing may be left.
    pub fn finish(self) -> Result<(), PeerError> {
        match self.bytes {
            [] => Ok(()),
            left => Err(PeerError::WrongLength { expected: self.taken, found: self.taken + left.len() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::polynomial::Slots;
    use crate::sample::uniform;
    use proptest::prelude::*;
    use ptc_plan::two_party::parameters::{Parameters, SETS};

    #[test]
    fn polynomials_come_back() {
        for set in SETS {
            let basis = Basis::new(set);
            for limbs in 1..=basis.limbs() {
                let polynomial: Polynomial<Slots> = uniform(&basis, limbs, &Seed::from_bytes([1; 32]), 0);
                let mut bytes = vec![];
                write_polynomial(&basis, &polynomial, &mut bytes);
                assert_eq!(bytes.len(), polynomial_len(&basis, limbs));
                let mut reader = Reader::new(&bytes);
                let back: Polynomial<Slots> = read_polynomial(&basis, limbs, &mut reader).unwrap();
                reader.finish().unwrap();
                assert!(back.iter().eq(polynomial.iter()));
            }
        }
    }

    #[test]
    fn residues_beyond_their_prime_are_refused() {
        let basis = Basis::new(&Parameters { degree: 4096, prime_bits: &[36, 40, 50], kept: 3, special_bits: None });
        let mut polynomial: Polynomial<Slots> = Polynomial::zeros(4096, 3);
        for (limb, place, beyond) in [(0, 0, 0), (1, 4095, 1), (2, 77, 20)] {
            let prime = basis.primes()[limb].value();
            polynomial.limb_mut(limb)[place] = prime + beyond;
            let mut bytes = vec![];
            write_polynomial(&basis, &polynomial, &mut bytes);
            let read = |bytes: &[u8]| read_polynomial::<Slots>(&basis, 3, &mut Reader::new(bytes)).map(|_| ());
            assert!(matches!(read(&bytes), Err(PeerError::Malformed(_))));
            assert!(matches!(read(&bytes[1..]), Err(PeerError::WrongLength { .. })));
            polynomial.limb_mut(limb)[place] = prime - 1;
            bytes.clear();
            write_polynomial(&basis, &polynomial, &mut bytes);
            read(&bytes).unwrap();
        }
    }

    proptest! {
        #[test]
        fn powers_come_back(words in proptest::collection::vec(any::<u128>(), 0..200), bits in 1u32..=128) {
            let words: Vec<u128> = words.iter().map(|word| word >> (128 - bits)).collect();
            let mut bytes = vec![];
            write_power(&words, bits, &mut bytes);
            prop_assert_eq!(bytes.len(), power_len(words.len(), bits));
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(&read_power(words.len(), bits, &mut reader).unwrap(), &words);
            reader.finish().unwrap();
            if let [_, short @ ..] = &bytes[..] {
                prop_assert!(read_power(words.len(), bits, &mut Reader::new(short)).is_err());
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let basis = Basis::new(&Parameters { degree: 64, prime_bits: &[13, 14], kept: 2, special_bits: None });
            let mut reader = Reader::new(&bytes);
            match read_polynomial::<Slots>(&basis, 2, &mut reader) {
                Ok(polynomial) => {
                    for (prime, limb) in basis.primes().iter().zip(polynomial.iter()) {
                        prop_assert!(limb.iter().all(|x| *x < prime.value()));
                    }
                    prop_assert_eq!(reader.finish().is_ok(), bytes.len() == polynomial_len(&basis, 2));
                }
                Err(PeerError::WrongLength { .. }) => prop_assert!(bytes.len() < polynomial_len(&basis, 2)),
                Err(error) => prop_assert!(matches!(error, PeerError::Malformed(_))),
            }
        }
    }
}
