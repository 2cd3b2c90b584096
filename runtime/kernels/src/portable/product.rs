//! Ring products on tiles that stay in registers.
//!
//! `b` lies in panels of `WIDTH` columns, `k` rows each, so that a tile reads it front to back; missing columns of the
//! last panel are zero.

use std::ops::Range;

use crate::Packed;
use crate::aligned::Aligned;
use crate::blocks::{Output, over_rectangles};
use crate::packed::Layout;
use ptc_plan::kernel::Word;

/// Columns of a panel: two vectors of 512 bits, in words of 64 and of 32 bits.
const WIDTH_64: usize = 16;
const WIDTH_32: usize = 32;

/// Rows of a tile.
const ROWS: usize = 8;

fn layout(word: Word) -> Layout {
    let width = match word {
        Word::W64 => WIDTH_64,
        Word::W32 => WIDTH_32,
    };
    Layout { backend: "portable", width }
}

pub fn pack(word: Word, k: usize, n: usize, b: &[u64]) -> Packed {
    assert_eq!(b.len(), k * n, "words of a right factor [{k}, {n}]");
    let layout = layout(word);
    let columns = n.div_ceil(layout.width) * layout.width;
    let panels = match word {
        Word::W64 => {
            let mut panels = Aligned::zeros(k * columns);
            fill(panels.words_mut(), layout.width, k, n, b, |x| x);
            panels
        }
        Word::W32 => {
            let mut panels = Aligned::zeros((k * columns).div_ceil(2));
            fill(panels.halves_mut(), layout.width, k, n, b, |x| x as u32);
            panels
        }
    };
    Packed { word, k, n, layout, panels }
}

fn fill<T>(panels: &mut [T], width: usize, k: usize, n: usize, b: &[u64], narrow: impl Fn(u64) -> T) {
    for start in (0..n).step_by(width) {
        let used = width.min(n - start);
        for row in 0..k {
            let target = &mut panels[start * k + row * width..][..used];
            let source = &b[row * n + start..][..used];
            target.iter_mut().zip(source).for_each(|(target, &x)| *target = narrow(x));
        }
    }
}

pub fn product(a: &[u64], m: usize, b: &Packed, out: &mut [u64]) {
    b.check(layout(b.word), a, m, out);
    match b.word {
        Word::W64 => run::<u64, WIDTH_64>(a, m, b, b.panels.words(), out),
        Word::W32 => {
            let mut narrow = Aligned::zeros(a.len().div_ceil(2));
            narrow.halves_mut().iter_mut().zip(a).for_each(|(target, &x)| *target = x as u32);
            run::<u32, WIDTH_32>(&narrow.halves()[..a.len()], m, b, b.panels.halves(), out);
        }
    }
}

fn run<T: RingWord, const WIDTH: usize>(a: &[T], m: usize, b: &Packed, panels: &[T], out: &mut [u64]) {
    let (k, n) = (b.k, b.n);
    let output = Output::new(out);
    over_rectangles(m, ROWS, n.div_ceil(WIDTH), m * k * n, |rows, columns| {
        for panel in columns {
            let b = &panels[panel * k * WIDTH..][..k * WIDTH];
            let columns = panel * WIDTH..((panel + 1) * WIDTH).min(n);
            let store = |row: usize, words: &[T; WIDTH]| {
                // SAFETY: rectangles are disjoint, and so are the rows and panels within one.
                let target = unsafe { output.part(row * n + columns.start..row * n + columns.end) };
                target.iter_mut().zip(words).for_each(|(target, &word)| *target = word.widen());
            };
            panel_product(a, rows.clone(), k, b, store);
        }
    });
}

/// All `rows` of one panel: whole tiles, then what is left in halves.
fn panel_product<T: RingWord, const WIDTH: usize>(
    a: &[T],
    rows: Range<usize>,
    k: usize,
    b: &[T],
    store: impl Fn(usize, &[T; WIDTH]),
) {
    let mut row = rows.start;
    while row + ROWS <= rows.end {
        tile::<T, ROWS, WIDTH>(a, row, k, b, &store);
        row += ROWS;
    }
    if row + 4 <= rows.end {
        tile::<T, 4, WIDTH>(a, row, k, b, &store);
        row += 4;
    }
    while row < rows.end {
        tile::<T, 1, WIDTH>(a, row, k, b, &store);
        row += 1;
    }
}

#[inline(always)]
fn tile<T: RingWord, const TILE: usize, const WIDTH: usize>(
    a: &[T],
    first: usize,
    k: usize,
    b: &[T],
    store: &impl Fn(usize, &[T; WIDTH]),
) {
    let rows: [&[T]; TILE] = std::array::from_fn(|row| &a[(first + row) * k..][..k]);
    let mut sums = [[T::default(); WIDTH]; TILE];
    // All lengths are `k` in sight of the compiler, so that no index is checked inside.
    let b = &b.as_chunks::<WIDTH>().0[..k];
    for at in 0..k {
        for (sums, row) in sums.iter_mut().zip(&rows) {
            let x = row[at];
            for (sum, &y) in sums.iter_mut().zip(&b[at]) {
                *sum = sum.add_product(x, y);
            }
        }
    }
    for (row, sums) in sums.iter().enumerate() {
        store(first + row, sums);
    }
}

/// The two words a product is computed in.
trait RingWord: Copy + Default + Send + Sync {
    fn add_product(self, x: Self, y: Self) -> Self;
    fn widen(self) -> u64;
}

impl RingWord for u64 {
    #[inline(always)]
    fn add_product(self, x: u64, y: u64) -> u64 {
        self.wrapping_add(x.wrapping_mul(y))
    }

    #[inline(always)]
    fn widen(self) -> u64 {
        self
    }
}

impl RingWord for u32 {
    #[inline(always)]
    fn add_product(self, x: u32, y: u32) -> u32 {
        self.wrapping_add(x.wrapping_mul(y))
    }

    #[inline(always)]
    fn widen(self) -> u64 {
        u64::from(self)
    }
}
