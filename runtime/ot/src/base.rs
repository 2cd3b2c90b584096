//! Base transfers: 128 random transfers of blocks from public-key cryptography.
//!
//! Input: nothing. Output: 128 pairs of blocks at the sender; random choice bits and the chosen blocks at the receiver.
//! Security: semi-honest, from the computational Diffie-Hellman problem in Ristretto for SHA-256 as a random oracle (Chou,
//! Orlandi, "The simplest protocol for oblivious transfer", LATINCRYPT 2015). Reveals: nothing; the receiver's points are
//! uniform whatever it chooses. Price: 32 bytes from the sender, then 4096 from the receiver.
//!
//! The sender has `A = a·G`. For a choice `c` the receiver sends `B = b·G + c·A` and hashes `b·A`; the sender hashes `a·B`
//! and `a·(B - A)`, one of which that is. Every hash takes in the session, the direction, the number and the points.

use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity;
use ptc_net::PeerError;
use ptc_ring::Seed;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::block::{Block, Blocks, spread};

/// Transfers.
pub const COUNT: usize = 128;

pub const POINT_BYTES: usize = 32;

pub type Point = [u8; POINT_BYTES];

/// What names a session and a direction in every hash.
pub type Label = [u8; 32];

/// The sender between its message and the receiver's.
pub struct Sender {
    secret: Zeroizing<Scalar>,
    message: Point,
}

impl Sender {
    pub fn new() -> Result<Sender, PeerError> {
        let secret = Zeroizing::new(scalar(&Seed::fresh().map_err(PeerError::Io)?, 0));
        let message = RistrettoPoint::mul_base(&secret).compress().to_bytes();
        Ok(Sender { secret, message })
    }

    pub fn message(&self) -> Point {
        self.message
    }

    /// Both blocks of every transfer, first those of choice zero.
    pub fn finish(self, label: &Label, points: &[u8]) -> Result<[Blocks; 2], PeerError> {
        let expected = COUNT * POINT_BYTES;
        if points.len() != expected {
            return Err(PeerError::WrongLength { expected, found: points.len() });
        }
        let points = points.as_chunks::<POINT_BYTES>().0;
        let own = *self.secret * RistrettoPoint::mul_base(&self.secret);
        let shared: Result<Vec<[RistrettoPoint; 2]>, PeerError> = points
            .par_iter()
            .map(|point| {
                let point = decode(point)?;
                let shared = *self.secret * point;
                Ok([shared, shared - own])
            })
            .collect();
        let mut shared = shared?;
        let mut doubled = RistrettoPoint::double_and_compress_batch(shared.as_flattened());
        let mut blocks = [Blocks::zeros(COUNT), Blocks::zeros(COUNT)];
        for (index, (point, both)) in points.iter().zip(doubled.as_chunks::<2>().0).enumerate() {
            for (blocks, shared) in blocks.iter_mut().zip(both) {
                blocks[index] = hash(label, index, &self.message, point, shared);
            }
        }
        shared.as_flattened_mut().iter_mut().zeroize();
        doubled.zeroize();
        Ok(blocks)
    }
}

/// The receiver's answer and output. Bit `i` of `choices` chooses transfer `i`.
pub fn receive(label: &Label, message: &Point, choices: Block) -> Result<(Vec<u8>, Blocks), PeerError> {
    let theirs = decode(message)?;
    let seed = Seed::fresh().map_err(PeerError::Io)?;
    let each = (0..COUNT).into_par_iter().map(|index| {
        let secret = Zeroizing::new(scalar(&seed, index as u64));
        let own = RistrettoPoint::mul_base(&secret);
        let mut both = [own.compress().to_bytes(), (own + theirs).compress().to_bytes()];
        let chosen = spread((choices >> index) as u64) as u8;
        let mut point = both[0];
        point.iter_mut().zip(both[1]).for_each(|(zero, one)| *zero ^= (*zero ^ one) & chosen);
        both.zeroize();
        (point, *secret * theirs)
    });
    let (points, mut shared): (Vec<Point>, Vec<RistrettoPoint>) = each.unzip();
    let mut doubled = RistrettoPoint::double_and_compress_batch(&shared);
    let mut blocks = Blocks::zeros(COUNT);
    for (index, (point, shared)) in points.iter().zip(&doubled).enumerate() {
        blocks[index] = hash(label, index, message, point, shared);
    }
    shared.zeroize();
    doubled.zeroize();
    Ok((points.concat(), blocks))
}

fn scalar(seed: &Seed, index: u64) -> Scalar {
    let bytes = Zeroizing::new(seed.stream(0, index).bytes(64));
    let wide = Zeroizing::new(<[u8; 64]>::try_from(&bytes[..]).expect("64 bytes"));
    Scalar::from_bytes_mod_order_wide(&wide)
}

/// A point of the peer. The neutral element would tell the choices, or make the blocks known.
fn decode(bytes: &Point) -> Result<RistrettoPoint, PeerError> {
    let point = CompressedRistretto(*bytes).decompress();
    point
        .filter(|point| !point.is_identity())
        .ok_or_else(|| PeerError::Malformed("bytes that are no curve point".into()))
}

fn hash(label: &Label, index: usize, first: &Point, second: &Point, shared: &CompressedRistretto) -> Block {
    let digest = Sha256::new()
        .chain_update(b"ptc base transfer")
        .chain_update(label)
        .chain_update((index as u64).to_le_bytes())
        .chain_update(first)
        .chain_update(second)
        .chain_update(shared.as_bytes());
    let digest = Zeroizing::new(<[u8; 32]>::from(digest.finalize()));
    Block::from_le_bytes(*digest.first_chunk().expect("16 of 32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABEL: Label = [7; 32];

    #[test]
    fn the_receiver_has_what_it_chose() {
        for choices in [0, Block::MAX, 0x0123_4567_89ab_cdef_fedc_ba98_7654_3210] {
            let sender = Sender::new().unwrap();
            let (points, chosen) = receive(&LABEL, &sender.message(), choices).unwrap();
            assert_eq!(points.len(), COUNT * POINT_BYTES);
            let [zeros, ones] = sender.finish(&LABEL, &points).unwrap();
            let mut seen = std::collections::HashSet::new();
            for index in 0..COUNT {
                let (has, lacks) =
                    if choices >> index & 1 == 1 { (ones[index], zeros[index]) } else { (zeros[index], ones[index]) };
                assert!(chosen[index] == has && chosen[index] != lacks);
                assert!(seen.insert(has) && seen.insert(lacks));
            }
        }
    }

    #[test]
    fn other_labels_give_other_blocks() {
        let sender = Sender::new().unwrap();
        let (points, chosen) = receive(&LABEL, &sender.message(), 0).unwrap();
        let [zeros, _] = sender.finish(&[8; 32], &points).unwrap();
        assert!(zeros.iter().zip(chosen.iter()).all(|(a, b)| a != b));
    }

    #[test]
    fn what_is_no_point_is_refused() {
        let identity = [0; POINT_BYTES];
        for message in [identity, [0xff; POINT_BYTES], [1; POINT_BYTES]] {
            assert!(matches!(receive(&LABEL, &message, 0), Err(PeerError::Malformed(_))));
            let sender = Sender::new().unwrap();
            let (mut points, _) = receive(&LABEL, &sender.message(), 0).unwrap();
            points[64..96].copy_from_slice(&message);
            assert!(matches!(sender.finish(&LABEL, &points), Err(PeerError::Malformed(_))));
        }
        let refused = Sender::new().unwrap().finish(&LABEL, &[0; 31]);
        assert!(matches!(refused, Err(PeerError::WrongLength { expected: 4096, found: 31 })));
    }

    /// The hash of fixed points, computed with another implementation of SHA-256 and of the group's encoding: the base
    /// point's is that of RFC 9496, appendix A.1.
    #[test]
    fn known_answer() {
        let generator = RistrettoPoint::mul_base(&Scalar::ONE).compress();
        let hex: String = generator.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76");
        let found = hash(&LABEL, 5, generator.as_bytes(), &[9; 32], &generator);
        assert_eq!(found, 0x8cc7bba7_23c8a591_5af2363b_27e341a6);
    }
}
