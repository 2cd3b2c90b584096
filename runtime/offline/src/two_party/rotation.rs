//! Tables rotated by a secret.
//!
//! Input: transfers of the server, `index_bits` for each element. Output: [`RotatedTables`]. Security: semi-honest.
//! Message: of the server, the levels of punctured trees ([`ptc_ot::puncture`]), and for each element a vector behind the
//! sum of a tree's leaves, of which the client lacks one. Price: [`ptc_plan::two_party::transfers`].
//!
//! A tree has a leaf for each rotation, expanded to a row `G_x` of as many ring elements as a table has entries. The client
//! lacks the row of its share `r1` of the rotation. The server's vector `b` depends on its own share `r0`; it sends
//! `K = b + sum G_x`. With `rot_x(v)[t] = v[t - x]` the server's share is `-sum rot_x(G_x)`, and the client's
//! `sum rot_x(G_x) + rot_r1(K - sum G_x)`, where its wrong row drops out: shares of `rot_r1(b)`. For one table `b` is the
//! table rotated by `r0`; for several a unit vector, so that the shares are of the unit vector of `r0 + r1` and each rotated
//! table is a public linear map of them.
//!
//! [`RotatedTables`]: ptc_correlation::types::RotatedTables

use ptc_correlation::assemble::Piece as Part;
use ptc_net::PeerError;
use ptc_ot::block::{Block, Blocks};
use ptc_ot::{hash, puncture};
use ptc_plan::step::Party;
use ptc_ring::masks::of_bit;
use ptc_ring::pack::{pack, packed_len, unpack};
use ptc_ring::tensor::reduce_slice;
use ptc_ring::{Prg, Share};

use super::made::{Started, ring};
use super::product::check_length;
use super::transfers::Transfers;

/// Public tables of `2^index_bits` entries, with the ring of each.
pub struct Tables {
    pub index_bits: u32,
    pub rings: Vec<u32>,
    pub values: Vec<Vec<u64>>,
}

impl Tables {
    fn entries(&self) -> usize {
        1 << self.index_bits
    }

    /// The ring of the vectors.
    fn ring(&self) -> u32 {
        self.rings.iter().copied().max().unwrap_or(1)
    }

    /// What the server's share of a rotation adds: see the head of this file.
    fn vector(&self, rotation: u64, out: &mut [u64]) {
        match &self.values[..] {
            [table] => {
                out.copy_from_slice(table);
                rotate(out, rotation, self.index_bits);
            }
            _ => out.iter_mut().enumerate().for_each(|(at, out)| *out = equal(at as u64, rotation)),
        }
    }

    /// Shares of the rotated tables, from those of what the vectors became.
    fn tables(&self, vectors: Share) -> Vec<Share> {
        if let [_] = self.values[..] {
            return vec![vectors];
        }
        let convolve = |(table, bits): (&Vec<u64>, &u32)| {
            let mut out = match *bits {
                ..=32 => convolved::<u32>(table, &vectors.data),
                _ => convolved::<u64>(table, &vectors.data),
            };
            reduce_slice(&mut out, *bits);
            Share { bits: *bits, data: out }
        };
        self.values.iter().zip(&self.rings).map(convolve).collect()
    }

    pub fn message_bytes(&self, count: usize) -> usize {
        puncture::message_bytes(self.index_bits, count) + packed_len(count * self.entries(), self.ring()) as usize
    }
}

/// Parts: the rotation, then each table.
pub fn rotated(party: Party, count: usize, tables: Tables, transfers: Transfers, stream: &mut Prg) -> Started {
    match party {
        Party::Server => {
            let rotation = Share { bits: tables.index_bits, data: stream.ring(tables.index_bits, count) };
            let (vectors, message) = plant(count, &tables, &rotation, &transfers);
            Started::new(message, move |message| {
                check_length(message, 0)?;
                Ok(parts(rotation, tables.tables(vectors)))
            })
        }
        Party::Client => Started::new(vec![], move |message| {
            let (rotation, vectors) = grow(count, &tables, &transfers, message)?;
            Ok(parts(rotation, tables.tables(vectors)))
        }),
    }
}

fn parts(rotation: Share, tables: Vec<Share>) -> Vec<Part> {
    std::iter::once(rotation).chain(tables).map(ring).collect()
}

fn plant(count: usize, tables: &Tables, rotation: &Share, transfers: &Transfers) -> (Share, Vec<u8>) {
    let (depth, entries, bits) = (tables.index_bits, tables.entries(), tables.ring());
    let mut leaves = Blocks::zeros(puncture::leaves_len(depth, count));
    let sent = &transfers.sent;
    let mut message = puncture::plant(depth, sent.pads(), sent.delta(), &mut leaves);
    let (mut shares, sums) = rows(count, depth, bits, &leaves, sent.leaf_tweak());
    let mut vectors = Share::zeros(bits, count * entries);
    for (at, vector) in vectors.data.chunks_mut(entries).enumerate() {
        tables.vector(rotation.data[at], vector);
    }
    vectors.data.iter_mut().zip(&sums.data).for_each(|(vector, sum)| *vector = vector.wrapping_add(*sum));
    pack(&vectors.data, bits, &mut message);
    shares.data.iter_mut().for_each(|share| *share = share.wrapping_neg());
    reduce_slice(&mut shares.data, bits);
    (shares, message)
}

fn grow(count: usize, tables: &Tables, transfers: &Transfers, message: &[u8]) -> Result<(Share, Share), PeerError> {
    let (depth, entries, bits) = (tables.index_bits, tables.entries(), tables.ring());
    check_length(message, tables.message_bytes(count))?;
    let (levels, packed) = message.split_at(puncture::message_bytes(depth, count));
    let mut leaves = Blocks::zeros(puncture::leaves_len(depth, count));
    let received = &transfers.received;
    let choices = received.choice_planes(1, depth as usize * count);
    let positions = puncture::grow(depth, received.pads(), &choices, levels, &mut leaves)?;
    let rotation = Share { bits: depth, data: positions.iter().map(|position| u64::from(*position)).collect() };
    let (mut shares, sums) = rows(count, depth, bits, &leaves, received.leaf_tweak());
    let mut vectors = Share { bits, data: unpack(packed, bits, count * entries).expect("the length was checked") };
    vectors.data.iter_mut().zip(&sums.data).for_each(|(vector, sum)| *vector = vector.wrapping_sub(*sum));
    for (at, vector) in vectors.data.chunks_mut(entries).enumerate() {
        rotate(vector, rotation.data[at], depth);
    }
    shares.data.iter_mut().zip(&vectors.data).for_each(|(share, vector)| *share = share.wrapping_add(*vector));
    reduce_slice(&mut shares.data, bits);
    Ok((rotation, shares))
}

/// Blocks that are expanded at a time.
const EXPANDED: usize = 1024;

/// Entries from which on a row is rotated by its two parts, and not written twice.
const LONG: usize = 128;

/// Of each tree, the sums of its rows, each rotated by its number, and as they are; not reduced.
fn rows(count: usize, depth: u32, bits: u32, leaves: &[Block], tweak: Block) -> (Share, Share) {
    match bits {
        0..=8 => rows_of::<u8>(count, depth, bits, leaves, tweak),
        9..=32 => rows_of::<u32>(count, depth, bits, leaves, tweak),
        _ => rows_of::<u64>(count, depth, bits, leaves, tweak),
    }
}

/// An element of a row before it is reduced.
trait Word: Copy + Default + Into<u64> {
    /// How many fill a block.
    const SPLIT: usize;

    /// The first elements of `blocks`.
    fn unpack(blocks: &[Block], out: &mut [Self]);

    fn low(word: u64) -> Self;

    fn plus(self, other: Self) -> Self;

    fn times(self, other: Self) -> Self;
}

impl Word for u8 {
    const SPLIT: usize = 16;

    #[inline(always)]
    fn unpack(blocks: &[Block], out: &mut [u8]) {
        let (whole, rest) = out.as_chunks_mut();
        whole.iter_mut().zip(blocks).for_each(|(out, block)| *out = block.to_le_bytes());
        if let Some(block) = blocks.get(whole.len()) {
            rest.iter_mut().zip(block.to_le_bytes()).for_each(|(out, byte)| *out = byte);
        }
    }

    #[inline(always)]
    fn low(word: u64) -> u8 {
        word as u8
    }

    #[inline(always)]
    fn plus(self, other: u8) -> u8 {
        self.wrapping_add(other)
    }

    #[inline(always)]
    fn times(self, other: u8) -> u8 {
        self.wrapping_mul(other)
    }
}

impl Word for u32 {
    const SPLIT: usize = 4;

    #[inline(always)]
    fn unpack(blocks: &[Block], out: &mut [u32]) {
        let split = |block: Block| [block as u32, (block >> 32) as u32, (block >> 64) as u32, (block >> 96) as u32];
        let (whole, rest) = out.as_chunks_mut();
        whole.iter_mut().zip(blocks).for_each(|(out, block)| *out = split(*block));
        if let Some(block) = blocks.get(whole.len()) {
            rest.iter_mut().zip(split(*block)).for_each(|(out, word)| *out = word);
        }
    }

    #[inline(always)]
    fn low(word: u64) -> u32 {
        word as u32
    }

    #[inline(always)]
    fn plus(self, other: u32) -> u32 {
        self.wrapping_add(other)
    }

    #[inline(always)]
    fn times(self, other: u32) -> u32 {
        self.wrapping_mul(other)
    }
}

impl Word for u64 {
    const SPLIT: usize = 2;

    #[inline(always)]
    fn unpack(blocks: &[Block], out: &mut [u64]) {
        // An even number of entries fills whole blocks.
        let pairs = out.as_chunks_mut().0.iter_mut().zip(blocks);
        pairs.for_each(|(out, block)| *out = [*block as u64, (block >> 64) as u64]);
    }

    #[inline(always)]
    fn low(word: u64) -> u64 {
        word
    }

    #[inline(always)]
    fn plus(self, other: u64) -> u64 {
        self.wrapping_add(other)
    }

    #[inline(always)]
    fn times(self, other: u64) -> u64 {
        self.wrapping_mul(other)
    }
}

fn rows_of<W: Word>(count: usize, depth: u32, bits: u32, leaves: &[Block], tweak: Block) -> (Share, Share) {
    let entries = 1usize << depth;
    let each = entries.div_ceil(W::SPLIT);
    let (mut rotated, mut plain) = (Share::zeros(bits, count * entries), Share::zeros(bits, count * entries));
    let at_a_time = (EXPANDED / each).clamp(puncture::LANES, puncture::LANES * entries);
    let mut expanded = Blocks::zeros(at_a_time * each);
    let (mut row, mut twice) = (vec![W::default(); entries], Twice::new(entries));
    // Of four trees.
    let mut sums = vec![W::default(); 2 * puncture::LANES * entries];
    let group = puncture::LANES * entries;
    for (at, leaves) in leaves.chunks(group).enumerate() {
        sums.fill(W::default());
        for (part, leaves) in leaves.chunks(at_a_time).enumerate() {
            let expanded = &mut expanded[..leaves.len() * each];
            let first = part * at_a_time;
            hash::expand(leaves, each, tweak + ((at * group + first) * each) as Block, expanded);
            for (i, blocks) in expanded.chunks(each).enumerate() {
                let (leaf, lane) = ((first + i) / puncture::LANES, (first + i) % puncture::LANES);
                W::unpack(blocks, &mut row);
                let (rotated, plain) = sums[2 * lane * entries..][..2 * entries].split_at_mut(entries);
                each_lane(plain, &row, W::plus);
                if entries < LONG {
                    twice.fill(&row);
                    each_lane(rotated, twice.moved(leaf), W::plus);
                } else {
                    let (low, high) = rotated.split_at_mut(leaf);
                    each_lane(low, &row[entries - leaf..], W::plus);
                    each_lane(high, &row[..entries - leaf], W::plus);
                }
            }
        }
        for (lane, sums) in sums.chunks(2 * entries).enumerate() {
            let tree = at * puncture::LANES + lane;
            if tree < count {
                let put = |out: &mut Share, from: &[W]| {
                    out.data[tree * entries..][..entries].iter_mut().zip(from).for_each(|(out, x)| *out = (*x).into());
                };
                put(&mut rotated, &sums[..entries]);
                put(&mut plain, &sums[entries..]);
            }
        }
    }
    wipe_words(&mut row);
    wipe_words(&mut sums);
    (rotated, plain)
}

/// The sum of every vector's rotations, rotation `x` times entry `x` of the table.
fn convolved<W: Word>(table: &[u64], vectors: &[u64]) -> Vec<u64> {
    let entries = table.len();
    let (mut twice, mut sum) = (Twice::new(entries), vec![W::default(); entries]);
    let mut vector = vec![W::default(); entries];
    let mut out = vec![0; vectors.len()];
    for (out, from) in out.chunks_mut(entries).zip(vectors.chunks(entries)) {
        vector.iter_mut().zip(from).for_each(|(word, from)| *word = W::low(*from));
        twice.fill(&vector);
        sum.fill(W::default());
        for (x, entry) in table.iter().enumerate() {
            let entry = W::low(*entry);
            each_lane(&mut sum, twice.moved(x), |sum, v| sum.plus(entry.times(v)));
        }
        out.iter_mut().zip(&sum).for_each(|(out, sum)| *out = (*sum).into());
    }
    wipe_words(&mut vector);
    wipe_words(&mut sum);
    out
}

/// A vector two times in a row, from which all of its rotations are read.
struct Twice<W: Word>(Vec<W>);

impl<W: Word> Twice<W> {
    fn new(entries: usize) -> Twice<W> {
        Twice(vec![W::default(); 2 * entries])
    }

    fn fill(&mut self, vector: &[W]) {
        let (first, second) = self.0.split_at_mut(vector.len());
        each_lane(first, vector, |_, x| x);
        each_lane(second, vector, |_, x| x);
    }

    /// Entry `t` at `t + by`, for a public `by`.
    fn moved(&self, by: usize) -> &[W] {
        let entries = self.0.len() / 2;
        &self.0[entries - by..][..entries]
    }
}

impl<W: Word> Drop for Twice<W> {
    fn drop(&mut self) {
        wipe_words(&mut self.0);
    }
}

/// Whole registers first, of bytes and of wider words: vectors are too short for loops that the compiler unrolls.
#[inline(always)]
fn each_lane<W: Word>(out: &mut [W], from: &[W], with: impl Fn(W, W) -> W) {
    let whole = out.len() - out.len() % 32;
    let ((wide, out), (wide_from, from)) = (out.split_at_mut(whole), from.split_at(whole));
    each_register::<32, W>(wide, wide_from, &with);
    each_register::<8, W>(out, from, &with);
}

#[inline(always)]
fn each_register<const LANES: usize, W: Word>(out: &mut [W], from: &[W], with: &impl Fn(W, W) -> W) {
    let (whole, rest) = out.as_chunks_mut::<LANES>();
    let (whole_from, rest_from) = from.as_chunks::<LANES>();
    for (out, from) in whole.iter_mut().zip(whole_from) {
        *out = std::array::from_fn(|lane| with(out[lane], from[lane]));
    }
    rest.iter_mut().zip(rest_from).for_each(|(out, from)| *out = with(*out, *from));
}

fn wipe_words<W: Word>(words: &mut [W]) {
    words.fill(W::default());
    std::hint::black_box(words.as_mut_ptr());
}

/// Entry `t` moves to `t + by`, modulo the length. `by` is a secret: every step is taken, and kept by a mask.
fn rotate(vector: &mut [u64], by: u64, index_bits: u32) {
    let entries = vector.len();
    let mut moved = vec![0; entries];
    for bit in 0..index_bits {
        let (step, keep) = (1usize << bit, of_bit(by >> bit));
        moved[step..].copy_from_slice(&vector[..entries - step]);
        moved[..step].copy_from_slice(&vector[entries - step..]);
        vector.iter_mut().zip(&moved).for_each(|(stay, moved)| *stay ^= (*stay ^ moved) & keep);
    }
    ptc_ring::tensor::wipe(&mut moved);
}

/// One if both are equal, without a branch; both are below `2^63`.
fn equal(x: u64, y: u64) -> u64 {
    ((x ^ y).wrapping_sub(1)) >> 63
}
