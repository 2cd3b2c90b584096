//! Punctured trees: vectors of `2^depth` pseudorandom blocks, of which the receiver lacks one.
//!
//! Input: `depth` correlated transfers a tree. Output: `leaves`, the receiver's with `delta` added to the one at its
//! random position; the leaves of a tree sum to `delta`, the receiver's to zero. Security: semi-honest, for a circular
//! correlation robust hash. Reveals: nothing; the message's blocks are sums of nodes that the receiver may know, each under
//! a mask of its own. Price: `16 · (depth - 1)` bytes a tree from the sender.
//!
//! The tree is the correlated GGM tree of Guo, Yang, Wang, Zhang, Xie, Liu, Zhao (Half-tree, EUROCRYPT 2023): a node `x`
//! has the children `H(x)` and `x ^ H(x)`, so that each level sums to `delta`. With `q` and `t = q ^ c·delta` the two sides
//! of a transfer, the sender sends `q ^ L` for `L` the sum of a level's left children; the receiver takes off `t` and has
//! the sum of the children on side `c`, hence the one it lacks there; the other side is where its path goes on. It holds
//! `x ^ delta` for a node `x` of its path. Then the sum that it lacks is the same on both sides, and is added to both
//! children of the path's node: no step depends on where the path is. The first level is the first transfer itself.
//!
//! Used as they are, the leaves are a sum over `2^depth` correlated transfers with one choice bit set. To use them as
//! independent strings, hash them with tweaks: `hash::tweaked_in_place`.
//!
//! Four trees lie side by side, see [`place`]. A leaf's number has the path's first step lowest.

#[cfg(target_arch = "x86_64")]
mod vector;

use ptc_net::PeerError;
use rayon::prelude::*;
use zeroize::Zeroizing;

use crate::block::{BLOCK_BYTES, Block, bit, spread};
use crate::hash;

/// Trees side by side.
pub const LANES: usize = 4;

/// Groups of trees that one thread takes at a time while they are small: a tree's first levels have little to do side by
/// side.
const SIDE: usize = 8;

/// Trees of this depth and more are taken a group at a time: a chunk stays in the second cache.
const DEEP: u32 = 9;

/// Blocks that the leaves of `trees` trees take up. The last group may have lanes that belong to no tree.
pub fn leaves_len(depth: u32, trees: usize) -> usize {
    (trees.div_ceil(LANES) * LANES) << depth
}

/// Where leaf `leaf` of tree `tree` lies.
pub fn place(depth: u32, tree: usize, leaf: usize) -> usize {
    ((tree / LANES) << depth | leaf) * LANES + tree % LANES
}

pub fn message_bytes(depth: u32, trees: usize) -> usize {
    BLOCK_BYTES * (depth as usize - 1) * trees
}

/// The sender's part: fills `leaves`, returns the message. `cots` are `depth` for each tree.
pub fn plant(depth: u32, cots: &[Block], delta: Block, leaves: &mut [Block]) -> Vec<u8> {
    check(depth, cots, leaves);
    let chunk = chunk_of(depth);
    let parts = leaves.par_chunks_mut(chunk.leaves).zip(cots.par_chunks(chunk.cots));
    let messages = parts.map(|(leaves, cots)| {
        let cots = Grouped { depth, cots };
        let mut message = vec![0; message_bytes(depth, cots.trees())];
        let (sums, _) = message.as_chunks_mut::<BLOCK_BYTES>();
        for (group, leaves) in leaves.chunks_mut(LANES << depth).enumerate() {
            let first = cots.level(1, group);
            leaves[..LANES].copy_from_slice(&first);
            leaves[LANES..2 * LANES].copy_from_slice(&first.map(|q| q ^ delta));
        }
        grow_chunk(depth, leaves, None, &mut |level, group, sum| {
            let hidden = &mut sums[cots.sums(level, group)];
            let q = &cots.cots[cots.range(level, group)];
            hidden.iter_mut().zip(q).zip(sum).for_each(|((out, q), sum)| *out = (q ^ sum).to_le_bytes());
            [0; LANES]
        });
        message
    });
    messages.collect::<Vec<_>>().concat()
}

/// The receiver's part: fills `leaves`, returns each tree's position, a secret. `choices` are the bits of `cots`.
pub fn grow(
    depth: u32,
    cots: &[Block],
    choices: &[u64],
    message: &[u8],
    leaves: &mut [Block],
) -> Result<Zeroizing<Vec<u32>>, PeerError> {
    let trees = check(depth, cots, leaves);
    assert!(choices.len() >= cots.len().div_ceil(64), "choice bits of {} transfers", cots.len());
    let expected = message_bytes(depth, trees);
    if message.len() != expected {
        return Err(PeerError::WrongLength { expected, found: message.len() });
    }
    let mut positions = Zeroizing::new(vec![0; trees]);
    let chunk = chunk_of(depth);
    let parts = leaves.par_chunks_mut(chunk.leaves).zip(cots.par_chunks(chunk.cots));
    let parts = parts.zip(positions.par_chunks_mut(chunk.trees)).enumerate();
    parts.for_each(|(at, ((leaves, cots), positions))| {
        let first = at * chunk.cots;
        let cots = Grouped { depth, cots };
        let mut grouped = Zeroizing::new(vec![[0; LANES]; positions.len().div_ceil(LANES)]);
        for (group, (leaves, places)) in leaves.chunks_mut(LANES << depth).zip(grouped.iter_mut()).enumerate() {
            let t = cots.level(1, group);
            leaves[..LANES].copy_from_slice(&t);
            leaves[LANES..2 * LANES].copy_from_slice(&t);
            for level in 1..=depth as usize {
                for (lane, cot) in cots.range(level, group).enumerate() {
                    // What the receiver chose it has: the path takes the other side.
                    places[lane] |= (bit(choices, first + cot) ^ 1) << (level - 1);
                }
            }
        }
        positions.iter_mut().zip(grouped.as_flattened()).for_each(|(out, place)| *out = *place as u32);
        let sums = message[message_bytes(depth, at * chunk.trees)..].as_chunks::<BLOCK_BYTES>().0;
        grow_chunk(depth, leaves, Some(&grouped), &mut |level, group, sum| {
            let (hidden, t) = (&sums[cots.sums(level, group)], &cots.cots[cots.range(level, group)]);
            let mut missing = [0; LANES];
            for (((out, hidden), t), sum) in missing.iter_mut().zip(hidden).zip(t).zip(sum) {
                *out = Block::from_le_bytes(*hidden) ^ t ^ sum;
            }
            missing
        });
    });
    Ok(positions)
}

fn check(depth: u32, cots: &[Block], leaves: &[Block]) -> usize {
    assert!((1..=24).contains(&depth), "trees of {depth} levels");
    let trees = cots.len() / depth as usize;
    assert_eq!(cots.len(), trees * depth as usize, "transfers of trees of {depth} levels");
    assert_eq!(leaves.len(), leaves_len(depth, trees), "leaves of {trees} trees of {depth} levels");
    trees
}

struct Chunk {
    trees: usize,
    cots: usize,
    leaves: usize,
}

fn chunk_of(depth: u32) -> Chunk {
    let trees = if depth < DEEP { SIDE * LANES } else { LANES };
    Chunk { trees, cots: trees * depth as usize, leaves: trees << depth }
}

/// Transfers of a chunk: group by group, within a group level by level, within a level tree by tree.
#[derive(Clone, Copy)]
struct Grouped<'a> {
    depth: u32,
    cots: &'a [Block],
}

impl Grouped<'_> {
    /// Those of level `level >= 1`; the last group may have fewer trees than lanes.
    fn range(self, level: usize, group: usize) -> std::ops::Range<usize> {
        let depth = self.depth as usize;
        let start = group * LANES * depth;
        let lanes = LANES.min((self.cots.len() - start) / depth);
        start + (level - 1) * lanes..start + level * lanes
    }

    /// Where the sums of level `level >= 2` are in the message, which lies like the transfers without those of level 1.
    fn sums(self, level: usize, group: usize) -> std::ops::Range<usize> {
        let range = self.range(level, group);
        let start = LANES * group * (self.depth as usize - 1) + (level - 2) * range.len();
        start..start + range.len()
    }

    fn trees(self) -> usize {
        self.cots.len() / self.depth as usize
    }

    fn level(self, level: usize, group: usize) -> [Block; LANES] {
        let cots = &self.cots[self.range(level, group)];
        std::array::from_fn(|lane| cots.get(lane).copied().unwrap_or(0))
    }
}

/// Called with a level, a group and the sums of its left children there; returns what the path's children lack.
type Next<'a> = dyn FnMut(usize, usize, [Block; LANES]) -> [Block; LANES] + 'a;

/// Grows groups of trees whose first level is there. With `positions`, what `next` returns for a level is added to both
/// children of the node of the level above that lies on the path.
fn grow_chunk(depth: u32, leaves: &mut [Block], positions: Option<&[[u64; LANES]]>, next: &mut Next) {
    #[cfg(target_arch = "x86_64")]
    if vector::grow_chunk(depth, leaves, positions, next) {
        return;
    }
    portable::grow_chunk(depth, leaves, positions, next);
}

mod portable {
    use super::*;

    pub fn grow_chunk(depth: u32, leaves: &mut [Block], positions: Option<&[[u64; LANES]]>, next: &mut Next) {
        for (group, nodes) in leaves.chunks_mut(LANES << depth).enumerate() {
            let positions = positions.map(|positions| positions[group]);
            let mut missing = [0; LANES];
            for level in 1..depth as usize {
                let (parents, rest) = nodes.split_at_mut(LANES << level);
                add_missing(parents, level, positions, missing);
                let right = &mut rest[..LANES << level];
                hash::circular(parents, right);
                let mut sum = [0; LANES];
                for (parent, right) in
                    parents.as_chunks_mut::<LANES>().0.iter_mut().zip(right.as_chunks_mut::<LANES>().0)
                {
                    for lane in 0..LANES {
                        let left = right[lane];
                        right[lane] ^= parent[lane];
                        parent[lane] = left;
                        sum[lane] ^= left;
                    }
                }
                missing = next(level + 1, group, sum);
            }
            add_missing(nodes, depth as usize, positions, missing);
        }
    }

    /// Every node is read and written: the position is a secret.
    fn add_missing(nodes: &mut [Block], level: usize, positions: Option<[u64; LANES]>, missing: [Block; LANES]) {
        let Some(positions) = positions else { return };
        let parents = (1 << (level - 1)) - 1;
        for (at, node) in nodes.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            for lane in 0..LANES {
                let differ = (at as u64 ^ positions[lane]) & parents;
                node[lane] ^= missing[lane] & spread(differ.wrapping_sub(1) >> 63);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ptc_ring::Seed;

    /// Transfers as a functionality would make them.
    struct Dealt {
        delta: Block,
        sent: Vec<Block>,
        received: Vec<Block>,
        choices: Vec<u64>,
    }

    fn deal(count: usize, seed: u8) -> Dealt {
        let mut prg = Seed::from_bytes([seed; 32]).stream(0, 0);
        let mut block = || prg.words(2).iter().fold(0, |block, word| block << 64 | *word as Block);
        let delta = block();
        let sent: Vec<Block> = (0..count).map(|_| block()).collect();
        let choices = Seed::from_bytes([seed; 32]).stream(1, 0).words(count.div_ceil(64));
        let received = (0..count).map(|i| sent[i] ^ delta & spread(bit(&choices, i))).collect();
        Dealt { delta, sent, received, choices }
    }

    fn check(depth: u32, trees: usize) {
        let dealt = deal(depth as usize * trees, depth as u8);
        let (mut all, mut punctured) = (vec![0; leaves_len(depth, trees)], vec![0; leaves_len(depth, trees)]);
        let message = plant(depth, &dealt.sent, dealt.delta, &mut all);
        assert_eq!(message.len(), message_bytes(depth, trees), "{trees} trees of depth {depth}");
        let positions = grow(depth, &dealt.received, &dealt.choices, &message, &mut punctured).unwrap();
        assert_eq!(positions.len(), trees);
        let mut seen = std::collections::HashSet::new();
        for tree in 0..trees {
            let mut sum = 0;
            for leaf in 0..1 << depth {
                let at = place(depth, tree, leaf);
                let expected = if leaf == positions[tree] as usize { dealt.delta } else { 0 };
                assert_eq!(all[at] ^ punctured[at], expected, "leaf {leaf} of tree {tree}, depth {depth}");
                assert!(seen.insert(all[at]));
                sum ^= all[at];
            }
            assert_eq!(sum, dealt.delta);
        }
        if trees > 1000 {
            let mean = positions.iter().map(|position| f64::from(*position)).sum::<f64>() / trees as f64;
            let (middle, range) = (f64::from((1 << depth) - 1) / 2.0, f64::from(1u32 << depth));
            // Seven standard deviations of a uniform mean.
            assert!((mean - middle).abs() < 7.0 * range / (12.0 * trees as f64).sqrt(), "mean {mean}");
        }
    }

    #[test]
    fn one_leaf_of_each_tree_differs_by_delta() {
        for depth in 1..=13 {
            for trees in [1, 3, 4, 6, 37] {
                check(depth, trees);
            }
        }
        check(5, 3001);
        check(1, 3001);
    }

    #[test]
    fn a_message_of_another_length_is_refused() {
        let dealt = deal(12, 1);
        let mut leaves = vec![0; leaves_len(4, 3)];
        for len in [0, message_bytes(4, 3) - 1, message_bytes(4, 3) + 16] {
            let refused = grow(4, &dealt.received, &dealt.choices, &vec![0; len], &mut leaves);
            assert!(matches!(refused, Err(PeerError::WrongLength { expected: 144, .. })));
        }
    }

    #[test]
    fn both_bodies_agree() {
        for depth in 1..=10 {
            let groups = 3;
            let mut prg = Seed::from_bytes([7; 32]).stream(depth.into(), 0);
            let nodes: Vec<Block> = prg.words((groups * LANES) << depth).into_iter().map(|x| x as Block * 3).collect();
            let positions: Vec<[u64; LANES]> =
                (0..groups).map(|_| std::array::from_fn(|_| prg.words(1)[0] >> (64 - depth))).collect();
            for positions in [None, Some(&positions[..])] {
                let (mut a, mut b) = (nodes.clone(), nodes.clone());
                let (mut sums_a, mut sums_b) = (std::collections::BTreeMap::new(), std::collections::BTreeMap::new());
                grow_chunk(depth, &mut a, positions, &mut |level, group, sum| {
                    sums_a.insert((group, level), sum);
                    sum.map(|x| x.rotate_left(level as u32))
                });
                portable::grow_chunk(depth, &mut b, positions, &mut |level, group, sum| {
                    sums_b.insert((group, level), sum);
                    sum.map(|x| x.rotate_left(level as u32))
                });
                assert!(a == b && sums_a == sums_b, "depth {depth}");
            }
        }
    }
}
