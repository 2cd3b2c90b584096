//! One correction: what makes both parties' uniform parts the promised correlation.
//!
//! The server's part of every product comes from its seed; the client's is the product less that, and this is sent.

use ptc_correlation::assemble::Piece;
use ptc_correlation::carry::carry_layout;
use ptc_correlation::{Packed, Planes};
use ptc_kernels::Backend;
use ptc_kernels::batched::{self, Shape};
use ptc_plan::bill::{Correlation, leaf_products};
use ptc_plan::kernel::Word;
use ptc_ring::blocks::{BLOCK, map_blocks, pack_blocks};

use crate::factors::Factors;

/// `server` and `client` are the parties' uniform parts.
pub fn correction(
    correlation: &Correlation,
    server: Vec<Piece>,
    client: Vec<Piece>,
    masks: &Factors,
    backend: &dyn Backend,
) -> Vec<u8> {
    let (mut server, mut client) = (Pieces(server.into_iter()), Pieces(client.into_iter()));
    let mut out = Vec::with_capacity(correlation.correction_bytes() as usize);
    match *correlation {
        Correlation::StaticMatMul { .. } | Correlation::StaticMul { .. } => {
            let product = masks.product(backend, correlation, &client.ring().unpack().data);
            put(&mut out, server.ring(), given(&product));
        }
        Correlation::CrossMatMul { rows, inner, columns, bits } => {
            let factor = backend.pack(Word::for_ring(bits), inner, columns, &client.ring().unpack().data);
            let mut product = vec![0; rows * columns];
            backend.product(&server.ring().unpack().data, rows, &factor, &mut product);
            put(&mut out, server.ring(), given(&product));
        }
        Correlation::CrossMul { .. } => {
            let (mut product, b) = (server.ring().unpack(), client.ring().unpack());
            product.data.iter_mut().zip(b.data.iter().cycle()).for_each(|(a, b)| *a = a.wrapping_mul(*b));
            put(&mut out, server.ring(), given(&product.data));
        }
        Correlation::MatMul { batch, rows, inner, columns, transpose_b, bits } => {
            let (a, b) = (Sum::next(&mut server, &mut client), Sum::next(&mut server, &mut client));
            let shape = Shape { batch, m: rows, k: inner, n: columns, transpose_b };
            let product = batched::product(backend, Word::for_ring(bits), shape, &a.unpack(), &b.unpack());
            put(&mut out, server.ring(), given(&product));
        }
        Correlation::Mul { each: 1, .. } => {
            let (a, b) = (Sum::next(&mut server, &mut client), Sum::next(&mut server, &mut client));
            put(&mut out, server.ring(), |first, block| product(&a, &b, first, block));
        }
        Correlation::Mul { each, .. } => {
            let (a, b) = (Sum::next(&mut server, &mut client), Sum::next(&mut server, &mut client).unpack());
            put(&mut out, server.ring(), |first, block| {
                a.read(first, block);
                block.iter_mut().enumerate().for_each(|(i, a)| *a = a.wrapping_mul(b[(first + i) / each]));
            });
        }
        Correlation::Square { .. } => {
            let a = Sum::next(&mut server, &mut client);
            put(&mut out, server.ring(), |first, block| {
                a.read(first, block);
                block.iter_mut().for_each(|a| *a = a.wrapping_mul(*a));
            });
        }
        Correlation::Wrap { .. } => {
            let (r0, r1) = (server.planes(), client.planes());
            let products: Vec<u64> = r0.words().iter().zip(r1.words()).map(|(a, b)| a & b).collect();
            put(&mut out, server.ring(), |first, block| spread(&products, first, block));
        }
        Correlation::Compare { bits, .. } => {
            put_planes(&mut out, server.planes(), client.planes(), &mut server, |a, b| comparison(bits, a, b));
        }
        Correlation::And { .. } => {
            put_planes(&mut out, server.planes(), client.planes(), &mut server, |a, b| {
                let factor = |at: usize| a.plane(at).iter().zip(b.plane(at)).map(|(a, b)| a ^ b);
                factor(0).zip(factor(1)).map(|(a, b)| a & b).collect()
            });
        }
        Correlation::BitToShare { .. } => {
            let rho = exclusive_or(&server.planes(), &client.planes());
            put(&mut out, server.ring(), |first, block| spread(&rho, first, block));
        }
        Correlation::Gate { .. } => {
            let rho = exclusive_or(&server.planes(), &client.planes());
            let a = Sum::next(&mut server, &mut client);
            put(&mut out, server.ring(), |first, block| spread(&rho, first, block));
            put(&mut out, server.ring(), |first, block| {
                let mut bits = [0; BLOCK];
                spread(&rho, first, &mut bits[..block.len()]);
                a.read(first, block);
                block.iter_mut().zip(&bits).for_each(|(a, rho)| *a = a.wrapping_mul(*rho));
            });
        }
        Correlation::Table { ref values, .. } => {
            let rotation = Sum::next(&mut server, &mut client).unpack();
            for table in values {
                put_rotated(&mut out, server.ring(), table, &rotation);
            }
        }
    }
    out
}

/// A party's parts, taken in order.
struct Pieces(std::vec::IntoIter<Piece>);

impl Pieces {
    fn ring(&mut self) -> Packed {
        match self.0.next() {
            Some(Piece::Ring(packed)) => packed,
            _ => panic!("a party draws ring elements here"),
        }
    }

    fn planes(&mut self) -> Planes {
        match self.0.next() {
            Some(Piece::Planes(planes)) => planes,
            _ => panic!("a party draws planes here"),
        }
    }
}

/// A value of which both parties drew additive shares. What is read is not reduced.
struct Sum {
    server: Packed,
    client: Packed,
}

impl Sum {
    fn next(server: &mut Pieces, client: &mut Pieces) -> Sum {
        Sum { server: server.ring(), client: client.ring() }
    }

    fn read(&self, first: usize, block: &mut [u64]) {
        let mut other = [0; BLOCK];
        let other = &mut other[..block.len()];
        self.server.read(first, block);
        self.client.read(first, other);
        block.iter_mut().zip(other).for_each(|(a, b)| *a = a.wrapping_add(*b));
    }

    fn unpack(&self) -> Vec<u64> {
        map_blocks::<0>(self.server.len(), |first, block, _| self.read(first, block))
    }
}

/// Appends the client's share of what `value(first, block)` yields: the server has `share`.
fn put(out: &mut Vec<u8>, share: Packed, value: impl Fn(usize, &mut [u64]) + Sync) {
    pack_blocks::<1>(share.bits(), share.len(), out, |first, block, [own]| {
        let own = &mut own[..block.len()];
        share.read(first, own);
        value(first, block);
        block.iter_mut().zip(own).for_each(|(value, own)| *value = value.wrapping_sub(*own));
    });
}

fn given(value: &[u64]) -> impl Fn(usize, &mut [u64]) + Sync {
    |first, block| block.copy_from_slice(&value[first..][..block.len()])
}

fn product(a: &Sum, b: &Sum, first: usize, block: &mut [u64]) {
    let mut factor = [0; BLOCK];
    let factor = &mut factor[..block.len()];
    a.read(first, block);
    b.read(first, factor);
    block.iter_mut().zip(factor).for_each(|(a, b)| *a = a.wrapping_mul(*b));
}

/// A word of 0 or 1 for each bit of a plane, from bit `first` on.
fn spread(plane: &[u64], first: usize, block: &mut [u64]) {
    for (chunk, word) in block.chunks_mut(64).zip(&plane[first / 64..]) {
        chunk.iter_mut().enumerate().for_each(|(at, value)| *value = word >> at & 1);
    }
}

/// For each element the table with entry `j` at `j + rotation`, modulo its length, which is a power of two.
fn put_rotated(out: &mut Vec<u8>, share: Packed, table: &[u64], rotation: &[u64]) {
    let entries = table.len();
    assert_eq!(share.len(), entries * rotation.len(), "a table for each element");
    let twice = [table, table].concat();
    put(out, share, |first, block| {
        let mut at = 0;
        while at < block.len() {
            // The sum of shares of a rotation is not reduced.
            let (element, entry) = ((first + at) / entries, (first + at) % entries);
            let from = entry.wrapping_sub(rotation[element] as usize) % entries;
            let end = block.len().min(at + entries - entry);
            block[at..end].copy_from_slice(&twice[from..][..end - at]);
            at = end;
        }
    });
}

/// The bits of which both planes are shares.
fn exclusive_or(a: &Planes, b: &Planes) -> Vec<u64> {
    a.words().iter().zip(b.words()).map(|(a, b)| a ^ b).collect()
}

/// Appends the client's share of products of both parties' planes: the server's is its next part.
fn put_planes(
    out: &mut Vec<u8>,
    a: Planes,
    b: Planes,
    server: &mut Pieces,
    products: impl FnOnce(&Planes, &Planes) -> Vec<u64>,
) {
    let (products, share) = (products(&a, &b), server.planes());
    assert_eq!(products.len(), share.words().len(), "words of products");
    out.extend(products.iter().zip(share.words()).flat_map(|(word, share)| (word ^ share).to_le_bytes()));
}

/// The products that [`ptc_correlation::types::Comparison`] promises, of both parties' masks.
fn comparison(bits: u32, alpha: &Planes, beta: &Planes) -> Vec<u64> {
    let low = bits as usize - 1;
    if low == 0 {
        return vec![];
    }
    let stride = alpha.plane(0).len();
    let levels = carry_layout(bits);
    let mut words =
        Vec::with_capacity((leaf_products(bits) + 2 * levels.iter().map(|l| l.pairs).sum::<usize>()) * stride);
    let (a, b) = (|at: usize| alpha.plane(at), |at: usize| beta.plane(at));
    let mut and = |factors: &[&[u64]]| {
        words.extend((0..stride).map(|i| factors.iter().fold(u64::MAX, |product, factor| product & factor[i])));
    };
    for at in (0..low).step_by(2) {
        if at + 1 == low {
            and(&[a(at), b(at)]);
            continue;
        }
        let (a0, a1, b0, b1) = (a(at), a(at + 1), b(at), b(at + 1));
        for factors in [&[a1, b1][..], &[a0, b0], &[a1, b0], &[a0, b1], &[a1, a0, b0], &[a0, b1, b0]] {
            and(factors);
        }
    }
    let shared = |at: usize| -> Vec<u64> { a(at).iter().zip(b(at)).map(|(a, b)| a ^ b).collect() };
    for level in levels {
        let mut next = level.first_mask;
        for pair in 0..level.pairs {
            let (a, b) = (shared(next), shared(next + 1));
            and(&[&a, &b]);
            next += 2;
            if pair > 0 {
                and(&[&a, &shared(next)]);
                next += 1;
            }
        }
    }
    words
}
