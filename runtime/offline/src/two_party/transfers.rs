//! Random transfers as they are used: strings of the sender, choices and chosen strings of the receiver.
//!
//! Correlated transfers become random ones where they are used, a block at a time: a string is the hash of a transfer
//! under a tweak that comes once in a session and direction. The tweak's high half is the number of the piece that uses
//! the transfer, its low half the transfer's place in it.

use std::sync::Arc;

use ptc_ot::block::{Block, Blocks};
use ptc_ot::hash;
use ptc_ring::BitShare;
use ptc_ring::planes::to_planes;
use ptc_ring::tensor::{clear_tail, wipe};

use super::made::Words;

/// Transfers, or elements, that are worked on at a time: their strings stay in the first cache.
pub const BLOCK: usize = 512;

/// Set in the tweaks of strings that are made longer, and of leaves of trees: they count more than transfers.
const LONG: Block = 1 << 62;
const LEAVES: Block = 1 << 63;

/// The sender's side of some transfers.
#[derive(Clone)]
pub struct Sent {
    pads: Arc<Blocks>,
    /// The string of a choice of one is the hash of the pad plus this.
    delta: Block,
    first: usize,
    count: usize,
    tweak: Block,
}

/// The receiver's side.
#[derive(Clone)]
pub struct Received {
    pads: Arc<Blocks>,
    choices: Arc<BitShare>,
    first: usize,
    count: usize,
    tweak: Block,
}

/// Both directions, as one party has them for one piece.
pub struct Transfers {
    pub sent: Sent,
    pub received: Received,
}

impl Sent {
    /// `count` of `pads`, from `first` on; `piece` comes once in a session and direction.
    pub fn new(pads: Arc<Blocks>, delta: Block, first: usize, count: usize, piece: u64) -> Sent {
        assert!(first + count <= pads.len(), "as many transfers as there are");
        Sent { pads, delta, first, count, tweak: Block::from(piece) << 64 }
    }

    /// The next `count` transfers, for a use of their own.
    pub fn take(&mut self, count: usize) -> Sent {
        let rest = self.count.checked_sub(count).expect("as many transfers as the plan says");
        let taken = Sent { count, ..self.clone() };
        (self.first, self.count, self.tweak) = (self.first + count, rest, self.tweak + count as Block);
        taken
    }

    pub fn delta(&self) -> Block {
        self.delta
    }

    /// Before hashing.
    pub fn pads(&self) -> &[Block] {
        &self.pads[self.first..][..self.count]
    }

    /// The first tweak of the leaves of trees on these transfers.
    pub fn leaf_tweak(&self) -> Block {
        self.tweak + LEAVES
    }

    /// Both strings of the transfers from `at` on.
    pub fn strings(&self, at: usize, [zeros, ones]: [&mut [Block]; 2]) {
        let (pads, tweak) = (&self.pads()[at..][..zeros.len()], self.tweak + at as Block);
        hash::tweaked(pads, tweak, zeros);
        hash::tweaked_shifted(pads, self.delta, tweak, ones);
    }
}

impl Received {
    /// `count` of `pads`, from `first` on, with a choice bit for each pad.
    pub fn new(pads: Arc<Blocks>, choices: Arc<BitShare>, first: usize, count: usize, piece: u64) -> Received {
        assert!(first + count <= pads.len(), "as many transfers as there are");
        assert!(choices.len() >= pads.len(), "a choice for each transfer");
        Received { pads, choices, first, count, tweak: Block::from(piece) << 64 }
    }

    pub fn take(&mut self, count: usize) -> Received {
        let rest = self.count.checked_sub(count).expect("as many transfers as the plan says");
        let taken = Received { count, ..self.clone() };
        (self.first, self.count, self.tweak) = (self.first + count, rest, self.tweak + count as Block);
        taken
    }

    pub fn pads(&self) -> &[Block] {
        &self.pads[self.first..][..self.count]
    }

    /// The first tweak of the leaves of trees on these transfers.
    pub fn leaf_tweak(&self) -> Block {
        self.tweak + LEAVES
    }

    /// The chosen strings of the transfers from `at` on.
    pub fn strings(&self, at: usize, out: &mut [Block]) {
        hash::tweaked(&self.pads()[at..][..out.len()], self.tweak + at as Block, out);
    }

    /// The choices of 64 transfers from `at` on; beyond the last one the bits are arbitrary.
    pub fn choices(&self, at: usize) -> u64 {
        window(&self.choices.words, self.first + at)
    }

    /// Planes of choices: `count` transfers each, from the first on. Bits beyond `count` are zero: they are choices of other
    /// transfers, and planes are opened by whole words.
    pub fn choice_planes(&self, planes: usize, count: usize) -> Words {
        let mut out = Words::with_capacity(planes * count.div_ceil(64));
        for plane in 0..planes {
            let start = out.len();
            out.extend((0..count.div_ceil(64)).map(|word| self.choices(plane * count + word * 64)));
            clear_tail(&mut out[start..], count);
        }
        out
    }
}

/// 64 bits of packed words from bit `at` on.
pub fn window(words: &[u64], at: usize) -> u64 {
    let (word, bit) = (at / 64, at % 64);
    let part = |word: usize| words.get(word).copied().unwrap_or(0);
    part(word) >> bit | part(word + 1) << 1 << (63 - bit)
}

/// Room for the strings of a block.
pub struct Room([Blocks; 2]);

impl Room {
    pub fn new() -> Room {
        Room([(); 2].map(|()| Blocks::zeros(BLOCK)))
    }

    /// Both strings of `count` transfers from `at` on, at most a block.
    pub fn both(&mut self, sent: &Sent, at: usize, count: usize) -> [&[Block]; 2] {
        let [a, b] = &mut self.0;
        let (a, b) = (&mut a[..count], &mut b[..count]);
        sent.strings(at, [&mut *a, &mut *b]);
        [a, b]
    }

    /// The chosen strings.
    pub fn chosen(&mut self, received: &Received, at: usize, count: usize) -> &[Block] {
        let blocks = &mut self.0[0][..count];
        received.strings(at, blocks);
        blocks
    }

    fn fit(&mut self, blocks: usize) {
        if self.0[0].len() < blocks {
            self.0 = [(); 2].map(|()| Blocks::zeros(blocks));
        }
    }
}

/// How many elements share the bits of one hash: strings that are made longer are cut into elements of 32 or 64 bits.
fn elements_of_a_block(bits: u32) -> usize {
    if bits <= 32 { 4 } else { 2 }
}

impl Sent {
    /// Strings of the transfers from `at` on as ring elements, `each` of a transfer; not reduced.
    pub fn elements(&self, at: usize, each: usize, bits: u32, room: &mut Room, [zeros, ones]: [&mut [u64]; 2]) {
        assert_eq!(zeros.len(), ones.len(), "elements of both strings");
        if each == 1 {
            room.fit(zeros.len());
            let [a, b] = &mut room.0;
            let (a, b) = (&mut a[..zeros.len()], &mut b[..zeros.len()]);
            self.strings(at, [a, b]);
            zeros.iter_mut().zip(&*a).for_each(|(out, block)| *out = *block as u64);
            ones.iter_mut().zip(&*b).for_each(|(out, block)| *out = *block as u64);
            return;
        }
        let transfers = zeros.len() / each.max(1);
        let pads = &self.pads()[at..][..transfers];
        longer(pads, 0, self.tweak, at, each, bits, room, zeros);
        longer(pads, self.delta, self.tweak, at, each, bits, room, ones);
    }
}

impl Received {
    pub fn elements(&self, at: usize, each: usize, bits: u32, room: &mut Room, out: &mut [u64]) {
        if each == 1 {
            room.fit(out.len());
            let blocks = &mut room.0[0][..out.len()];
            self.strings(at, blocks);
            out.iter_mut().zip(&*blocks).for_each(|(out, block)| *out = *block as u64);
            return;
        }
        let pads = &self.pads()[at..][..out.len() / each.max(1)];
        longer(pads, 0, self.tweak, at, each, bits, room, out);
    }
}

fn longer(
    pads: &[Block],
    delta: Block,
    tweak: Block,
    at: usize,
    each: usize,
    bits: u32,
    room: &mut Room,
    out: &mut [u64],
) {
    let split = elements_of_a_block(bits);
    let blocks = each.div_ceil(split);
    room.fit((pads.len() * blocks).max(pads.len()));
    let [shifted, hashed] = &mut room.0;
    let (shifted, hashed) = (&mut shifted[..pads.len()], &mut hashed[..pads.len() * blocks]);
    shifted.iter_mut().zip(pads).for_each(|(out, pad)| *out = pad ^ delta);
    hash::expand(shifted, blocks, tweak + LONG + (at * blocks) as Block, hashed);
    for (out, hashed) in out.chunks_mut(each.max(1)).zip(hashed.chunks(blocks.max(1))) {
        for (out, block) in out.chunks_mut(split).zip(hashed) {
            let width = 128 / split;
            out.iter_mut().enumerate().for_each(|(part, out)| *out = (block >> (part * width)) as u64);
        }
    }
}

/// The low bits of strings, in planes.
impl Sent {
    /// `planes` planes of the zero string's bits, then of the other's, for `count` transfers from `at` on.
    pub fn planes(&self, at: usize, count: usize, planes: usize, room: &mut Room) -> [Words; 2] {
        assert!(planes <= 32, "{planes} bits of both strings in a word");
        room.fit(BLOCK);
        let [a, b] = &mut room.0;
        let all = cut_planes(count, 2 * planes, |first, words| {
            let (a, b) = (&mut a[..words.len()], &mut b[..words.len()]);
            self.strings(at + first, [a, b]);
            let pairs = a.iter().zip(&*b);
            words.iter_mut().zip(pairs).for_each(|(word, (a, b))| {
                let low = (1 << planes) - 1;
                *word = *a as u64 & low | (*b as u64 & low) << planes;
            });
        });
        let (zeros, ones) = all.split_at(planes * count.div_ceil(64));
        [zeros, ones].map(|words| Words::new(words.to_vec()))
    }
}

impl Received {
    /// The same of the chosen strings.
    pub fn planes(&self, at: usize, count: usize, planes: usize, room: &mut Room) -> Words {
        room.fit(BLOCK);
        let blocks = &mut room.0[0];
        cut_planes(count, planes, |first, words| {
            let blocks = &mut blocks[..words.len()];
            self.strings(at + first, blocks);
            words.iter_mut().zip(&*blocks).for_each(|(word, block)| *word = *block as u64);
        })
    }
}

/// Planes of what `fill` yields for elements from `first` on, a block at a time.
fn cut_planes(count: usize, planes: usize, mut fill: impl FnMut(usize, &mut [u64])) -> Words {
    let stride = count.div_ceil(64);
    let mut out = Words::new(vec![0; planes * stride]);
    let mut words = [0; BLOCK];
    for first in (0..count).step_by(BLOCK) {
        let words = &mut words[..BLOCK.min(count - first)];
        fill(first, words);
        let block = Words::new(to_planes(words, planes));
        let width = words.len().div_ceil(64);
        for plane in 0..planes {
            out[plane * stride + first / 64..][..width].copy_from_slice(&block[plane * width..][..width]);
        }
    }
    wipe(&mut words);
    out
}
