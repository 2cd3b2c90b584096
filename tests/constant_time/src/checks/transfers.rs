//! Oblivious transfer.

use std::hint::black_box;

use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use ptc_net::Channel;
use ptc_net::memory::{self, Memory};
use ptc_ot::block::{Block, Blocks};
use ptc_ot::setup::{Transfers, setup};
use ptc_ot::silent as silently;
use ptc_ot::silent::parameters::{ANSWER_BYTES, BATCH, RESERVE};
use ptc_ot::{base as base_transfers, extension as extending, hash, one_of_n, puncture, random as random_transfers};
use ptc_plan::step::Party;
use ptc_plan::two_party::transfer::Extension;

use super::wire::{PATIENCE, Wire};
use crate::entropy;
use crate::valgrind::{public, secret, secret_of};

const TWEAK: Block = 5 << 64;

fn secret_blocks(count: usize) -> Vec<Block> {
    let mut blocks = vec![77; count];
    secret(&mut blocks);
    blocks
}

/// As base transfers use the group: the scalar is secret, points that come are not.
pub fn scalars() {
    let mut bytes = [9; 64];
    secret(&mut bytes);
    let scalar = Scalar::from_bytes_mod_order_wide(&bytes);
    let own = RistrettoPoint::mul_base(&scalar);
    let theirs = RistrettoPoint::mul_base(&Scalar::from(12345u64));
    let shared = scalar * theirs;
    black_box((own.compress().to_bytes(), (own + theirs).compress().to_bytes(), shared - own));
    black_box(RistrettoPoint::double_and_compress_batch(&[shared, own]));
}

/// With secret choices and secret scalars, on both sides.
pub fn base() {
    entropy::secret_after(0, || {
        let sender = base_transfers::Sender::new().expect("randomness");
        // It is sent.
        let mut message = sender.message();
        public(&mut message);
        let choices = secret_of(0x0123_4567_89ab_cdef_u128);
        let (mut points, chosen) = base_transfers::receive(&[7; 32], &message, choices).expect("a true point");
        // They are sent, and uniform whatever the choices are.
        public(&mut points);
        black_box(sender.finish(&[7; 32], &points).expect("true points").len());
        black_box(chosen.len());
    });
}

pub fn hashes() {
    for count in [1, 15, 16, 200] {
        let (x, mut out) = (secret_blocks(count), vec![0; count]);
        hash::tweaked(&x, TWEAK, &mut out);
        hash::tweaked_shifted(&x, secret_of(9), TWEAK, &mut out);
        hash::tweaked_in_place(&mut out, TWEAK);
        hash::circular(&x, &mut out);
        let mut more = vec![0; 3 * count];
        hash::expand(&x, 3, TWEAK, &mut more);
        black_box((out, more));
    }
}

pub fn random() {
    let (q, [mut zeros, mut ones]) = (secret_blocks(200), [vec![0; 200], vec![0; 200]]);
    random_transfers::pairs(&q, secret_of(9), TWEAK, &mut zeros, &mut ones);
    random_transfers::chosen(&q, TWEAK, &mut ones);
    black_box((zeros, ones, extending::choices(&q)));
}

pub fn one_of_many() {
    let (q, mut blocks) = (secret_blocks(4 * 20), vec![0; 16 * 20]);
    one_of_n::all(4, &q, secret_of(9), TWEAK, &mut blocks);
    black_box(one_of_n::one(4, &q, TWEAK, &mut blocks[..20]));
}

pub fn trees() {
    for (depth, trees) in [(2, 3), (7, 9), (10, 5)] {
        let cots = secret_blocks(depth as usize * trees);
        let mut leaves = vec![0; puncture::leaves_len(depth, trees)];
        let mut message = puncture::plant(depth, &cots, secret_of(9), &mut leaves);
        // It is sent.
        public(&mut message);
        let mut choices = vec![5u64; cots.len().div_ceil(64)];
        secret(&mut choices);
        black_box(puncture::grow(depth, &cots, &choices, &message, &mut leaves).expect("a true message").len());
    }
}

/// Both parties of a session, whose every draw is secret; then two extensions each way.
pub fn extension() {
    let party = |party: Party, channel: Memory| {
        let mut channel = Wire(channel);
        let Transfers { mut sender, mut receiver } =
            setup(party, Extension::Subfield { bits: 4 }, &mut channel).expect("a true peer");
        for count in [130, 2100] {
            let (message, started) = sender.start(count);
            assert!(message.is_empty(), "this receiver speaks");
            let (request, t) = receiver.start(count);
            let length = request.len();
            let asked = channel.exchange(request, length).expect("a true peer");
            black_box(sender.finish(started, &asked).expect("a true request").len());
            black_box(receiver.finish(t, &[]).expect("nothing to wait for").len());
        }
    };
    entropy::secret_after(0, || {
        let (server, client) = memory::pair_with_timeout(PATIENCE);
        std::thread::scope(|scope| {
            scope.spawn(|| party(Party::Client, client));
            party(Party::Server, server);
        });
    });
}

/// One batch on each side.
pub fn silent() {
    let reserve = secret_blocks(RESERVE);
    let mut blocks = Blocks::zeros(BATCH);
    let mut answer = silently::Sender::new(secret_delta(), &reserve).answer(&mut blocks);
    assert_eq!(answer.len(), ANSWER_BYTES);
    // It is sent.
    public(&mut answer);
    silently::Receiver::new(&reserve).complete(&answer, &mut blocks).expect("a true answer");
    black_box(blocks.len());
}

/// Secret but for its lowest bit, which is one.
fn secret_delta() -> Block {
    let mut bytes = 9u128.to_le_bytes();
    secret(&mut bytes[1..]);
    Block::from_le_bytes(bytes)
}
