//! What a party sees is uniform, run after run, and does not depend on what the other party's inputs are: every message of
//! every protocol, bit by bit.
//!
//! Sessions draw from the operating system, so each bound is such that it is exceeded by chance less than once in 10^9
//! runs of these tests.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::labels::{Log, kinds};
use crate::scenario::{Given, Scenario, all};
use crate::tampering::mix;
use crate::wire::{Recorded, play};

const PATIENT: Duration = Duration::from_secs(60);

/// In standard deviations. Thousands of messages are looked at, in three ways.
const FAR: f64 = 8.0;

/// Fewer bits are too few for the approximation by a normal distribution.
const FEW: usize = 64;

/// One message of a kind of session, over many runs with inputs of two sets.
struct Seen {
    length: usize,
    /// By set: how many runs have a one in each bit, and how often each byte comes.
    ones: [Vec<u32>; 2],
    bytes: [Vec<u64>; 2],
}

/// By link, way and index.
type All = BTreeMap<(usize, usize, usize), Seen>;

fn add(all: &mut All, set: usize, frames: &Recorded, first: bool) {
    for (link, ways) in frames.iter().enumerate() {
        for (way, messages) in ways.iter().enumerate() {
            for (index, message) in messages.iter().enumerate() {
                let place = (link, way, index);
                let new = || Seen {
                    length: message.len(),
                    ones: [(); 2].map(|()| vec![0; 8 * message.len()]),
                    bytes: [(); 2].map(|()| vec![0; 256]),
                };
                assert!(first || all.contains_key(&place), "a message more than in other runs: {place:?}");
                let seen = all.entry(place).or_insert_with(new);
                assert_eq!(seen.length, message.len(), "the length of {place:?}");
                for (at, &byte) in message.iter().enumerate() {
                    seen.bytes[set][usize::from(byte)] += 1;
                    let ones = &mut seen.ones[set][8 * at..8 * at + 8];
                    ones.iter_mut().enumerate().for_each(|(bit, ones)| *ones += u32::from(byte >> bit & 1));
                }
            }
        }
    }
    let messages: usize = frames.iter().flatten().map(Vec::len).sum();
    assert_eq!(messages, all.len(), "as many messages in every run");
}

/// How far a sum of squares of `degrees` standard normal deviates is from what it is on average, in standard deviations
/// (Wilson and Hilferty, PNAS 1931).
fn far(sum: f64, degrees: f64) -> f64 {
    let spread = 2.0 / (9.0 * degrees);
    ((sum / degrees).cbrt() - (1.0 - spread)) / spread.sqrt()
}

/// Of bits that are one in `ones` of `runs` runs: squares of deviates, added up.
fn squares(ones: &[u32], runs: f64) -> f64 {
    ones.iter().map(|&ones| (2.0 * f64::from(ones) - runs).powi(2) / runs).sum()
}

/// What bits of a message are the same in all runs of both sets.
fn constant(seen: &Seen, runs: u32) -> Vec<bool> {
    let [own, other] = &seen.ones;
    own.iter().zip(other).map(|(&a, &b)| a + b == 0 || a + b == 2 * runs).collect()
}

/// What is wrong with the bits that change.
fn lean(seen: &Seen, runs: u32) -> Option<String> {
    let fixed = constant(seen, runs);
    let free = |ones: &[u32]| -> Vec<u32> {
        ones.iter().zip(&fixed).filter(|(_, fixed)| !**fixed).map(|(&ones, _)| ones).collect()
    };
    let [own, other] = [free(&seen.ones[0]), free(&seen.ones[1])];
    if own.len() < FEW {
        return None;
    }
    let degrees = own.len() as f64;
    for ones in [&own, &other] {
        let off = far(squares(ones, f64::from(runs)), degrees);
        if off > FAR {
            return Some(format!("bits are {off:.1} deviations from uniform"));
        }
    }
    let apart = own.iter().zip(&other).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2) * 2.0 / f64::from(runs));
    let off = far(apart.sum(), degrees);
    if off > FAR {
        return Some(format!("bits of two inputs are {off:.1} deviations apart"));
    }
    None
}

/// What is wrong with how often each byte comes.
fn apart(seen: &Seen) -> Option<String> {
    let (mut apart, mut bins) = (0.0, 0.0);
    for (&a, &b) in seen.bytes[0].iter().zip(&seen.bytes[1]) {
        // Rare bytes are no normal deviates.
        if a + b >= 64 {
            apart += (a as f64 - b as f64).powi(2) / (a + b) as f64;
            bins += 1.0;
        }
    }
    let off = if bins > 0.0 { far(apart, bins) } else { 0.0 };
    (off > FAR).then(|| format!("bytes of two inputs are {off:.1} deviations apart"))
}

/// What is not masked: who speaks, which plan, hashes of what both hold, and those themselves.
const CLEAR: [&str; 7] =
    ["greeting", "public parameters", "public values", "introduction", "ready", "made 0", "message 0"];

/// What is wrong with the bits that never change. Where a message is masked they fill up words of planes and the last byte of
/// packed elements: zeros up to the end of a byte.
fn unmasked(seen: &Seen, runs: u32, kinds: &str) -> Option<String> {
    let fixed = constant(seen, runs);
    let count = fixed.iter().filter(|fixed| **fixed).count();
    if CLEAR.iter().any(|clear| kinds.contains(clear)) {
        return None;
    }
    if kinds.contains("once") {
        // Two bits of each of Ristretto's encodings of 256, and fill.
        return (count > fixed.len() / 128 + 64).then(|| format!("{count} bits never change"));
    }
    for (at, _) in fixed.iter().enumerate().filter(|(_, fixed)| **fixed) {
        let ends = fixed.get(at + 1).is_none_or(|next| !next);
        if seen.ones[0][at] > 0 || ends && at % 8 != 7 {
            return Some(format!("bit {at} of {} never changes", fixed.len()));
        }
    }
    None
}

fn check(scenario: &Scenario, runs: u32) -> Vec<String> {
    let (log, mut all) = (Log::default(), All::new());
    for run in 0..runs {
        for (set, given) in [Given::One, Given::Other].into_iter().enumerate() {
            let first = run == 0 && set == 0;
            let played = play(scenario, PATIENT, given, None, first.then_some(&log));
            played.endings.into_iter().for_each(|ending| drop(ending.result.unwrap()));
            add(&mut all, set, &played.frames, first);
        }
    }
    let mut wrong = vec![];
    for message in log.messages() {
        let seen = &all[&(message.link, message.way, message.index)];
        let carried = kinds(scenario, &message);
        let carried = format!("{carried:?}");
        // Several values that are opened in a round come with the same digest: bytes are not independent.
        let bytes = !carried.contains("reveal 0");
        // A share that is opened may be that of a small number; who gets it may know.
        let masked = !carried.contains("reveal 1");
        let unmasked = masked.then(|| unmasked(seen, runs, &carried)).flatten();
        for fault in [unmasked, lean(seen, runs), bytes.then(|| apart(seen)).flatten()] {
            wrong.extend(fault.map(|fault| format!("{}: {fault}: {carried}", scenario.name)));
        }
    }
    wrong
}

#[test]
fn what_a_party_sees_is_uniform_whatever_the_inputs() {
    let thorough = std::env::var("PTC_ATTACK").as_deref() == Ok("all");
    let (runs, names) = if thorough { (200, &[][..]) } else { (32, &["streams", "transferred", "dealt"][..]) };
    let chosen = all().into_iter().filter(|scenario| thorough || names.contains(&scenario.name));
    // A pool's copies have the same masks in every run, which is what they must never have.
    let chosen: Vec<Scenario> = chosen.filter(|scenario| scenario.name != "pooled").collect();
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let each: Vec<_> = chosen.iter().map(|scenario| scope.spawn(|| check(scenario, runs))).collect();
        each.into_iter().flat_map(|wrong| wrong.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{} messages:\n{}", wrong.len(), wrong.join("\n"));
}

/// Masks that are used twice show, and so do bits that lean.
#[test]
fn what_is_not_uniform_is_found() {
    const RUNS: u32 = 64;
    let check = |one: &dyn Fn(u64, usize) -> u8, other: &dyn Fn(u64, usize) -> u8| {
        let mut all = All::new();
        for run in 0..u64::from(RUNS) {
            for (set, byte) in [one, other].into_iter().enumerate() {
                let message: Vec<u8> = (0..200).map(|at| byte(run, at)).collect();
                add(&mut all, set, &vec![[vec![message], vec![]]], run == 0 && set == 0);
            }
        }
        let seen = &all[&(0, 0, 0)];
        (lean(seen, RUNS), constant(seen, RUNS).into_iter().filter(|fixed| *fixed).count())
    };
    let fair = |salt: u64| move |run: u64, at: usize| mix(mix(salt ^ run) ^ at as u64) as u8;
    assert_eq!(check(&fair(1), &fair(2)), (None, 0));
    // One bit of eight is one in three runs of four.
    let leaning = |run: u64, at: usize| fair(3)(run, at) | (fair(4)(run, at) & 1);
    assert!(check(&leaning, &fair(5)).0.is_some_and(|fault| fault.contains("from uniform")));
    // The same mask in every run of a set.
    let pinned = |_: u64, at: usize| fair(6)(0, at);
    assert!(check(&pinned, &fair(7)).0.is_some());
    // Something that is not masked, and differs between the two sets.
    let (low, high) = (|_: u64, at: usize| (at % 7) as u8, |_: u64, at: usize| (at % 5) as u8);
    assert!(check(&low, &high).0.is_some());
    assert_eq!(check(&pinned, &pinned), (None, 1600));
}
