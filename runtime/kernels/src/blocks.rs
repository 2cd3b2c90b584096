//! Work over the threads: rectangles of a product, chunks of a tensor.

use std::marker::PhantomData;
use std::ops::Range;

use rayon::prelude::*;

/// Multiply-adds below which a second thread costs more than it saves.
const SERIAL_PRODUCT: usize = 1 << 19;

/// Calls `run(rows, panels)` for rectangles that cover `m` rows and `panels` panels of a product once, in parallel when
/// `cost`, the multiply-adds of the whole, is worth it. Rows are cut in multiples of `tile`.
pub fn over_rectangles(
    m: usize,
    tile: usize,
    panels: usize,
    cost: usize,
    run: impl Fn(Range<usize>, Range<usize>) + Sync,
) {
    let threads = rayon::current_num_threads();
    if threads == 1 || cost < SERIAL_PRODUCT {
        return run(0..m, 0..panels);
    }
    // A few rectangles a thread even out what else the machine does. Columns are cut first: a panel is then read by
    // one thread only, and the left factor is the smaller one.
    let wanted = (4 * threads).min(cost.div_ceil(SERIAL_PRODUCT / 4));
    let columns = wanted.min(panels).max(1);
    let rows = wanted.div_ceil(columns).min(m.div_ceil(tile)).max(1);
    let cut = |total: usize, parts: usize, at: usize| total * at / parts..total * (at + 1) / parts;
    (0..rows * columns).into_par_iter().for_each(|at| {
        let tiles = cut(m.div_ceil(tile), rows, at / columns);
        let (rows, columns) = (tiles.start * tile..(tiles.end * tile).min(m), cut(panels, columns, at % columns));
        if !rows.is_empty() && !columns.is_empty() {
            run(rows, columns);
        }
    });
}

/// An output that several threads fill, each its own part.
#[derive(Clone, Copy)]
pub struct Output<'a> {
    start: *mut u64,
    len: usize,
    borrowed: PhantomData<&'a mut [u64]>,
}

// SAFETY: the pointer is only dereferenced through `part`, whose callers keep the parts disjoint.
unsafe impl Send for Output<'_> {}
// SAFETY: as above.
unsafe impl Sync for Output<'_> {}

impl<'a> Output<'a> {
    pub fn new(words: &'a mut [u64]) -> Output<'a> {
        Output { start: words.as_mut_ptr(), len: words.len(), borrowed: PhantomData }
    }

    /// # Safety
    /// No two living parts overlap.
    pub unsafe fn part(&self, range: Range<usize>) -> &'a mut [u64] {
        assert!(range.start <= range.end && range.end <= self.len, "a part {range:?} of {} words", self.len);
        // SAFETY: inside the borrowed words, by the assertion; disjoint from others by the caller's word.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.end - range.start) }
    }

    /// Where the words begin, for compiled kernels.
    pub fn pointer(&self) -> *mut u64 {
        self.start
    }
}

/// Words that one thread takes at a time.
const CHUNK: usize = 1 << 14;

/// Calls `run` for ranges that cover `0..len` once, in parallel when there is enough to do. Ranges begin at
/// multiples of 64.
pub fn over_chunks(len: usize, run: impl Fn(Range<usize>) + Sync) {
    if len <= 2 * CHUNK || rayon::current_num_threads() == 1 {
        return run(0..len);
    }
    (0..len.div_ceil(CHUNK)).into_par_iter().for_each(|at| run(at * CHUNK..((at + 1) * CHUNK).min(len)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

    #[test]
    fn rectangles_cover_once() {
        for (m, tile, panels) in [(1, 8, 1), (7, 8, 3), (33, 8, 1), (128, 8, 100), (9, 4, 5)] {
            for cost in [0, 1 << 21, 1 << 40] {
                let seen: Vec<AtomicU8> = (0..m * panels).map(|_| AtomicU8::new(0)).collect();
                over_rectangles(m, tile, panels, cost, |rows, columns| {
                    for row in rows {
                        for column in columns.clone() {
                            seen[row * panels + column].fetch_add(1, Relaxed);
                        }
                    }
                });
                assert!(seen.iter().all(|count| count.load(Relaxed) == 1), "{m} rows, {panels} panels");
            }
        }
    }

    #[test]
    fn chunks_cover_once() {
        for len in [0, 1, CHUNK * 2, CHUNK * 5 + 3] {
            let mut words = vec![0; len];
            let output = Output::new(&mut words);
            // SAFETY: chunks are disjoint.
            over_chunks(len, |range| unsafe { output.part(range) }.iter_mut().for_each(|word| *word += 1));
            assert!(words.iter().all(|&word| word == 1));
        }
    }
}
