//! Kernels in plain Rust: the meaning that every backend must match, fast as far as the compiler's own vectors go.

use crate::{Backend, Packed};
use ptc_plan::kernel::{Elementwise, Word};

mod elementwise;
mod product;

#[derive(Clone, Copy, Debug, Default)]
pub struct Portable;

impl Backend for Portable {
    fn name(&self) -> &str {
        "portable"
    }

    fn pack(&self, word: Word, k: usize, n: usize, b: &[u64]) -> Packed {
        product::pack(word, k, n, b)
    }

    fn product(&self, a: &[u64], m: usize, b: &Packed, out: &mut [u64]) {
        product::product(a, m, b, out);
    }

    fn elementwise(&self, kernel: &Elementwise, inputs: &[&[u64]], len: usize, is_server: bool) -> Vec<Vec<u64>> {
        elementwise::run(kernel, inputs, len, is_server)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batched::{self, Shape};
    use proptest::prelude::*;
    use ptc_plan::kernel::{Access, Instruction};
    use ptc_ring::Seed;
    use ptc_ring::transpose::transpose;

    fn words(seed: u8, len: usize) -> Vec<u64> {
        Seed::from_bytes([seed; 32]).stream(0, 0).words(len)
    }

    fn naive(word: Word, m: usize, k: usize, n: usize, a: &[u64], b: &[u64]) -> Vec<u64> {
        let at = |i: usize| {
            let (row, column) = (i / n, i % n);
            (0..k).fold(0u64, |sum, at| sum.wrapping_add(a[row * k + at].wrapping_mul(b[at * n + column])))
        };
        let low = if word == Word::W32 { u32::MAX as u64 } else { u64::MAX };
        (0..m * n).map(|i| at(i) & low).collect()
    }

    fn check_product(word: Word, m: usize, k: usize, n: usize) {
        let (a, b) = (words(1, m * k), words(2, k * n));
        let mut out = vec![5; m * n];
        Portable.product(&a, m, &Portable.pack(word, k, n, &b), &mut out);
        assert_eq!(out, naive(word, m, k, n, &a, &b), "{word:?} [{m}, {k}] · [{k}, {n}]");
    }

    #[test]
    fn large_products_use_all_threads() {
        for word in [Word::W32, Word::W64] {
            check_product(word, 65, 130, 161);
        }
    }

    proptest! {
        #[test]
        fn every_shape(m in 0usize..20, k in 0usize..20, n in 0usize..70) {
            check_product(Word::W32, m, k, n);
            check_product(Word::W64, m, k, n);
        }

        #[test]
        fn batches(batch in 0usize..4, m in 0usize..10, k in 0usize..20, n in 0usize..20, transpose_b: bool) {
            let shape = Shape { batch, m, k, n, transpose_b };
            let (a, b) = (words(1, batch * m * k), words(2, batch * k * n));
            let mut expected = vec![];
            for at in 0..batch {
                let b = &b[at * k * n..][..k * n];
                let b = if transpose_b { transpose(b, n, k) } else { b.to_vec() };
                expected.extend(naive(Word::W64, m, k, n, &a[at * m * k..][..m * k], &b));
            }
            prop_assert_eq!(batched::product(&Portable, Word::W64, shape, &a, &b), expected);
        }
    }

    #[test]
    fn programs_read_through_every_access() {
        use Instruction::*;
        let kernel = Elementwise {
            inputs: vec![Access::Full, Access::Cycle { period: 3 }, Access::Each { period: 3 }, Access::Single],
            code: vec![
                Multiply(0, 1),
                Add(4, 2),
                Subtract(5, 3),
                Const(1000),
                IsServer,
                Multiply(7, 8),
                Add(6, 9),
                ShiftLeft(10, 3),
                Low(11, 20),
                ShiftRight(12, 1),
                And(13, 3),
            ],
            outputs: vec![13, 14, 0],
        };
        for len in [0, 1, 300, 70_001] {
            let (x, row, column, one) = (words(1, len), words(2, 3), words(3, len.div_ceil(3)), words(4, 1));
            for server in [0, 1] {
                let found = Portable.elementwise(&kernel, &[&x, &row, &column, &one], len, server == 1);
                for i in 0..len {
                    let sum = x[i].wrapping_mul(row[i % 3]).wrapping_add(column[i / 3]).wrapping_sub(one[0]);
                    let expected = (sum.wrapping_add(1000 * server) << 3 & 0xfffff) >> 1;
                    assert_eq!([found[0][i], found[1][i], found[2][i]], [expected, expected & one[0], x[i]]);
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "input 0 of an elementwise kernel, Full, has 2 words, expected 3")]
    fn a_short_input_is_refused() {
        let kernel = Elementwise { inputs: vec![Access::Full], code: vec![], outputs: vec![0] };
        Portable.elementwise(&kernel, &[&[1, 2]], 3, true);
    }
}
