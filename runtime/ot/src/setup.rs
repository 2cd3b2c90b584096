//! Opening a session: base transfers both ways, and from them the keys of the extensions.
//!
//! Input: nothing. Output: at each party the sender of one direction and the receiver of the other. Security: semi-honest.
//! Reveals: nothing. Price: [`ptc_plan::two_party::transfer::Extension::setup`].
//!
//! Whoever sends in the extension receives in the base transfers: its choices become `delta`. The receiver's keys are the
//! leaves of one punctured tree for each digit of `delta`; it corrects the base transfers to correlated ones under a
//! difference of its own for that. The digit is the position that the sender lacks. It puts its leaves in the order of
//! `number ^ digit`, by exchanges under masks: nothing is indexed by a digit.

use ptc_net::{Channel, PeerError};
use ptc_plan::step::Party;
use ptc_plan::two_party::transfer::{Extension, RESERVE_BITS};
use ptc_ring::Seed;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::base;
use crate::block::{BLOCK_BYTES, Block, Blocks, spread};
use crate::extension::{Receiver, Sender};
use crate::hash;
use crate::puncture::{self, grow, leaves_len, place, plant};
use crate::{silent, subfield};

/// What a party extends its transfers from.
pub struct Transfers {
    /// In which it sends.
    pub sender: Sender,
    /// In which it receives.
    pub receiver: Receiver,
}

/// Runs the set-up. Both parties ask for the same extension.
pub fn setup(party: Party, extension: Extension, channel: &mut impl Channel) -> Result<Transfers, PeerError> {
    match extension {
        Extension::Subfield { bits } => {
            let (sender, receiver) = subfields(party, bits, channel)?;
            Ok(Transfers { sender: Sender::Subfield(sender), receiver: Receiver::Subfield(receiver) })
        }
        Extension::Silent => {
            let (mut sender, mut receiver) = subfields(party, RESERVE_BITS, channel)?;
            let (request, t) = receiver.request(silent::parameters::RESERVE);
            let expected = request.len();
            let request = channel.exchange(request, expected)?;
            let q = sender.answer(silent::parameters::RESERVE, &request)?;
            let (sender, receiver) = (silent::Sender::new(sender.delta(), &q), silent::Receiver::new(&t));
            Ok(Transfers { sender: Sender::Silent(sender), receiver: Receiver::Silent(receiver) })
        }
    }
}

fn subfields(
    party: Party,
    bits: u32,
    channel: &mut impl Channel,
) -> Result<(subfield::Sender, subfield::Receiver), PeerError> {
    let seed = Seed::fresh().map_err(PeerError::Io)?;
    // The choice of the first transfer is zero: then the lowest bit of `delta` is one.
    let choices = Zeroizing::new(block(&seed, 0) & !1);
    let own = base::Sender::new()?;
    let point = own.message();
    let theirs = channel.exchange(point.to_vec(), base::POINT_BYTES)?;
    let theirs: base::Point = theirs.try_into().expect("a channel keeps the length");
    let [sending, receiving] = labels(party, &point, &theirs);

    let (points, chosen) = base::receive(&sending, &theirs, *choices)?;
    let points = channel.exchange(points, base::COUNT * base::POINT_BYTES)?;
    let [zeros, ones] = own.finish(&receiving, &points)?;

    let (message, keys) = plant_keys(bits, &zeros, &ones, block(&seed, 1));
    let expected = message.len();
    let message = channel.exchange(message, expected)?;
    Ok((grow_keys(bits, *choices, chosen, &message)?, subfield::Receiver::new(bits, &keys)))
}

/// Of the transfers in which this party sends, then of those in which it receives. Fresh points make a session's own.
fn labels(party: Party, own: &base::Point, theirs: &base::Point) -> [base::Label; 2] {
    let points = match party {
        Party::Server => [own, theirs],
        Party::Client => [theirs, own],
    };
    [party, party.other()].map(|sender| {
        let digest = Sha256::new().chain_update(b"ptc transfers").chain_update(points[0]).chain_update(points[1]);
        digest.chain_update([sender.index() as u8]).finalize().into()
    })
}

/// The receiver's part: keys of all groups, and the message of [`ptc_plan::two_party::transfer::tree_bytes`].
fn plant_keys(bits: u32, zeros: &[Block], ones: &[Block], difference: Block) -> (Vec<u8>, Blocks) {
    let differences = zeros.iter().zip(ones).map(|(zero, one)| zero ^ one ^ difference);
    let mut message: Vec<u8> = differences.flat_map(|difference| difference.to_le_bytes()).collect();
    let mut leaves = Blocks::zeros(leaves_len(bits, groups(bits)));
    message.extend(plant(bits, zeros, difference, &mut leaves));
    hash::tweaked_in_place(&mut leaves, 0);
    let mut keys = Blocks::zeros(leaves.len());
    for group in 0..groups(bits) {
        (0..1 << bits).for_each(|number| keys[group << bits | number] = leaves[place(bits, group, number)]);
    }
    (message, keys)
}

/// The sender's part.
fn grow_keys(bits: u32, choices: Block, mut chosen: Blocks, message: &[u8]) -> Result<subfield::Sender, PeerError> {
    let expected = base::COUNT * BLOCK_BYTES + puncture::message_bytes(bits, groups(bits));
    if message.len() != expected {
        return Err(PeerError::WrongLength { expected, found: message.len() });
    }
    let (differences, message) = message.split_at(base::COUNT * BLOCK_BYTES);
    for (index, (t, difference)) in chosen.iter_mut().zip(differences.as_chunks::<BLOCK_BYTES>().0).enumerate() {
        *t ^= Block::from_le_bytes(*difference) & spread((choices >> index) as u64);
    }
    let mut leaves = Blocks::zeros(leaves_len(bits, groups(bits)));
    let words = Zeroizing::new([choices as u64, (choices >> 64) as u64]);
    let digits = grow(bits, &chosen, &words[..], message, &mut leaves)?;
    hash::tweaked_in_place(&mut leaves, 0);
    let mut delta = 0;
    let mut keys = Blocks::zeros(leaves.len());
    for (group, &digit) in digits.iter().enumerate() {
        delta |= Block::from(digit) << (group as u32 * bits);
        let keys = &mut keys[group << bits..][..1 << bits];
        keys.iter_mut().enumerate().for_each(|(number, key)| *key = leaves[place(bits, group, number)]);
        reorder(keys, digit);
    }
    let sender = subfield::Sender::new(bits, delta, &keys);
    delta.zeroize();
    Ok(sender)
}

/// What was at `number ^ digit` comes to `number`.
fn reorder(keys: &mut [Block], digit: u32) {
    for bit in 0..keys.len().ilog2() {
        let moves = spread(u64::from(digit >> bit));
        for pair in keys.chunks_exact_mut(2 << bit) {
            let (lower, upper) = pair.split_at_mut(1 << bit);
            for (lower, upper) in lower.iter_mut().zip(upper) {
                let changed = (*lower ^ *upper) & moves;
                *lower ^= changed;
                *upper ^= changed;
            }
        }
    }
}

fn groups(bits: u32) -> usize {
    base::COUNT / bits as usize
}

fn block(seed: &Seed, domain: u64) -> Block {
    let words = Zeroizing::new(seed.stream(domain, 0).words(2));
    Block::from(words[0]) << 64 | Block::from(words[1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::bit;
    use ptc_net::memory;

    /// Runs both parties and the set-up of `extension`, then extends by `counts` both ways.
    fn check(extension: Extension, counts: &[usize]) {
        let (mut ours, mut theirs) = memory::pair();
        let other = std::thread::spawn(move || {
            let transfers = setup(Party::Client, extension, &mut theirs).unwrap();
            (transfers, theirs.counters())
        });
        let server = setup(Party::Server, extension, &mut ours).unwrap();
        let (client, counters) = other.join().unwrap();
        let flow = extension.setup();
        let expected: u64 = flow.iter().map(|bytes| bytes + 8).sum();
        for counters in [counters, ours.counters()] {
            assert_eq!(counters.rounds, flow.len() as u64, "{extension:?}");
            assert_eq!((counters.sent, counters.received), (expected, expected), "{extension:?}");
        }
        let (mut server, mut client) = (server, client);
        assert!(server.sender.delta() != client.sender.delta());
        for &count in counts {
            check_direction(extension, &mut server.sender, &mut client.receiver, count);
            check_direction(extension, &mut client.sender, &mut server.receiver, count);
        }
    }

    fn check_direction(extension: Extension, sender: &mut Sender, receiver: &mut Receiver, count: usize) {
        let count = extension.yields(count);
        let bytes = extension.bytes(count);
        let ((from_sender, sent), (from_receiver, received)) = (sender.start(count), receiver.start(count));
        assert_eq!((from_sender.len() as u64, from_receiver.len() as u64), (bytes.sender, bytes.receiver));
        let q = sender.finish(sent, &from_receiver).unwrap();
        let t = receiver.finish(received, &from_sender).unwrap();
        assert_eq!((q.len(), t.len()), (count, count));
        let choices = crate::extension::choices(&t);
        let delta = sender.delta();
        for (at, (q, t)) in q.iter().zip(t.iter()).enumerate() {
            let choice = bit(&choices, at);
            assert!(*t == q ^ spread(choice) & delta && *t as u64 & 1 == choice, "{extension:?}");
        }
        let ones = choices.iter().map(|word| word.count_ones() as usize).sum::<usize>();
        // Seven standard deviations of a fair coin.
        assert!(((2 * ones).abs_diff(count) as f64) < 7.0 * (count as f64).sqrt(), "{ones} ones of {count}");
    }

    #[test]
    fn sessions_extend_both_ways() {
        for bits in [1, 2, 4, 8] {
            check(Extension::Subfield { bits }, &[1000, 3, 128]);
        }
        check(Extension::Silent, &[1, 1_000_000]);
    }

    #[test]
    fn keys_are_reordered() {
        for digit in 0..16 {
            let mut keys: Vec<Block> = (0..16).collect();
            reorder(&mut keys, digit);
            assert!(keys.iter().enumerate().all(|(number, key)| *key == Block::from(number as u32 ^ digit)));
        }
    }

    #[test]
    fn a_key_message_of_another_length_is_refused() {
        for len in [0, 2047, 2048 + 64 * 16 - 1, 2048 + 64 * 16 + 1] {
            let refused = grow_keys(2, 0, Blocks::zeros(128), &vec![0; len]);
            assert!(matches!(refused, Err(PeerError::WrongLength { expected: 3072, .. })));
        }
    }
}
