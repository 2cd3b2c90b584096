//! Processes that fill or use a pool are killed at any moment: what is there is whole, and no query is used twice.
//!
//! The processes are this test's own program, told by a variable of the environment which part to play; what they did they
//! write to a pipe.

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use ptc_correlation::assemble::{Piece, assemble, disassemble, parts};
use ptc_correlation::{Packed, Supply};
use ptc_offline::pool::key::Key;
use ptc_offline::pool::{self, Pool};
use ptc_plan::Plan;
use ptc_plan::bill::{Part, bill};
use ptc_plan::file::Trust;
use ptc_plan::step::{Fixed, Form, Party, Step, StepOp, Value, ValueId};
use ptc_ring::Seed;

const FOLDER: &str = "PTC_TEST_POOL";
const PARTY: Party = Party::Client;
const QUERIES: u32 = 240;

/// One square of 300 elements: two kilobytes a query.
fn plan() -> Plan {
    let form = Form::Share(Fixed { bits: 30, frac: 0 });
    let value = Value { name: "value".into(), shape: vec![300], form, bound: None, error: None };
    let step = Step {
        op: StepOp::Square,
        inputs: vec![ValueId(0)],
        outputs: vec![ValueId(1)],
        round: 0,
        origin: 0,
        method: None,
    };
    Plan {
        model: "test".into(),
        entry: "test".into(),
        trust: Trust::Dealer,
        values: vec![value.clone(), value],
        steps: vec![step],
        ..Plan::default()
    }
}

/// What query `index` of these tests consumes.
fn bytes(plan: &Plan, index: u32) -> Vec<Vec<u8>> {
    let mut stream = Seed::from_bytes([6; 32]).stream(0, u64::from(index));
    let correlation = &bill(&plan.values, &plan.steps[0])[0];
    parts(correlation, PARTY).iter().map(|part| stream.bytes(part.bytes() as usize)).collect()
}

fn supply(plan: &Plan, index: u32) -> Supply {
    let correlation = &bill(&plan.values, &plan.steps[0])[0];
    let piece = |(part, bytes): (Part, Vec<u8>)| match part {
        Part::Ring { count, bits } => Piece::Ring(Packed::from_bytes(bits, count, bytes)),
        Part::Planes { .. } => unreachable!("a square has no planes"),
    };
    let pieces = parts(correlation, PARTY).into_iter().zip(bytes(plan, index)).map(piece).collect();
    let mut supply = Supply::new(1);
    supply.put(0, assemble(correlation, PARTY, pieces));
    supply
}

fn is_query(plan: &Plan, mut supply: Supply, index: u32) -> bool {
    let pieces = disassemble(supply.take_any(0).unwrap());
    let found = pieces.iter().map(|piece| match piece {
        Piece::Ring(packed) => packed.bytes().to_vec(),
        Piece::Planes(_) => vec![],
    });
    found.collect::<Vec<_>>() == bytes(plan, index)
}

fn key(folder: &Path) -> Key {
    Key::open_or_make(&folder.join("key")).unwrap()
}

fn open(folder: &Path) -> Pool {
    Pool::open(&folder.join("pool"), &key(folder), &[1; 32], PARTY).unwrap()
}

/// The part of a process that fills a pool.
fn fill(folder: &Path) {
    let plan = plan();
    let vacant = pool::reserve(&folder.join("pool")).unwrap();
    let mut writer = vacant.start(&key(folder), [1; 32], PARTY, [2; 32], QUERIES, [0; 32]).unwrap();
    for index in 0..QUERIES {
        writer.put(&plan, supply(&plan, index)).unwrap();
        println!("did {index}");
    }
}

/// The part of a process that uses queries one after the other.
fn consume(folder: &Path) {
    let (plan, mut pool) = (plan(), open(folder));
    let offer = pool.offer();
    for index in offer.first..offer.end {
        let supply = pool.take(&plan, index).unwrap();
        assert!(is_query(&plan, supply, index));
        println!("did {index}");
    }
}

/// The part that the environment asks this process to play.
fn folder_to_play() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

/// Runs the test `name` of this program as a process of its own, kills it once it said `after` times what it did, or lets it
/// end before. All that it did.
fn killed(name: &str, folder: &Path, after: usize) -> Vec<u32> {
    let program = std::env::current_exe().unwrap();
    let mut child: Child = Command::new(program)
        .args(["--exact", name, "--nocapture", "--test-threads", "1"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut did = vec![];
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        // Lines of the test's harness may stand before.
        if let Some((_, index)) = line.unwrap().split_once("did ") {
            did.push(index.parse().unwrap());
            if did.len() == after + 1 {
                // What it says from here on is read too.
                child.kill().unwrap();
            }
        }
    }
    child.wait().unwrap();
    did
}

/// Where the process is killed: after so many queries, and anywhere in the work on the next ones.
fn moments() -> impl Iterator<Item = usize> {
    Seed::from_bytes([8; 32]).stream(0, 0).words(10_000).into_iter().map(|word| (word % 7) as usize)
}

#[test]
fn who_uses_a_pool_is_killed() {
    if let Some(folder) = folder_to_play() {
        return consume(&folder);
    }
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path());
    let (mut used, mut kills) = (HashSet::new(), 0);
    for moment in moments() {
        let offer = open(folder.path()).offer();
        if offer.first >= offer.end {
            break;
        }
        assert!(used.iter().all(|index| *index < offer.first), "a used query is offered again");
        for index in killed("who_uses_a_pool_is_killed", folder.path(), moment) {
            assert!(used.insert(index), "query {index} was used twice");
        }
        kills += 1;
    }
    assert!(kills > 10, "{kills} processes");
    assert!(used.len() > QUERIES as usize / 2, "{} queries of {QUERIES} were used", used.len());
}

#[test]
fn who_fills_a_pool_is_killed() {
    if let Some(folder) = folder_to_play() {
        return fill(&folder);
    }
    let plan = plan();
    for moment in moments().take(12) {
        let folder = tempfile::tempdir().unwrap();
        let did = killed("who_fills_a_pool_is_killed", folder.path(), moment);
        let mut pool = open(folder.path());
        let offer = pool.offer();
        assert!(offer.first == 0 && offer.end as usize >= did.len(), "what was filled is there");
        for index in 0..offer.end {
            assert!(is_query(&plan, pool.take(&plan, index).unwrap(), index), "query {index} is whole");
        }
        drop(pool);
        assert!(pool::reserve(&folder.path().join("pool")).is_err(), "a pool is filled once");
    }
}
