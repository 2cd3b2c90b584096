//! Trees whose leaves are blocks of noise.
//!
//! Input: the sender's roots and `delta`; from the receiver, whose choices are random, a path. Output: the sender has all
//! leaves `v`, the receiver `w` with `v[i] = w[i]` but at the end of its path, where `v = w ^ delta`. The lowest bit of
//! `v` is zero, that of `w` is one at the end of the path only; `delta`'s is one. Correlation: one correlated transfer a
//! level and tree. Security: semi-honest, of the half-tree's single-point form (Guo, Yang, Wang, Zhang, Xie, Liu, Zhao,
//! EUROCRYPT 2023, section 4.1): a node `x` has the children `H(x)` and `H(x) ^ x`, so that the nodes of a level add up
//! to `delta` and a hash makes two of them. `H` is the circular hash of the node and a public tweak. Price: a block a
//! level and tree.
//!
//! Four trees grow side by side: leaf `i` of tree `l` is block `4·i + l`. The receiver's path is its secret; its body
//! visits every node and selects by masks.

#[cfg(target_arch = "x86_64")]
mod vector;

use crate::block::Block;
use crate::silent::parameters::{DEPTH, LEAVES};

/// Trees side by side.
pub const SIDE: usize = 4;
/// Blocks of the leaves of four trees.
pub const GROUP: usize = SIDE * LEAVES;

/// One block for each tree.
pub type Row = [Block; SIDE];

/// At the sender the sum of the left nodes of each level; at the receiver the sum of those on the side it chose.
pub type Sums = [Row; DEPTH];

/// The sender's leaves, and what the receiver may learn one half of.
pub fn grow(roots: Row, delta: Block, tweak: Block, leaves: &mut [Block; GROUP]) -> Sums {
    let mut sums = [roots; DEPTH];
    leaves[..SIDE].copy_from_slice(&roots);
    leaves[SIDE..2 * SIDE].copy_from_slice(&roots.map(|root| root ^ delta));
    for (level, sum) in sums.iter_mut().enumerate().skip(1) {
        *sum = grow_level(&mut leaves[..2 * SIDE << level], tweak);
    }
    leaves.iter_mut().for_each(|leaf| *leaf &= !1);
    sums
}

/// The receiver's leaves. Bit `l` of a tree's `choices` is its choice at level `l`: the path takes the other side.
pub fn regrow(sums: &Sums, choices: [u64; SIDE], tweak: Block, leaves: &mut [Block; GROUP]) {
    let mut path = Path::start(sums[0], choices);
    leaves[..2 * SIDE].fill(0);
    for level in 1..DEPTH {
        let added = regrow_level(&mut leaves[..2 * SIDE << level], tweak, &path);
        path.descend(level, sums[level], choices, added);
    }
    path.finish();
    seal(leaves, &path);
}

/// How far the receiver's trees are known: all nodes of a level but two. The one on the path stays unknown, the other,
/// its sibling, is not in its place yet.
struct Path {
    hidden: [u64; SIDE],
    sibling: [u64; SIDE],
    value: Row,
    /// Sum of the nodes in their places.
    placed: Row,
}

impl Path {
    /// At the two nodes under the root.
    fn start(sum: Row, choices: [u64; SIDE]) -> Path {
        let chosen = choices.map(|choices| choices & 1);
        Path { hidden: chosen.map(|side| side ^ 1), sibling: chosen, value: sum, placed: [0; SIDE] }
    }

    /// To the children, whose left and right ones add up to `added` without those of the hidden node.
    fn descend(&mut self, level: usize, sum: Row, choices: [u64; SIDE], [left, right]: [Row; 2]) {
        for tree in 0..SIDE {
            let chosen = choices[tree] >> level & 1;
            let known = left[tree] ^ (left[tree] ^ right[tree]) & crate::block::spread(chosen);
            self.value[tree] = sum[tree] ^ known;
            self.placed[tree] = left[tree] ^ right[tree];
            self.sibling[tree] = self.hidden[tree] + (chosen << level);
            self.hidden[tree] += (chosen ^ 1) << level;
        }
    }

    /// The lowest bits as the noise has them; `placed` becomes the value at the end of the path.
    fn finish(&mut self) {
        for (placed, value) in self.placed.iter_mut().zip(&mut self.value) {
            *placed = (*placed ^ *value) | 1;
            *value &= !1;
        }
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        use zeroize::Zeroize;
        self.hidden.zeroize();
        self.sibling.zeroize();
        self.value.zeroize();
        self.placed.zeroize();
    }
}

/// The first half of `nodes` becomes all of them. The sum of the left ones.
fn grow_level(nodes: &mut [Block], tweak: Block) -> Row {
    #[cfg(target_arch = "x86_64")]
    if let Some(sum) = vector::grow_level(nodes, tweak) {
        return sum;
    }
    portable::grow_level(nodes, tweak)
}

/// The first half of `nodes` becomes all of them but the children of the hidden one, which are zero. The sums of the left
/// and the right ones.
fn regrow_level(nodes: &mut [Block], tweak: Block, path: &Path) -> [Row; 2] {
    #[cfg(target_arch = "x86_64")]
    if let Some(sums) = vector::regrow_level(nodes, tweak, path) {
        return sums;
    }
    portable::regrow_level(nodes, tweak, path)
}

/// Puts the last two leaves of each tree in their places and clears the lowest bits.
fn seal(leaves: &mut [Block; GROUP], path: &Path) {
    #[cfg(target_arch = "x86_64")]
    if vector::seal(leaves, path) {
        return;
    }
    portable::seal(leaves, path);
}

mod portable {
    use super::*;
    use crate::hash::circular;

    /// Nodes that are hashed at a time.
    const CHUNK: usize = 16 * SIDE;

    pub fn grow_level(nodes: &mut [Block], tweak: Block) -> Row {
        let (left, right) = nodes.split_at_mut(nodes.len() / 2);
        let mut sum = [0; SIDE];
        for (left, right) in left.chunks_mut(CHUNK).zip(right.chunks_mut(CHUNK)) {
            right.copy_from_slice(left);
            hash(left, tweak);
            for (left, right) in left.as_chunks::<SIDE>().0.iter().zip(right.as_chunks_mut::<SIDE>().0) {
                add(right, left);
                add(&mut sum, left);
            }
        }
        sum
    }

    pub fn regrow_level(nodes: &mut [Block], tweak: Block, path: &Path) -> [Row; 2] {
        let (left, right) = nodes.split_at_mut(nodes.len() / 2);
        let mut sums = [[0; SIDE]; 2];
        let mut at = 0;
        for (left, right) in left.chunks_mut(CHUNK).zip(right.chunks_mut(CHUNK)) {
            for (row, left) in (at..).zip(left.as_chunks_mut::<SIDE>().0) {
                for tree in 0..SIDE {
                    left[tree] = select(row, path.sibling[tree], path.value[tree], left[tree]);
                }
            }
            right.copy_from_slice(left);
            hash(left, tweak);
            for (left, right) in left.as_chunks_mut::<SIDE>().0.iter_mut().zip(right.as_chunks_mut::<SIDE>().0) {
                add(right, left);
                for tree in 0..SIDE {
                    left[tree] = select(at, path.hidden[tree], 0, left[tree]);
                    right[tree] = select(at, path.hidden[tree], 0, right[tree]);
                }
                add(&mut sums[0], left);
                add(&mut sums[1], right);
                at += 1;
            }
        }
        sums
    }

    pub fn seal(leaves: &mut [Block; GROUP], path: &Path) {
        for (row, leaves) in (0..).zip(leaves.as_chunks_mut::<SIDE>().0) {
            for tree in 0..SIDE {
                let leaf = select(row, path.sibling[tree], path.value[tree], leaves[tree] & !1);
                leaves[tree] = select(row, path.hidden[tree], path.placed[tree], leaf);
            }
        }
    }

    fn hash(nodes: &mut [Block], tweak: Block) {
        let mut inner = [0; CHUNK];
        let inner = &mut inner[..nodes.len()];
        inner.iter_mut().zip(&*nodes).for_each(|(inner, node)| *inner = node ^ tweak);
        circular(inner, nodes);
        crate::block::wipe(inner);
    }

    fn add(sum: &mut Row, row: &Row) {
        sum.iter_mut().zip(row).for_each(|(sum, block)| *sum ^= block);
    }

    /// `there` if the row is that of the secret index, else `elsewhere`; in the same time.
    fn select(row: u64, index: u64, there: Block, elsewhere: Block) -> Block {
        let apart = row ^ index;
        let differs = crate::block::spread((apart | apart.wrapping_neg()) >> 63);
        there & !differs | elsewhere & differs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ptc_ring::Seed;

    const DELTA: Block = 0x0f1e_2d3c_4b5a_6978_8796_a5b4_c3d2_e1f1;

    fn blocks(stream: u64, count: usize) -> Vec<Block> {
        let words = Seed::from_bytes([2; 32]).stream(stream, 0).words(2 * count);
        words.as_chunks::<2>().0.iter().map(|[low, high]| Block::from(*low) | Block::from(*high) << 64).collect()
    }

    fn both(choices: [u64; SIDE]) -> (Vec<Block>, Vec<Block>) {
        let roots = blocks(0, SIDE).try_into().unwrap();
        let (mut all, mut known) = (vec![0; GROUP], vec![0; GROUP]);
        let mut sums = grow(roots, DELTA, 77, all.as_mut_slice().try_into().unwrap());
        for (level, sum) in sums.iter_mut().enumerate() {
            for tree in 0..SIDE {
                sum[tree] ^= if choices[tree] >> level & 1 == 1 { DELTA } else { 0 };
            }
        }
        regrow(&sums, choices, 77, known.as_mut_slice().try_into().unwrap());
        (all, known)
    }

    #[test]
    fn leaves_differ_at_the_path_only() {
        let last = LEAVES as u64 - 1;
        for choices in [[0, last, 1, last - 1], [512, 341, 682, 17]] {
            let (all, known) = both(choices);
            for at in 0..GROUP {
                // The path takes the sides not chosen.
                let end = at / SIDE == (choices[at % SIDE] ^ last) as usize;
                assert_eq!(all[at] & 1, 0);
                assert_eq!(all[at] ^ known[at], if end { DELTA } else { 0 }, "leaf {} of {}", at / SIDE, at % SIDE);
            }
            let mut sorted = all;
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(sorted.len(), GROUP, "leaves repeat");
        }
    }

    #[test]
    fn both_bodies_agree() {
        for level in 1..DEPTH {
            let nodes = blocks(level as u64, 2 * SIDE << level);
            let (mut plain, mut fast) = (nodes.clone(), nodes.clone());
            assert!(portable::grow_level(&mut plain, 5) == grow_level(&mut fast, 5) && plain == fast, "{level}");
            let mut path = Path::start(blocks(20, SIDE).try_into().unwrap(), [0, 1, 1, 0]);
            for (tree, at) in [0, 1, (1 << level) - 1, (1 << level) / 2].into_iter().enumerate() {
                path.hidden[tree] = at;
                path.sibling[tree] = at ^ 1;
            }
            let (mut plain, mut fast) = (nodes.clone(), nodes);
            let sums = portable::regrow_level(&mut plain, 5, &path);
            assert!(sums == regrow_level(&mut fast, 5, &path) && plain == fast, "{level}");
            if level + 1 == DEPTH {
                path.placed = blocks(21, SIDE).try_into().unwrap();
                portable::seal(plain.as_mut_slice().try_into().unwrap(), &path);
                seal(fast.as_mut_slice().try_into().unwrap(), &path);
                assert!(plain == fast);
            }
        }
    }
}
