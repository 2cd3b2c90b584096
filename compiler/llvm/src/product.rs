//! Ring products by Winograd's inner product (1968) on tiles of vector registers.
//!
//! For even `k`,
//! `Σ x[i]·y[i] = Σ (x[2j] + y[2j+1])·(x[2j+1] + y[2j]) - Σ x[2j]·x[2j+1] - Σ y[2j]·y[2j+1]`,
//! exact in any ring. It trades half of the multiplications, which are the dear part of 64 bits, for additions. The last
//! sum depends on the packed factor alone, the one before costs one column's worth of work.
//!
//! A panel holds `width` columns of `b`: first the negated last sum, then `k` rows, padded to an even number. Missing
//! columns are zero.

use std::ops::Range;

use ptc_kernels::Packed;
use ptc_kernels::aligned::Aligned;
use ptc_kernels::blocks::{Output, over_rectangles};
use ptc_plan::kernel::Word;

use crate::host::Host;
use crate::{Compiler, LlvmError};

mod pack;
mod tile;

use pack::RingWord;

/// Both words' tiles.
pub struct Products {
    word64: Tiles,
    word32: Tiles,
}

/// The compiled tiles of one word: `tiles[r - 1]` multiplies `r` rows with a panel.
struct Tiles {
    width: usize,
    tiles: Vec<Tile>,
}

/// `(a, row_words, panel, pairs, row_sums, out, out_row_words, prefetch)`; see [`tile`].
type Tile = unsafe extern "C" fn(*const u8, u64, *const u8, u64, *const u8, *mut u64, u64, *const u8);

impl Products {
    pub fn new(compiler: &Compiler) -> Result<Products, LlvmError> {
        Ok(Products { word64: Tiles::new(compiler, Word::W64)?, word32: Tiles::new(compiler, Word::W32)? })
    }

    fn tiles(&self, word: Word) -> &Tiles {
        match word {
            Word::W64 => &self.word64,
            Word::W32 => &self.word32,
        }
    }

    pub fn pack(&self, word: Word, k: usize, n: usize, b: &[u64]) -> Packed {
        pack::pack(word, k, n, b, self.tiles(word).width)
    }

    pub fn product(&self, a: &[u64], m: usize, b: &Packed, out: &mut [u64]) {
        let tiles = self.tiles(b.word);
        b.check(pack::layout(tiles.width), a, m, out);
        match b.word {
            Word::W64 if b.k.is_multiple_of(2) => tiles.product(a, m, b, b.panels.words(), out),
            Word::W64 => tiles.product(pack::even_rows(a, b.k).words(), m, b, b.panels.words(), out),
            Word::W32 => {
                tiles.product(&pack::narrow_rows(a, b.k).halves()[..m * pack::even(b.k)], m, b, b.panels.halves(), out)
            }
        }
    }
}

/// The tile's rows and vectors of columns. With `v` vectors, a tile holds `rows · v` sums, `2 · v` vectors of `b`, two
/// of `a` and two on the way.
fn tile_shape(host: &Host) -> (usize, usize) {
    match host.registers {
        32.. => (4, 4),
        _ => (2, 2),
    }
}

impl Tiles {
    fn new(compiler: &Compiler, word: Word) -> Result<Tiles, LlvmError> {
        let (rows, vectors) = tile_shape(&compiler.host);
        let bits = match word {
            Word::W64 => 64,
            Word::W32 => 32,
        };
        let lanes = compiler.host.vector_bits / bits;
        let symbols: Vec<String> = (1..=rows).map(|row| format!("product{bits}_{row}")).collect();
        let functions: String =
            symbols.iter().zip(1..).map(|(symbol, row)| tile::text(symbol, bits, row, lanes, vectors)).collect();
        let addresses = compiler.load(&functions, &symbols)?;
        // SAFETY: `tile::text` defines each symbol with the arguments of `Tile`; the code outlives `Tiles`, because
        // `Llvm` holds both and drops the code last.
        let tile = |address: u64| unsafe { std::mem::transmute::<*const (), Tile>(address as *const ()) };
        Ok(Tiles { width: lanes * vectors, tiles: addresses.into_iter().map(tile).collect() })
    }

    /// `a` has rows of even length, `panels` the order of [`pack`].
    fn product<T: RingWord>(&self, a: &[T], m: usize, b: &Packed, panels: &[T], out: &mut [u64]) {
        let (k, n, width) = (pack::even(b.k), b.n, self.width);
        if k == 0 {
            return out.fill(0);
        }
        let panel_words = pack::panel_words(b.k, width);
        let row_sums = pack::negated_row_sums(a, k);
        let left = Left { a, k, row_sums: T::of(&row_sums) };
        assert_eq!([a.len(), out.len()], [m * k, m * n], "words of a product");
        let output = Output::new(out);
        over_rectangles(m, self.tiles.len(), n.div_ceil(width), m * k * n, |rows, columns| {
            // Where the last panel is not full, its tiles go here first.
            let full = n.is_multiple_of(width);
            let mut edge = Aligned::zeros(if full { 0 } else { self.tiles.len() * width });
            for at in columns {
                let (panel, next) = panels[at * panel_words..].split_at(panel_words);
                let start = at * width;
                for (tile, first) in rows.clone().step_by(self.tiles.len()).enumerate() {
                    let rows = first..rows.end.min(first + self.tiles.len());
                    // Each tile fetches as much of the next panel as it reads steps of this one.
                    let ahead = next.as_ptr().wrapping_byte_add(tile * k / 2 * CACHE_LINE);
                    if start + width <= n {
                        let target = output.pointer().wrapping_add(first * n + start);
                        // SAFETY: `rows` of `width` words, `n` apart, lie in `out`; rectangles are disjoint.
                        unsafe { self.multiply(&left, rows, panel, target, n, ahead) };
                        continue;
                    }
                    // SAFETY: `edge` has as many rows of `width` words as the largest tile.
                    unsafe { self.multiply(&left, rows.clone(), panel, edge.words_mut().as_mut_ptr(), width, ahead) };
                    for (row, words) in rows.zip(edge.words().chunks_exact(width)) {
                        // SAFETY: inside this call's rectangle.
                        let target = unsafe { output.part(row * n + start..(row + 1) * n) };
                        target.copy_from_slice(&words[..n - start]);
                    }
                }
            }
        });
    }

    /// One tile: `rows` of the left factor with one panel.
    ///
    /// # Safety
    /// From `target` on, `rows.len()` rows of `self.width` words, `stride` apart, are this call's to write.
    unsafe fn multiply<T: RingWord>(
        &self,
        left: &Left<T>,
        rows: Range<usize>,
        panel: &[T],
        target: *mut u64,
        stride: usize,
        ahead: *const T,
    ) {
        let (k, height) = (left.k, rows.len());
        let (a, row_sums) = (&left.a[rows.start * k..rows.end * k], &left.row_sums[rows]);
        assert_eq!(panel.len(), (k + 1) * self.width, "words of a panel");
        // SAFETY: the tile for `height` rows reads the `height` rows of `a`, their sums, and a panel of `k / 2` pairs of
        // rows behind its row of sums, all just cut to these lengths; it writes what the caller grants. A prefetch of
        // any address is harmless.
        unsafe {
            self.tiles[height - 1](
                a.as_ptr().cast(),
                k as u64,
                panel.as_ptr().cast(),
                k as u64 / 2,
                row_sums.as_ptr().cast(),
                target,
                stride as u64,
                ahead.cast(),
            );
        }
    }
}

/// What a step of a tile fetches ahead.
const CACHE_LINE: usize = 64;

/// The left factor, in rows of even length `k`.
struct Left<'a, T> {
    a: &'a [T],
    k: usize,
    row_sums: &'a [T],
}
