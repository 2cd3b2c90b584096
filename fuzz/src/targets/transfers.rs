//! Oblivious transfer: every function that takes a peer's message takes any bytes.

use std::sync::OnceLock;

use ptc_ot::block::{Block, Blocks};
use ptc_ot::setup::setup;
use ptc_ot::silent::parameters::{ANSWER_BYTES, BATCH, RESERVE};
use ptc_ot::{base, puncture, silent};
use ptc_plan::step::Party;
use ptc_plan::two_party::transfer::Extension;

use super::bytes::Bytes;
use super::peer::Peer;

pub fn transfers(bytes: &[u8]) {
    let mut choices = Bytes::new(bytes);
    match choices.below(5) {
        0 => receive_base(&mut choices),
        1 => finish_base(&mut choices),
        2 => grow(&mut choices),
        3 => extend(&mut choices),
        _ => complete(&mut choices),
    }
}

fn receive_base(choices: &mut Bytes) {
    let mut point = [0; base::POINT_BYTES];
    point.iter_mut().for_each(|byte| *byte = choices.byte());
    if let Ok((message, blocks)) = base::receive(&[7; 32], &point, 0x5555) {
        assert_eq!((message.len(), blocks.len()), (base::COUNT * base::POINT_BYTES, base::COUNT));
    }
}

fn finish_base(choices: &mut Bytes) {
    let message = message(choices, base::COUNT * base::POINT_BYTES);
    let _ = base::Sender::new().expect("randomness").finish(&[7; 32], &message);
}

fn grow(choices: &mut Bytes) {
    let (depth, trees) = (1 + choices.below(11) as u32, 1 + choices.below(9));
    let cots: Vec<Block> = (0..depth as usize * trees).map(|at| Block::from(at as u64) << 7 | 3).collect();
    let words: Vec<u64> =
        (0..cots.len().div_ceil(64)).map(|_| u64::from(choices.byte()).wrapping_mul(0x0101_0204_0810_2041)).collect();
    let message = message(choices, puncture::message_bytes(depth, trees));
    let mut leaves = vec![0; puncture::leaves_len(depth, trees)];
    if let Ok(places) = puncture::grow(depth, &cots, &words, &message, &mut leaves) {
        assert!(places.len() == trees && places.iter().all(|place| *place < 1 << depth));
    }
}

/// The set-up, and an extension each way.
fn extend(choices: &mut Bytes) {
    let extension = Extension::Subfield { bits: [1, 2, 4, 8][choices.below(4)] };
    let count = 1 + choices.below(600);
    let [asked, told] = [choices.byte(), choices.byte()].map(|byte| byte & 1 == 0);
    let bytes = extension.bytes(extension.yields(count));
    let [to_sender, to_receiver] = [bytes.receiver, bytes.sender];
    let to_sender = message(choices, if asked { to_sender as usize } else { 33 });
    let to_receiver = if told { vec![] } else { message(choices, to_receiver as usize) };
    let Ok(mut transfers) = setup(Party::Client, extension, &mut Peer::new(choices.rest())) else { return };
    let (_, started) = transfers.sender.start(count);
    if let Ok(blocks) = transfers.sender.finish(started, &to_sender) {
        assert_eq!(blocks.len(), count);
    }
    let (_, started) = transfers.receiver.start(count);
    let _ = transfers.receiver.finish(started, &to_receiver);
}

fn complete(choices: &mut Bytes) {
    static RESERVED: OnceLock<Vec<Block>> = OnceLock::new();
    let reserved = RESERVED.get_or_init(|| (0..RESERVE as u64).map(Block::from).collect());
    let message = message(choices, ANSWER_BYTES);
    let mut t = Blocks::zeros(if message.len() == ANSWER_BYTES { BATCH } else { 0 });
    let _ = silent::Receiver::new(reserved).complete(&message, &mut t);
}

/// Of the length that is due from a short pattern, or what is left of the bytes.
fn message(choices: &mut Bytes, due: usize) -> Vec<u8> {
    match choices.byte() % 8 {
        0 => choices.take(1 << 13).to_vec(),
        _ => {
            let short = 1 + choices.below(96);
            let pattern = choices.take(short);
            if pattern.is_empty() { vec![0xe2; due] } else { pattern.iter().copied().cycle().take(due).collect() }
        }
    }
}
