//! Random transfers from correlated ones.
//!
//! Input: correlated transfers. Output: two pseudorandom blocks for each at the sender, the chosen one at the receiver.
//! Security: semi-honest, for a tweakable circular correlation robust hash; a tweak is used once with a `delta`. No message.

use crate::block::Block;
use crate::hash;

/// The sender's blocks, of choice zero and of choice one.
pub fn pairs(q: &[Block], delta: Block, tweak: Block, zeros: &mut [Block], ones: &mut [Block]) {
    hash::tweaked(q, tweak, zeros);
    hash::tweaked_shifted(q, delta, tweak, ones);
}

/// The receiver's.
pub fn chosen(t: &[Block], tweak: Block, blocks: &mut [Block]) {
    hash::tweaked(t, tweak, blocks);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subfield::tests::pair;

    #[test]
    fn the_receiver_has_what_it_chose_of_a_million() {
        let (mut sender, mut receiver) = pair(4, 8);
        let count = 1 << 20;
        let (request, t) = receiver.request(count);
        let q = sender.answer(count, &request).unwrap();
        let [mut zeros, mut ones, mut blocks] = [(); 3].map(|()| vec![0; count]);
        let tweak = 9 << 64;
        pairs(&q, sender.delta(), tweak, &mut zeros, &mut ones);
        chosen(&t, tweak, &mut blocks);
        for at in 0..count {
            let (has, lacks) = if t[at] & 1 == 1 { (ones[at], zeros[at]) } else { (zeros[at], ones[at]) };
            assert!(blocks[at] == has && has != lacks, "transfer {at}");
        }
        // The strings look random: every bit is set in half of them, within seven standard deviations.
        for bit in 0..128 {
            for strings in [&zeros, &ones] {
                let set = strings.iter().filter(|string| *string >> bit & 1 == 1).count();
                assert!(((2 * set).abs_diff(count) as f64) < 7.0 * (count as f64).sqrt(), "bit {bit}: {set}");
            }
        }
    }
}
