//! One of `2^bits` random blocks.
//!
//! Input: `bits` correlated transfers for each. Output: `2^bits` pseudorandom blocks at the sender; at the receiver a random
//! number and the block of that number. Security: semi-honest, for a tweakable circular correlation robust hash; tweaks
//! are used once with a `delta`. No message.
//!
//! A transfer's random strings are keys of one bit of the number; a block is the hash of the sum of its bits' keys (Naor,
//! Pinkas, STOC 1999, section 3, with sums for the chained functions there). Whoever lacks one of the keys does not know the
//! sum. The choices of a number's transfers are its bits, lowest first; transfers of one number follow each other.

use zeroize::Zeroizing;

use crate::block::{Block, Blocks};
use crate::hash;

/// Tweaks that `count` numbers take up, from the first on.
pub fn tweaks(bits: u32, count: usize) -> u64 {
    (count as u64) * (u64::from(bits) + (1 << bits))
}

/// The sender's blocks: `2^bits` for each number.
pub fn all(bits: u32, q: &[Block], delta: Block, tweak: Block, blocks: &mut [Block]) {
    let count = check(bits, q);
    assert_eq!(blocks.len(), count << bits, "blocks of {count} numbers");
    let [mut zeros, mut ones] = [(); 2].map(|()| Blocks::zeros(q.len()));
    hash::tweaked(q, tweak, &mut zeros);
    hash::tweaked_shifted(q, delta, tweak, &mut ones);
    let keys = zeros.chunks(bits as usize).zip(ones.chunks(bits as usize));
    for (blocks, (zeros, ones)) in blocks.chunks_mut(1 << bits).zip(keys) {
        blocks[0] = zeros.iter().fold(0, |sum, key| sum ^ key);
        for (bit, (zero, one)) in zeros.iter().zip(ones).enumerate() {
            let (unset, set) = blocks[..2 << bit].split_at_mut(1 << bit);
            set.iter_mut().zip(unset).for_each(|(set, unset)| *set = *unset ^ zero ^ one);
        }
    }
    hash::tweaked_in_place(blocks, tweak + q.len() as Block);
}

/// The receiver's numbers, which are secrets, and their blocks.
pub fn one(bits: u32, t: &[Block], tweak: Block, blocks: &mut [Block]) -> Zeroizing<Vec<u32>> {
    let count = check(bits, t);
    assert_eq!(blocks.len(), count, "blocks of {count} numbers");
    let mut keys = Blocks::zeros(t.len());
    hash::tweaked(t, tweak, &mut keys);
    let mut numbers = Zeroizing::new(vec![0; count]);
    let (t, keys) = (t.chunks(bits as usize), keys.chunks(bits as usize));
    for (place, ((number, block), (t, keys))) in numbers.iter_mut().zip(blocks).zip(t.zip(keys)).enumerate() {
        *number = t.iter().rev().fold(0, |number, t| number << 1 | (*t as u32 & 1));
        let sum = keys.iter().fold(0, |sum, key| sum ^ key);
        // The tweak is a function of the number; adding is no branch and no index.
        let own = tweak + (count * bits as usize + (place << bits)) as Block + Block::from(*number);
        hash::tweaked(&[sum], own, std::slice::from_mut(block));
    }
    numbers
}

fn check(bits: u32, cots: &[Block]) -> usize {
    assert!((1..=16).contains(&bits), "one of 2^{bits}");
    let count = cots.len() / bits as usize;
    assert_eq!(cots.len(), count * bits as usize, "transfers of numbers of {bits} bits");
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subfield::tests::pair;

    fn check(bits: u32, count: usize) {
        let (mut sender, mut receiver) = pair(2, bits as u8);
        let (request, t) = receiver.request(bits as usize * count);
        let q = sender.answer(bits as usize * count, &request).unwrap();
        let (mut of_sender, mut of_receiver) = (vec![0; count << bits], vec![0; count]);
        all(bits, &q, sender.delta(), 77, &mut of_sender);
        let numbers = one(bits, &t, 77, &mut of_receiver);
        let mut seen = std::collections::HashSet::new();
        assert!(of_sender.iter().all(|block| seen.insert(*block)));
        for at in 0..count {
            assert!(numbers[at] < 1 << bits);
            assert!(of_sender[at << bits | numbers[at] as usize] == of_receiver[at], "number {at} of {bits} bits");
        }
        let distinct: std::collections::HashSet<_> = numbers.iter().collect();
        assert!(count < 1000 || distinct.len() == 1 << bits, "every number comes");
    }

    #[test]
    fn the_receiver_has_the_block_of_its_number() {
        for bits in 1..=7 {
            check(bits, 1000);
            check(bits, 1);
        }
        check(11, 3);
        check(4, 0);
    }

    #[test]
    fn tweaks_are_counted() {
        assert_eq!(tweaks(3, 10), 110);
    }
}
