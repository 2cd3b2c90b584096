//! The dealer's side: from both parties' seeds to the client's corrections. A pure function of plan, seeds and weight masks.

use ptc_correlation::Planes;
use ptc_correlation::assemble::Piece;
use ptc_correlation::carry::carry_layout;
use ptc_kernels::Backend;
use ptc_kernels::batched::{self, Shape};
use ptc_net::PeerError;
use ptc_plan::Plan;
use ptc_plan::bill::{Correlation, bill, leaf_products, power_table};
use ptc_plan::kernel::Word;
use ptc_plan::step::Party;
use ptc_ring::Seed;
use ptc_ring::pack::pack;
use ptc_ring::tensor::{add_assign, subtract_assign};
use rayon::prelude::*;

use crate::factors::Factors;
use crate::seeds::uniform_pieces;
use crate::stream::ChunkWriter;

/// One query's seeds.
pub struct QuerySeeds {
    pub server: Seed,
    pub client: Seed,
}

/// Corrections of this many bytes are computed at a time, in parallel.
const BATCH_BYTES: u64 = 1 << 24;

/// All corrections of a query in the order of the bill, in chunks. `masks` are the weights' masks of the session.
pub fn deal(
    plan: &Plan,
    seeds: &QuerySeeds,
    masks: &Factors,
    backend: &dyn Backend,
    send: impl FnMut(Vec<u8>) -> Result<(), PeerError>,
) -> Result<(), PeerError> {
    let items: Vec<(usize, Correlation)> =
        plan.steps.iter().flat_map(|step| bill(&plan.values, step)).enumerate().collect();
    let mut writer = ChunkWriter::new(send);
    for batch in batches(&items, |(_, correlation)| correlation.correction_bytes()) {
        let one = |(place, correlation): &(usize, Correlation)| {
            let [server, client] = [(&seeds.server, Party::Server), (&seeds.client, Party::Client)]
                .map(|(seed, party)| Pieces(uniform_pieces(seed, *place, correlation, party).into_iter()));
            correction(correlation, server, client, masks, backend)
        };
        let corrections: Vec<Vec<u8>> = batch.par_iter().map(one).collect();
        corrections.iter().try_for_each(|bytes| writer.write(bytes))?;
    }
    writer.finish()
}

/// Neighbours that cost at most `BATCH_BYTES` together, or a single one.
pub(crate) fn batches<T>(items: &[T], bytes: impl Fn(&T) -> u64) -> impl Iterator<Item = &[T]> {
    let mut rest = items;
    std::iter::from_fn(move || {
        let mut sum = 0;
        let fits = rest.iter().take_while(|item| {
            sum += bytes(item);
            sum <= BATCH_BYTES
        });
        let (batch, after) = rest.split_at(fits.count().max(1).min(rest.len()));
        rest = after;
        (!batch.is_empty()).then_some(batch)
    })
}

/// A party's uniform parts, taken in order.
struct Pieces(std::vec::IntoIter<Piece>);

impl Pieces {
    fn ring(&mut self) -> Vec<u64> {
        match self.0.next() {
            Some(Piece::Ring(packed)) => packed.unpack().into_data(),
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

/// The client's correction: what makes both parties' parts the promised correlation.
fn correction(
    correlation: &Correlation,
    mut server: Pieces,
    mut client: Pieces,
    masks: &Factors,
    backend: &dyn Backend,
) -> Vec<u8> {
    let mut out = vec![];
    match *correlation {
        Correlation::StaticMatMul { bits, .. } | Correlation::StaticMul { bits, .. } => {
            let product = masks.product(backend, correlation, &client.ring());
            put(&mut out, product, &mut server, bits);
        }
        Correlation::CrossMatMul { rows, inner, columns, bits } => {
            let factor = backend.pack(Word::for_ring(bits), inner, columns, &client.ring());
            let mut product = vec![0; rows * columns];
            backend.product(&server.ring(), rows, &factor, &mut product);
            put(&mut out, product, &mut server, bits);
        }
        Correlation::CrossMul { bits, .. } => {
            let (a, b) = (server.ring(), client.ring());
            let product = a.iter().zip(b.iter().cycle()).map(|(a, b)| a.wrapping_mul(*b)).collect();
            put(&mut out, product, &mut server, bits);
        }
        Correlation::MatMul { batch, rows, inner, columns, transpose_b, bits } => {
            let (a, b) = (sum(&mut server, &mut client, bits), sum(&mut server, &mut client, bits));
            let shape = Shape { batch, m: rows, k: inner, n: columns, transpose_b };
            put(&mut out, batched::product(backend, Word::for_ring(bits), shape, &a, &b), &mut server, bits);
        }
        Correlation::Mul { each, bits, .. } => {
            let (a, b) = (sum(&mut server, &mut client, bits), sum(&mut server, &mut client, bits));
            let rows = a.chunks(each.max(1)).zip(&b);
            let product = rows.flat_map(|(row, b)| row.iter().map(|a| a.wrapping_mul(*b))).collect();
            put(&mut out, product, &mut server, bits);
        }
        Correlation::Square { bits, .. } => {
            let square = sum(&mut server, &mut client, bits).iter().map(|a| a.wrapping_mul(*a)).collect();
            put(&mut out, square, &mut server, bits);
        }
        Correlation::Wrap { count, bits } => {
            let (r0, r1) = (server.planes(), client.planes());
            let product: Vec<u64> = r0.words().iter().zip(r1.words()).map(|(a, b)| a & b).collect();
            put(&mut out, spread(&product, count), &mut server, bits);
        }
        Correlation::Compare { bits, .. } => {
            let words = comparison(bits, &server.planes(), &client.planes());
            put_planes(&mut out, words, &mut server);
        }
        Correlation::And { .. } => {
            let (a, b) = (server.planes(), client.planes());
            let factor = |at: usize| a.plane(at).iter().zip(b.plane(at)).map(|(a, b)| a ^ b);
            put_planes(&mut out, factor(0).zip(factor(1)).map(|(a, b)| a & b).collect(), &mut server);
        }
        Correlation::BitToShare { count, bits } => {
            put(&mut out, random_bits(&mut server, &mut client, count), &mut server, bits);
        }
        Correlation::Gate { count, bits } => {
            let rho = random_bits(&mut server, &mut client, count);
            let a = sum(&mut server, &mut client, bits);
            let product = rho.iter().zip(&a).map(|(rho, a)| rho * a).collect();
            put(&mut out, rho, &mut server, bits);
            put(&mut out, product, &mut server, bits);
        }
        Correlation::Table { index_bits, ref rings, ref values, .. } => {
            let rotation = sum(&mut server, &mut client, index_bits);
            for (bits, table) in rings.iter().zip(values) {
                put(&mut out, rotated(table, index_bits, &rotation), &mut server, *bits);
            }
        }
        Correlation::Exp2 { exp, .. } => {
            let wide = exp.ring + exp.factor_frac;
            let rotation = sum(&mut server, &mut client, exp.index_bits);
            let factors = product(&server.ring(), &client.ring());
            let (a, b) = (sum(&mut server, &mut client, exp.ring), sum(&mut server, &mut client, exp.ring));
            put(&mut out, rotated(&power_table(exp), exp.index_bits, &rotation), &mut server, exp.ring);
            put(&mut out, factors, &mut server, wide);
            put(&mut out, product(&a, &b), &mut server, exp.ring);
        }
    }
    out
}

/// The client's share of `value`: what the server's next part leaves.
fn put(out: &mut Vec<u8>, mut value: Vec<u64>, server: &mut Pieces, bits: u32) {
    subtract_assign(&mut value, &server.ring(), bits);
    pack(&value, bits, out);
}

fn put_planes(out: &mut Vec<u8>, mut words: Vec<u64>, server: &mut Pieces) {
    let planes = server.planes();
    assert_eq!(words.len(), planes.words().len(), "words of products");
    words.iter_mut().zip(planes.words()).for_each(|(word, share)| *word ^= share);
    out.extend(words.iter().flat_map(|word| word.to_le_bytes()));
}

/// The value of which both parties' next parts are additive shares.
fn sum(server: &mut Pieces, client: &mut Pieces, bits: u32) -> Vec<u64> {
    let mut value = server.ring();
    add_assign(&mut value, &client.ring(), bits);
    value
}

fn product(a: &[u64], b: &[u64]) -> Vec<u64> {
    a.iter().zip(b).map(|(a, b)| a.wrapping_mul(*b)).collect()
}

/// The bits of which both parties' next planes are shares.
fn random_bits(server: &mut Pieces, client: &mut Pieces, count: usize) -> Vec<u64> {
    let (a, b) = (server.planes(), client.planes());
    let words: Vec<u64> = a.words().iter().zip(b.words()).map(|(a, b)| a ^ b).collect();
    spread(&words, count)
}

/// A word of 0 or 1 for each bit of a plane.
fn spread(plane: &[u64], count: usize) -> Vec<u64> {
    let mut values = vec![0; count];
    for (chunk, word) in values.chunks_mut(64).zip(plane) {
        chunk.iter_mut().enumerate().for_each(|(at, value)| *value = word >> at & 1);
    }
    values
}

/// For each element the table with entry `j` at `j + rotation`.
fn rotated(table: &[u64], index_bits: u32, rotation: &[u64]) -> Vec<u64> {
    let entries = 1usize << index_bits;
    assert_eq!(table.len(), entries, "entries of a table");
    let mut all = Vec::with_capacity(entries * rotation.len());
    for turn in rotation {
        let (end, start) = table.split_at(entries - *turn as usize);
        all.extend_from_slice(start);
        all.extend_from_slice(end);
    }
    all
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
