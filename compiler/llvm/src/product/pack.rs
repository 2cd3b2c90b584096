//! Factors in the order that tiles read.

use ptc_kernels::Packed;
use ptc_kernels::aligned::Aligned;
use ptc_kernels::packed::Layout;
use ptc_plan::kernel::Word;

pub fn layout(width: usize) -> Layout {
    Layout { backend: "llvm", width }
}

pub fn even(k: usize) -> usize {
    k.next_multiple_of(2)
}

/// Ring words of a panel: the row of sums and `k` rows, padded to an even number.
pub fn panel_words(k: usize, width: usize) -> usize {
    (even(k) + 1) * width
}

pub fn pack(word: Word, k: usize, n: usize, b: &[u64], width: usize) -> Packed {
    assert_eq!(b.len(), k * n, "words of a right factor [{k}, {n}]");
    let words = n.div_ceil(width) * panel_words(k, width);
    let panels = match word {
        Word::W64 => {
            let mut panels = Aligned::zeros(words);
            fill(panels.words_mut(), width, k, n, b);
            panels
        }
        Word::W32 => {
            let mut panels = Aligned::zeros(words.div_ceil(2));
            fill(panels.halves_mut(), width, k, n, b);
            panels
        }
    };
    Packed { word, k, n, layout: layout(width), panels }
}

fn fill<T: RingWord>(panels: &mut [T], width: usize, k: usize, n: usize, b: &[u64]) {
    if panels.is_empty() {
        return;
    }
    for (at, panel) in panels.chunks_exact_mut(panel_words(k, width)).enumerate().take(n.div_ceil(width)) {
        let (sums, rows) = panel.split_at_mut(width);
        let used = width.min(n - at * width);
        for (row, target) in rows.chunks_exact_mut(width).enumerate().take(k) {
            let source = &b[row * n + at * width..][..used];
            target[..used].iter_mut().zip(source).for_each(|(target, &x)| *target = T::narrow(x));
        }
        for pair in rows.chunks_exact(2 * width) {
            let (even, odd) = pair.split_at(width);
            for ((sum, &x), &y) in sums.iter_mut().zip(even).zip(odd) {
                *sum = sum.subtract_product(x, y);
            }
        }
    }
}

/// Rows of odd length `k`, each with a zero behind it.
pub fn even_rows(a: &[u64], k: usize) -> Aligned {
    let mut rows = Aligned::zeros(a.len() / k * even(k));
    for (target, source) in rows.words_mut().chunks_exact_mut(even(k)).zip(a.chunks_exact(k)) {
        target[..k].copy_from_slice(source);
    }
    rows
}

/// The low halves, in rows of even length.
pub fn narrow_rows(a: &[u64], k: usize) -> Aligned {
    if k == 0 {
        return Aligned::zeros(0);
    }
    let mut rows = Aligned::zeros((a.len() / k * even(k)).div_ceil(2));
    for (target, source) in rows.halves_mut().chunks_exact_mut(even(k)).zip(a.chunks_exact(k)) {
        target.iter_mut().zip(source).for_each(|(target, &x)| *target = x as u32);
    }
    rows
}

/// For each row of even length `k`, `-Σ x[2j]·x[2j+1]`.
pub fn negated_row_sums<T: RingWord>(a: &[T], k: usize) -> Aligned {
    const LANES: usize = 16;
    let sum = |row: &[T]| {
        // Each lane times its neighbour: twice the work, but no vector is taken apart. The even lanes count.
        let mut sums = [T::default(); LANES];
        let (blocks, rest) = row.as_chunks::<LANES>();
        for block in blocks {
            for (lane, sum) in sums.iter_mut().enumerate() {
                *sum = sum.subtract_product(block[lane], block[lane ^ 1]);
            }
        }
        for pair in rest.as_chunks::<2>().0 {
            sums[0] = sums[0].subtract_product(pair[0], pair[1]);
        }
        sums.into_iter().step_by(2).fold(T::default(), T::add)
    };
    let mut sums = Aligned::zeros(a.len() / k);
    T::of_mut(&mut sums).iter_mut().zip(a.chunks_exact(k)).for_each(|(target, row)| *target = sum(row));
    sums
}

/// The two words a product is computed in.
pub trait RingWord: Copy + Default + Send + Sync {
    fn narrow(x: u64) -> Self;
    fn of(words: &Aligned) -> &[Self];
    fn of_mut(words: &mut Aligned) -> &mut [Self];
    fn add(self, other: Self) -> Self;
    fn subtract_product(self, x: Self, y: Self) -> Self;
}

impl RingWord for u64 {
    fn narrow(x: u64) -> u64 {
        x
    }

    fn of(words: &Aligned) -> &[u64] {
        words.words()
    }

    fn of_mut(words: &mut Aligned) -> &mut [u64] {
        words.words_mut()
    }

    fn add(self, other: u64) -> u64 {
        self.wrapping_add(other)
    }

    fn subtract_product(self, x: u64, y: u64) -> u64 {
        self.wrapping_sub(x.wrapping_mul(y))
    }
}

impl RingWord for u32 {
    fn narrow(x: u64) -> u32 {
        x as u32
    }

    fn of(words: &Aligned) -> &[u32] {
        words.halves()
    }

    fn of_mut(words: &mut Aligned) -> &mut [u32] {
        words.halves_mut()
    }

    fn add(self, other: u32) -> u32 {
        self.wrapping_add(other)
    }

    fn subtract_product(self, x: u32, y: u32) -> u32 {
        self.wrapping_sub(x.wrapping_mul(y))
    }
}
