//! Pools in a folder of each test, filled with random parts of the right sizes.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use ptc_correlation::assemble::{Piece, assemble, parts};
use ptc_correlation::{Packed, Planes};
use ptc_plan::bill::{Part, bill};
use ptc_plan::file::Trust;
use ptc_plan::step::{Exp2, Fixed, Form, Owner, Step, StepOp, Value, ValueId};
use tempfile::TempDir;

use super::*;

const PLAN: [u8; 32] = [1; 32];
const ID: [u8; 32] = [2; 32];
const WEIGHTS: [u8; 32] = [3; 32];
const PARTY: Party = Party::Client;

/// Steps that consume each kind of correlation; `width` makes queries longer than a sealed piece.
fn plan(width: usize) -> Plan {
    let value =
        |shape: &[usize], form| Value { name: "value".into(), shape: shape.to_vec(), form, bound: None, error: None };
    let share = |shape: &[usize], bits, frac| value(shape, Form::Share(Fixed { bits, frac }));
    let weight = |shape: &[usize], owner| value(shape, Form::Encoded(owner, Fixed { bits: 30, frac: 0 }));
    let values = vec![
        share(&[9, width], 37, 12),
        weight(&[width, 7], Owner::Server),
        weight(&[width], Owner::Client),
        share(&[9, 7], 37, 24),
        share(&[9, width], 40, 12),
        share(&[9, 9], 37, 24),
        value(&[9, width], Form::Bits),
        share(&[9], 37, 12),
    ];
    let exp = Exp2::for_range(32, 13, 3);
    let ops: Vec<(StepOp, &[u32], u32)> = vec![
        (StepOp::StaticMatMul { owner: Party::Server, factor_bits: 12 }, &[0, 1], 3),
        (StepOp::StaticMatMul { owner: Party::Client, factor_bits: 12 }, &[0, 1], 3),
        (StepOp::StaticMul { owner: Party::Server, factor_bits: 12 }, &[0, 2], 4),
        (StepOp::StaticMul { owner: Party::Client, factor_bits: 12 }, &[0, 2], 4),
        (StepOp::MatMul { transpose_b: true }, &[0, 0], 5),
        (StepOp::Mul, &[0, 0], 4),
        (StepOp::Square, &[0], 4),
        (StepOp::Rescale, &[0], 4),
        (StepOp::Compare { threshold: 0 }, &[0], 6),
        (StepOp::And, &[6, 6], 6),
        (StepOp::BitToShare, &[6], 4),
        (StepOp::Gate, &[6, 0], 4),
        (StepOp::Table { index_bits: 3, shift: 0, values: vec![vec![0; 8]; 1] }, &[0], 4),
        (StepOp::Exp2(exp), &[0], 4),
        (StepOp::Max, &[0], 7),
    ];
    let step = |(op, inputs, output): (StepOp, &[u32], u32)| Step {
        op,
        inputs: inputs.iter().map(|&i| ValueId(i)).collect(),
        outputs: vec![ValueId(output)],
        round: 0,
        origin: 0,
        method: None,
    };
    Plan {
        model: "test".into(),
        entry: "test".into(),
        trust: Trust::Dealer,
        values,
        steps: ops.into_iter().map(step).collect(),
        ..Plan::default()
    }
}

/// Random parts, the same for the same `seed`.
fn supply(plan: &Plan, party: Party, seed: u8) -> Supply {
    let (mut supply, mut stream) = (Supply::new(plan.steps.len()), Seed::from_bytes([seed; 32]).stream(0, 0));
    for (at, step) in plan.steps.iter().enumerate() {
        for correlation in bill(&plan.values, step) {
            let mut draw = |part: Part| match part {
                Part::Ring { count, bits } => {
                    Piece::Ring(Packed::from_bytes(bits, count, stream.bytes(part.bytes() as usize)))
                }
                Part::Planes { count, planes } => {
                    Piece::Planes(Planes::from_words(count, planes, stream.words(part.bytes() as usize / 8)))
                }
            };
            let pieces = parts(&correlation, party).into_iter().map(&mut draw).collect();
            supply.put(at, assemble(&correlation, party, pieces));
        }
    }
    supply
}

fn to_bytes(plan: &Plan, party: Party, supply: Supply) -> Vec<u8> {
    let mut bytes = vec![];
    query::write(plan, party, supply, |part| {
        bytes.extend_from_slice(part);
        Ok(())
    })
    .unwrap();
    bytes
}

struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Place {
        Place { folder: tempfile::tempdir().unwrap() }
    }

    fn pool(&self) -> PathBuf {
        self.folder.path().join("pool")
    }

    fn query(&self, index: u32) -> PathBuf {
        self.pool().join(query_name(index))
    }

    fn key(&self) -> Key {
        Key::open_or_make(&self.folder.path().join("keys/pool.key")).unwrap()
    }

    /// A pool of `queries` queries.
    fn fill(&self, plan: &Plan, queries: u32) {
        let vacant = reserve(&self.pool()).unwrap();
        let mut writer = vacant.start(&self.key(), PLAN, PARTY, ID, queries, WEIGHTS).unwrap();
        (0..queries).for_each(|index| writer.put(plan, supply(plan, PARTY, index as u8)).unwrap());
    }

    fn open(&self) -> Result<Pool, PoolError> {
        Pool::open(&self.pool(), &self.key(), &PLAN, PARTY)
    }
}

fn check_error<T>(outcome: Result<T, PoolError>, parts: &[&str]) {
    let error = outcome.err().expect("an error").to_string();
    parts.iter().for_each(|part| assert!(error.contains(part), "`{part}` is not in `{error}`"));
}

#[test]
fn every_kind_of_correlation_comes_back_at_both_parties() {
    for (party, width) in [(Party::Server, 5), (Party::Client, 5), (Party::Client, 700)] {
        let (place, plan) = (Place::new(), plan(width));
        let vacant = reserve(&place.pool()).unwrap();
        let mut writer = vacant.start(&place.key(), PLAN, party, ID, 2, WEIGHTS).unwrap();
        (0..2).for_each(|seed| writer.put(&plan, supply(&plan, party, seed)).unwrap());
        drop(writer);
        let mut pool = Pool::open(&place.pool(), &place.key(), &PLAN, party).unwrap();
        pool.check_weights(&WEIGHTS).unwrap();
        assert_eq!(pool.offer(), Offer { id: ID, first: 0, end: 2 });
        for index in 0..2 {
            let found = to_bytes(&plan, party, pool.take(&plan, index).unwrap());
            assert_eq!(found.len() as u64, query::bytes(&plan, party));
            assert!(found == to_bytes(&plan, party, supply(&plan, party, index as u8)), "query {index} at {party:?}");
            assert!(!place.query(index).exists());
        }
    }
}

#[test]
fn a_query_is_taken_once_and_those_before_it_are_gone() {
    let (place, plan) = (Place::new(), plan(3));
    place.fill(&plan, 4);
    let mut pool = place.open().unwrap();
    pool.take(&plan, 1).unwrap();
    check_error(pool.take(&plan, 1), &["query-00000001", "is not there"]);
    check_error(pool.take(&plan, 0), &["query-00000000", "is not there"]);
    drop(pool);
    assert_eq!(place.open().unwrap().offer(), Offer { id: ID, first: 2, end: 4 });
    assert_eq!(status(&place.pool()).unwrap().left, 2..4);
}

#[test]
fn what_both_still_have_is_used() {
    let offer = |id, first, end| Some(Offer { id: [id; 32], first, end });
    assert_eq!(common(offer(1, 0, 5), offer(1, 2, 9)), 2..5);
    assert!(common(offer(1, 0, 2), offer(1, 2, 9)).is_empty());
    assert!(common(offer(1, 5, 9), offer(1, 0, 3)).is_empty());
    assert!(common(offer(1, 0, 5), offer(2, 0, 5)).is_empty());
    assert!(common(offer(1, 0, 5), None).is_empty() && common(None, None).is_empty());
}

#[test]
fn what_was_changed_is_refused_by_name_and_stays() {
    let plan = plan(700);
    let place = Place::new();
    place.fill(&plan, 3);
    let original = fs::read(place.query(0)).unwrap();
    assert!(original.len() > (1 << 20) + 16, "more than one piece");
    let check = |bytes: &[u8], part: &str| {
        fs::write(place.query(0), bytes).unwrap();
        check_error(place.open().unwrap().take(&plan, 0), &["query-00000000", part]);
        assert!(place.query(0).exists(), "it is not used");
    };
    for at in [0, 1 << 20, original.len() - 1] {
        let mut changed = original.clone();
        changed[at] ^= 4;
        check(&changed, "has been changed");
    }
    check(&original[..original.len() - 1], "bytes where");
    check(&[&original[..], &[0]].concat(), "bytes where");
    check(&[], "has 0 bytes where");
    check(&fs::read(place.query(1)).unwrap(), "belongs to another place");
    // Another pool of the same owner, plan and session.
    let other = Place::new();
    let mut writer = reserve(&other.pool()).unwrap().start(&place.key(), PLAN, PARTY, ID, 1, WEIGHTS).unwrap();
    writer.put(&plan, supply(&plan, PARTY, 0)).unwrap();
    check(&fs::read(other.query(0)).unwrap(), "another pool");
    fs::write(place.query(0), &original).unwrap();
    place.open().unwrap().take(&plan, 0).unwrap();
}

#[test]
fn a_pool_of_something_else_is_refused_by_name() {
    let (place, plan) = (Place::new(), plan(3));
    place.fill(&plan, 1);
    let path = place.pool();
    check_error(Pool::open(&path, &place.key(), &[9; 32], PARTY), &["another plan"]);
    check_error(Pool::open(&path, &place.key(), &PLAN, Party::Server), &["is that of party 1"]);
    check_error(Pool::open(&path, &Place::new().key(), &PLAN, PARTY), &["header", "sealed with another key"]);
    check_error(place.open().unwrap().check_weights(&[4; 32]), &["other weights"]);
    check_error(Pool::open(&place.folder.path().join("none"), &place.key(), &PLAN, PARTY), &["none"]);
    let header = fs::read(path.join(HEADER)).unwrap();
    for at in 0..header.len() {
        let mut changed = header.clone();
        changed[at] ^= 1;
        fs::write(path.join(HEADER), &changed).unwrap();
        assert!(place.open().is_err(), "byte {at}");
    }
    fs::write(path.join(HEADER), &header[1..]).unwrap();
    check_error(place.open(), &["header", "another length"]);
    fs::remove_file(path.join(HEADER)).unwrap();
    check_error(place.open(), &["header", "cut short"]);
}

#[test]
fn a_pool_cut_short_has_what_was_finished() {
    let (place, plan) = (Place::new(), plan(3));
    place.fill(&plan, 2);
    fs::write(place.pool().join(".query-00000002.part"), b"half").unwrap();
    assert_eq!(place.open().unwrap().offer(), Offer { id: ID, first: 0, end: 2 });
    // A gap ends what is offered.
    fs::rename(place.query(1), place.query(5)).unwrap();
    assert_eq!(place.open().unwrap().offer().end, 1);
    fs::remove_file(place.query(0)).unwrap();
    assert_eq!(place.open().unwrap().offer(), Offer { id: ID, first: 5, end: 6 });
    check_error(place.open().unwrap().take(&plan, 5), &["query-00000005", "belongs to another place"]);
}

#[test]
fn one_process_at_a_time_and_one_filling() {
    let (place, plan) = (Place::new(), plan(3));
    let vacant = reserve(&place.pool()).unwrap();
    check_error(reserve(&place.pool()), &["another process"]);
    drop(vacant);
    place.fill(&plan, 1);
    let pool = place.open().unwrap();
    check_error(place.open(), &["another process"]);
    drop(pool);
    check_error(reserve(&place.pool()), &["not empty"]);
    assert_eq!(status(&place.pool()).unwrap().header.queries, 1);
}

#[test]
fn folders_and_keys_that_others_may_open_are_refused() {
    let (place, plan) = (Place::new(), plan(3));
    place.fill(&plan, 1);
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let rights = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((rights(&place.pool()), rights(&place.query(0))), (0o700, 0o600));
    mode(&place.pool(), 0o750);
    check_error(place.open(), &["pool", "is open to other users"]);
    mode(&place.pool(), 0o700);

    let path = place.folder.path().join("keys/pool.key");
    assert_eq!(rights(&path), 0o600);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    mode(&path, 0o644);
    check_error(Key::open(&path), &["pool.key", "is open to other users"]);
    mode(&path, 0o600);
    for length in [0, 31, 33] {
        fs::write(&path, vec![1; length]).unwrap();
        check_error(Key::open(&path), &["pool.key", "where 32 are expected"]);
    }
    check_error(Key::open(&place.folder.path().join("none")), &["none", "--pool-key"]);
}

#[test]
fn threads_that_make_a_key_at_once_all_have_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys").join("key");
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..16).map(|_| scope.spawn(|| Key::open_or_make(&path).is_ok())).collect();
        all.into_iter().for_each(|made| assert!(made.join().unwrap()));
    });
    assert_eq!(std::fs::read_dir(folder.path().join("keys")).unwrap().count(), 1, "no part is left");
}
