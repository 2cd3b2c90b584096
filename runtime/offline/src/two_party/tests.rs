//! Pieces against their ideal relations, on transfers that a test deals.

use std::sync::Arc;

use ptc_correlation::assemble::disassemble;
use ptc_correlation::assemble::{Piece as Part, parts};
use ptc_correlation::{Packed, Planes};
use ptc_kernels::Portable;
use ptc_net::{Channel, PeerError, memory};
use ptc_ot::block::{Block, Blocks};
use ptc_plan::Plan;
use ptc_plan::bill::{Correlation, Part as Wire, bill};
use ptc_plan::file::{Making, Trust};
use ptc_plan::step::{Exp2, Fixed, Form, Levels, Method, Owner, Party, Step, StepOp, Value, ValueId};
use ptc_plan::two_party::by_transfers as needed;
use ptc_plan::two_party::piece::pieces;
use ptc_plan::two_party::price;
use ptc_plan::two_party::transfer::Extension;
use ptc_plan::two_party::ways::methods;
use ptc_ring::Seed;
use ptc_ring::tensor::{clear_tail, mask};

mod matrices;

use super::Session;
use super::piece::start;
use super::transfers::{Received, Sent, Transfers};
use crate::correct::correction;
use crate::factors::Factors;

/// `count` transfers with one `delta`, as sender and receiver have them.
fn deal(seed: &Seed, direction: u64, count: usize) -> (Sent, Received) {
    let mut stream = seed.stream(9, direction);
    let mut block = || -> Block {
        let words = stream.words(2);
        Block::from(words[0]) | Block::from(words[1]) << 64
    };
    let delta = block() | 1;
    let q: Vec<Block> = (0..count).map(|_| block()).collect();
    let choices = seed.stream(10, direction).bits(count);
    let bit = |at: usize| Block::from(choices.words[at / 64] >> (at % 64) & 1).wrapping_neg();
    let t = q.iter().enumerate().map(|(at, q)| q ^ bit(at) & delta).collect();
    let sent = Sent::new(Arc::new(Blocks::new(q)), delta, 0, count, 77);
    (sent, Received::new(Arc::new(Blocks::new(t)), Arc::new(choices), 0, count, 77))
}

/// Parties with what a piece needs: the transfers of the pieces before it leave no whole words.
fn ready(correlation: &Correlation, seed: &Seed) -> [Transfers; 2] {
    let skipped = 3;
    let [(sent0, received0), (sent1, received1)] = [0, 1].map(|direction| {
        let count = needed(correlation)[direction as usize].transfers;
        let (mut sent, mut received) = deal(seed, direction, count + skipped);
        sent.take(skipped);
        received.take(skipped);
        (sent, received)
    });
    [Transfers { sent: sent0, received: received1 }, Transfers { sent: sent1, received: received0 }]
}

/// Parts of server and client, the lengths of messages held against the plan's.
fn make(correlation: &Correlation, weights: &[u64], seed: u8) -> [Vec<Part>; 2] {
    let seed = Seed::from_bytes([seed; 32]);
    let [of_server, of_client] = ready(correlation, &seed);
    let [server, client] = needed(correlation);
    let at_server = start(correlation, Party::Server, of_server, Some(weights), &mut seed.stream(1, 0), &Portable);
    let at_client = start(correlation, Party::Client, of_client, None, &mut seed.stream(1, 1), &Portable);
    assert_eq!(at_server.message.len() as u64, server.bytes, "the server's message for {correlation:?}");
    assert_eq!(at_client.message.len() as u64, client.bytes, "the client's message for {correlation:?}");
    let (to_client, to_server) = (at_server.message.clone(), at_client.message.clone());
    let made = [at_server.finish(&to_server).unwrap(), at_client.finish(&to_client).unwrap()];
    for (party, made) in [Party::Server, Party::Client].into_iter().zip(&made) {
        let expected = parts(correlation, party);
        assert_eq!(made.len(), expected.len(), "parts of {correlation:?} at {party:?}");
        made.iter().zip(expected).for_each(|(part, wire)| assert!(part.fits(wire), "{wire:?} of {correlation:?}"));
    }
    made
}

fn check_with(correlation: &Correlation, weights: &[u64], seed: u8) {
    let made = make(correlation, weights, seed);
    check_relation(correlation, &made, &factors(correlation, weights));
}

/// The client's last parts are those by which a dealer would have corrected what both parties hold.
fn check_relation(correlation: &Correlation, made: &[Vec<Part>; 2], factors: &Factors) {
    let [server, client] = made.each_ref().map(|parts| parts.iter().map(copy).collect::<Vec<_>>());
    let (mut uniform, corrections) = (client, correlation.corrections());
    let last = uniform.split_off(uniform.len() - corrections.len());
    let mut dealt = &correction(correlation, server, uniform, factors, &Portable)[..];
    for (part, wire) in last.iter().zip(corrections) {
        let (expected, rest) = dealt.split_at(wire.bytes() as usize);
        let same = match (part, wire) {
            (Part::Ring(found), Wire::Ring { .. }) => found.bytes() == expected,
            (Part::Planes(found), Wire::Planes { count, planes }) => {
                let words = expected.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word));
                let expected = Planes::from_words(count, planes, words.collect());
                let plane = |planes: &Planes, at: usize| {
                    let mut words = planes.plane(at).to_vec();
                    clear_tail(&mut words, count);
                    words
                };
                (0..planes).all(|at| plane(found, at) == plane(&expected, at))
            }
            _ => panic!("a part of another form"),
        };
        assert!(same, "{wire:?} of {correlation:?}");
        dealt = rest;
    }
    check_opened_tails(correlation, made);
}

fn check(correlation: Correlation) {
    check_with(&correlation, &[], correlation_seed(&correlation));
}

fn correlation_seed(correlation: &Correlation) -> u8 {
    format!("{correlation:?}").bytes().fold(0, |sum: u8, byte| sum.wrapping_mul(31).wrapping_add(byte))
}

/// Masks are opened by whole words: what lies beyond the last element must not be a choice of another transfer.
fn check_opened_tails(correlation: &Correlation, made: &[Vec<Part>; 2]) {
    for (party, made) in [Party::Server, Party::Client].into_iter().zip(made) {
        for (part, wire) in made.iter().zip(parts(correlation, party)) {
            if let (Part::Planes(found), Wire::Planes { count, planes }) = (part, wire) {
                for plane in 0..planes {
                    let last = found.plane(plane).last().copied().unwrap_or(0);
                    assert!(count.is_multiple_of(64) || last <= mask(count as u32 % 64), "{correlation:?}");
                }
            }
        }
    }
}

fn copy(part: &Part) -> Part {
    match part {
        Part::Ring(packed) => Part::Ring(Packed::from_bytes(packed.bits(), packed.len(), packed.bytes().to_vec())),
        Part::Planes(planes) if planes.words().is_empty() => Part::Planes(Planes::from_words(0, 0, vec![])),
        Part::Planes(planes) => {
            // As many words, all of them elements.
            let words = planes.words().to_vec();
            let stride = planes.plane(0).len();
            Part::Planes(Planes::from_words(64 * stride, words.len() / stride.max(1), words))
        }
    }
}

/// Factors of a plan whose one step multiplies by `weights`.
fn factors(correlation: &Correlation, weights: &[u64]) -> Factors {
    let (op, shapes, bits) = match *correlation {
        Correlation::StaticMul { count, period, bits, factor_bits, .. } => {
            let op = StepOp::StaticMul { owner: Party::Server, factor_bits };
            (op, [vec![count], vec![period], vec![count]], bits)
        }
        Correlation::StaticMatMul { rows, inner, columns, bits, factor_bits, .. } => {
            let op = StepOp::StaticMatMul { owner: Party::Server, factor_bits };
            (op, [vec![rows, inner], vec![inner, columns], vec![rows, columns]], bits)
        }
        _ => return Factors::default(),
    };
    let value =
        |shape: &Vec<usize>, form| Value { name: "value".into(), shape: shape.clone(), form, bound: None, error: None };
    let fixed = Fixed { bits, frac: 0 };
    let step =
        Step { op, inputs: vec![ValueId(0), ValueId(1)], outputs: vec![ValueId(2)], round: 0, origin: 0, method: None };
    let share = |shape| value(shape, Form::Share(fixed));
    let [x, weight, product] = &shapes;
    let plan = Plan {
        values: vec![share(x), value(weight, Form::Encoded(Owner::Server, fixed)), share(product)],
        steps: vec![step],
        ..empty()
    };
    Factors::prepare(&plan, &Portable, |_| weights)
}

const COUNTS: [usize; 6] = [1, 63, 64, 65, 511, 1000];

#[test]
fn triples_multiply_in_every_ring() {
    for bits in 1..=64 {
        check(Correlation::Mul { count: 65, each: 1, bits });
        check(Correlation::Mul { count: 66, each: 6, bits });
    }
    for count in COUNTS {
        check(Correlation::Mul { count, each: 1, bits: 37 });
        check(Correlation::Mul { count: 3 * count, each: 3, bits: 21 });
        check(Correlation::Mul { count: 700 * count.min(10), each: 700, bits: 33 });
    }
    check(Correlation::Mul { count: 0, each: 1, bits: 9 });
}

#[test]
fn squares_in_every_ring() {
    for bits in 1..=64 {
        check(Correlation::Square { count: 130, bits });
    }
    COUNTS.into_iter().for_each(|count| check(Correlation::Square { count, bits: 38 }));
}

#[test]
fn a_mask_of_each_party() {
    for (count, period) in [(1, 1), (64, 64), (130, 13), (1001, 1001), (1000, 1), (2100, 300)] {
        for bits in [1, 2, 31, 32, 33, 63, 64] {
            check(Correlation::CrossMul { count, period, bits });
        }
    }
}

#[test]
fn weights_of_every_size_and_sign() {
    for (count, period) in [(1, 1), (64, 64), (130, 13), (999, 333), (2100, 300)] {
        for (bits, factor_bits) in [(1, 1), (8, 1), (8, 8), (37, 17), (33, 2), (64, 64), (64, 13)] {
            let uniform = Seed::from_bytes([3; 32]).stream(0, period as u64).ring(factor_bits, period);
            // The ends come first: the most negative, the largest, minus one, zero.
            let ends = [1 << (factor_bits - 1), mask(factor_bits - 1), mask(factor_bits), 0];
            let signed = ends.into_iter().chain(uniform).take(period);
            let extended = |w: u64| ((w << (64 - factor_bits)) as i64 >> (64 - factor_bits)) as u64 & mask(bits);
            let weights: Vec<u64> = signed.map(extended).collect();
            let correlation = Correlation::StaticMul { weight: ValueId(1), count, period, bits, factor_bits };
            check_with(&correlation, &weights, 5);
        }
    }
}

#[test]
fn bits_and_their_products() {
    for bits in 1..=64 {
        check(Correlation::Wrap { count: 65, bits });
        check(Correlation::BitToShare { count: 65, bits });
        check(Correlation::Gate { count: 65, bits });
    }
    for count in COUNTS {
        check(Correlation::Wrap { count, bits: 9 });
        check(Correlation::BitToShare { count, bits: 30 });
        check(Correlation::Gate { count, bits: 37 });
        check(Correlation::And { count });
    }
}

#[test]
fn comparisons_in_every_ring() {
    for bits in 1..=64 {
        check(Correlation::Compare { count: 65, bits });
    }
    COUNTS.into_iter().for_each(|count| check(Correlation::Compare { count, bits: 18 }));
}

#[test]
fn tables_turn_by_every_rotation() {
    let table =
        |index_bits: u32, bits: u32| Seed::from_bytes([6; 32]).stream(u64::from(bits), 0).ring(bits, 1 << index_bits);
    for index_bits in 1..=8 {
        for rings in [vec![1], vec![7], vec![30], vec![64], vec![3, 8], vec![20, 33], vec![12, 12, 31]] {
            let values = rings.iter().map(|bits| table(index_bits, *bits)).collect();
            check(Correlation::Table { count: 13, index_bits, rings, values });
        }
    }
    for count in [1, 4, 63, 64, 65] {
        check(Correlation::Table {
            count,
            index_bits: 5,
            rings: vec![17, 20],
            values: vec![table(5, 17), table(5, 20)],
        });
    }
}

#[test]
fn messages_of_another_length_are_refused() {
    let count = 70;
    let table = |bits: u32| vec![0; 1 << bits];
    for correlation in [
        Correlation::StaticMul { weight: ValueId(1), count, period: 7, bits: 20, factor_bits: 9 },
        Correlation::CrossMul { count, period: 7, bits: 20 },
        Correlation::StaticMatMul { weight: ValueId(1), rows: 3, inner: 7, columns: 1, bits: 20, factor_bits: 9 },
        Correlation::CrossMatMul { rows: 3, inner: 7, columns: 2, bits: 20 },
        Correlation::MatMul { batch: 2, rows: 3, inner: 7, columns: 2, transpose_b: true, bits: 20 },
        Correlation::Mul { count, each: 1, bits: 20 },
        Correlation::Square { count, bits: 20 },
        Correlation::Wrap { count, bits: 5 },
        Correlation::Compare { count, bits: 18 },
        Correlation::And { count },
        Correlation::BitToShare { count, bits: 20 },
        Correlation::Gate { count, bits: 20 },
        Correlation::Table { count, index_bits: 3, rings: vec![20], values: vec![table(3)] },
    ] {
        let seed = Seed::from_bytes([1; 32]);
        let expected = needed(&correlation).map(|share| share.bytes as usize);
        for (party, other) in [(Party::Server, expected[1]), (Party::Client, expected[0])] {
            for length in [other + 1, other + 8, other.wrapping_sub(1), 0] {
                if length == other || length > other + 8 {
                    continue;
                }
                let [server, client] = ready(&correlation, &seed);
                let transfers = if party == Party::Server { server } else { client };
                let started = start(&correlation, party, transfers, Some(&[0; 7]), &mut seed.stream(1, 0), &Portable);
                let refused = started.finish(&vec![0; length]).err();
                assert!(
                    matches!(refused, Some(PeerError::WrongLength { found, .. }) if found == length),
                    "{length} bytes for {correlation:?} at {party:?}"
                );
            }
        }
    }
}

/// A plan that consumes every kind of correlation, some in several pieces; its weights.
fn every_kind() -> (Plan, Vec<Vec<u64>>) {
    let mut plan = empty();
    let mut value = |shape: &[usize], form| {
        plan.values.push(Value { name: "value".into(), shape: shape.to_vec(), form, bound: None, error: None });
        ValueId(plan.values.len() as u32 - 1)
    };
    let share = |bits| Form::Share(Fixed { bits, frac: 0 });
    let encoded = |owner, bits| Form::Encoded(owner, Fixed { bits, frac: 0 });
    let (x, w) = (value(&[9, 40], share(37)), value(&[40, 30], encoded(Owner::Server, 37)));
    let (row, factor) = (value(&[40], encoded(Owner::Server, 37)), value(&[40, 20], encoded(Owner::Client, 37)));
    let (keep, products) = (value(&[9, 40], encoded(Owner::Client, 37)), value(&[9, 30], share(36)));
    let (left, right) = (value(&[3, 5, 7], share(34)), value(&[3, 7, 6], share(34)));
    let (turned, scores) = (value(&[3, 6, 7], share(34)), value(&[3, 5, 6], share(33)));
    let (long, rows) = (value(&[300, 70], share(38)), value(&[300, 1], share(38)));
    let (narrow, grown) = (value(&[300, 70], share(20)), value(&[300, 70], share(30)));
    let (bits, crossed) = (value(&[300, 70], Form::Bits), value(&[9, 20], share(37)));
    let (first, second) = (value(&[300, 70], share(20)), value(&[300, 70], share(13)));
    let exp = Exp2::for_range(16, 13, 3);
    let (power, reached) = (value(&[300, 70], share(exp.ring)), value(&[300, 1], share(12)));
    let table = |bits: u32| Seed::from_bytes([8; 32]).stream(0, u64::from(bits)).ring(bits, 8);
    let steps = [
        (StepOp::StaticMatMul { owner: Party::Server, factor_bits: 17 }, vec![x, w], vec![products]),
        (StepOp::Mul, vec![long, long], vec![long]),
        (StepOp::StaticMul { owner: Party::Server, factor_bits: 17 }, vec![x, row], vec![x]),
        (StepOp::StaticMatMul { owner: Party::Client, factor_bits: 37 }, vec![x, factor], vec![crossed]),
        (StepOp::StaticMul { owner: Party::Client, factor_bits: 37 }, vec![x, keep], vec![x]),
        (StepOp::MatMul { transpose_b: false }, vec![left, right], vec![scores]),
        (StepOp::MatMul { transpose_b: true }, vec![left, turned], vec![scores]),
        (StepOp::Mul, vec![long, rows], vec![long]),
        (StepOp::Square, vec![long], vec![long]),
        (StepOp::Rescale, vec![narrow], vec![grown]),
        (StepOp::Compare { threshold: 3 }, vec![narrow], vec![bits]),
        (StepOp::And, vec![bits, bits], vec![bits]),
        (StepOp::BitToShare, vec![bits], vec![narrow]),
        (StepOp::Gate, vec![bits, long], vec![long]),
        (
            StepOp::Table { index_bits: 3, shift: 0, values: vec![table(20), table(13)] },
            vec![narrow],
            vec![first, second],
        ),
        (StepOp::Exp2(exp), vec![long], vec![power]),
        (StepOp::Max, vec![x], vec![rows]),
        (StepOp::Levels(Levels { index_bits: 5, shift: 9, first: 3, count: 7 }), vec![long], vec![reached]),
        (StepOp::Reveal { to: Party::Client }, vec![x], vec![x]),
    ];
    let step = |(op, inputs, outputs)| Step { op, inputs, outputs, round: 0, origin: 0, method: None };
    plan.steps = steps.into_iter().map(step).collect();
    let weight = |id: usize, of: &Value| -> Vec<u64> {
        let signed = |w: u64| ((w << 47) as i64 >> 47) as u64 & mask(37);
        Seed::from_bytes([7; 32]).stream(0, id as u64).ring(17, of.len()).into_iter().map(signed).collect()
    };
    let weights = plan.values.iter().enumerate().map(|(id, value)| weight(id, value)).collect();
    (plan, weights)
}

fn empty() -> Plan {
    Plan { model: "test".into(), entry: "test".into(), trust: Trust::Dealer, ..Plan::default() }
}

/// Two queries of one session: every correlation is what a dealer would have dealt, and traffic is what the plan says.
fn check_session(making: Making, method: Option<Method>) {
    let (mut plan, weights) = every_kind();
    for step in &mut plan.steps {
        step.method = method.filter(|method| methods(&plan.values, step).contains(method));
    }
    check_queries(&plan, &weights, making);
}

fn check_queries(plan: &Plan, weights: &[Vec<u64>], making: Making) {
    let (mut server, mut client) = memory::pair();
    let play = |party: Party, channel: &mut memory::Memory| {
        let factor = |id: ValueId| &weights[id.0 as usize][..];
        let mut session = Session::open(plan, making, party, channel, factor, Arc::new(Portable)).unwrap();
        let mut counted = vec![channel.counters()];
        let supplies = [(); 2].map(|()| {
            let supply = session.query(channel, factor, &mut |_| ()).unwrap();
            counted.push(channel.counters());
            supply
        });
        (supplies, counted)
    };
    let [(servers, of_server), (clients, of_client)] = std::thread::scope(|scope| {
        let server = scope.spawn(|| play(Party::Server, &mut server));
        let client = scope.spawn(|| play(Party::Client, &mut client));
        [server, client].map(|thread| thread.join().unwrap())
    });
    let setup = price::setup(plan, making);
    for queries in 0..=2 {
        let flow = price::queries(plan, making, queries);
        let sent = [0, 1].map(|party| setup.sent[party] + flow.sent[party]);
        let (server, client) = (of_server[queries], of_client[queries]);
        assert_eq!([server.sent, client.sent], sent, "after {queries} queries");
        assert_eq!([server.received, client.received], [sent[1], sent[0]], "after {queries} queries");
        assert_eq!([server.rounds, client.rounds], [setup.rounds + flow.rounds; 2], "after {queries} queries");
    }
    let factors = Factors::prepare(plan, &Portable, |id| &weights[id.0 as usize]);
    for (mut server, mut client) in servers.into_iter().zip(clients) {
        for (at, step) in plan.steps.iter().enumerate() {
            for correlation in bill(&plan.values, step) {
                let made = [&mut server, &mut client].map(|supply| disassemble(supply.take_any(at).unwrap()));
                check_relation(&correlation, &made, &factors);
            }
            assert!(server.take_any(at).is_err() && client.take_any(at).is_err(), "no more than the bill lists");
        }
    }
}

#[test]
fn sessions_make_every_kind() {
    check_session(Making::FAST, None);
}

#[test]
fn silent_sessions_make_every_kind() {
    check_session(Making::SPARING, None);
}

#[test]
fn every_field_extends_transfers() {
    for (bits, method) in [(1, Method::Transfers), (2, Method::Encrypted), (8, Method::Transfers)] {
        check_session(Making { extension: Extension::Subfield { bits }, ..Making::FAST }, Some(method));
    }
}

#[test]
fn silent_sessions_without_encryption() {
    check_session(Making::SPARING, Some(Method::Transfers));
}

/// Nor does a session wait for any: it opens with keys alone.
#[test]
fn encrypted_matrices_need_no_transfers() {
    let (mut plan, weights) = every_kind();
    plan.steps.retain(|step| matches!(step.op, StepOp::StaticMatMul { .. } | StepOp::MatMul { .. }));
    plan.steps.iter_mut().for_each(|step| step.method = Some(Method::Encrypted));
    let setup = price::setup(&plan, Making::SPARING);
    assert_eq!((setup.rounds, setup.sent[0]), (1, 0));
    check_queries(&plan, &weights, Making::SPARING);
}

#[test]
fn larger_weights_than_the_plan_promises_are_refused() {
    let (plan, mut weights) = every_kind();
    weights[1][5] = 1 << 16;
    let (mut server, _client) = memory::pair();
    let factor = |id: ValueId| &weights[id.0 as usize][..];
    let error = Session::open(&plan, Making::FAST, Party::Server, &mut server, factor, Arc::new(Portable)).err();
    let text = error.map(|error| error.to_string()).unwrap_or_default();
    assert!(text.starts_with("`value` holds an element of more than 17 bits"), "{text}");
}
