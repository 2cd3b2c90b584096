//! Every message of every protocol, changed on its way between honest parties in each of ten ways: both parties end soon,
//! with an error or with the right result, nobody panics, and memory stays what honest sessions take.

use std::collections::{BTreeMap, BTreeSet};
use std::panic;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Once};
use std::thread::scope;
use std::time::Duration;

use ptc_exec::run::Results;
use ptc_offline::two_party::spent::kind;
use ptc_plan::bill::bill;
use ptc_plan::price;
use ptc_plan::step::StepOp;
use ptc_plan::two_party::piece::batches;
use ptc_plan::two_party::ways::methods_of;

use crate::MEMORY;
use crate::labels::{Log, Logged, kinds};
use crate::scenario::{Ending, Given, Kind, Scenario, all, memory_ends};
use crate::tampering::{CHANGES, Change, mix};
use crate::wire::{Played, Recorded, Tampering, play};

/// What a party waits for the other, and how long it may take until both have ended.
const IDLE: Duration = Duration::from_secs(1);
const LIMIT: Duration = Duration::from_secs(5);

/// Honest sessions on a busy machine.
const PATIENT: Duration = Duration::from_secs(60);

/// Sessions at the same time; most of them wait.
const WORKERS: usize = 12;

/// All of the process together, where a frame may announce four.
const MOST_MEMORY: usize = 2 << 30;

/// Results that follow an index, which may be one too low as each party shifts its own share: they may jump.
const JUMPS: [&str; 5] = ["first", "second", "marked", "rest", "reached"];

/// Far more than rounding makes of results up to some hundreds, in units of `2^-12`; far less than what is random.
const NEAR: f32 = 0.05;

/// A scenario with what honest parties send in it, and get.
struct Known {
    scenario: Scenario,
    messages: Vec<Logged>,
    other: Recorded,
    /// By party, name and element: the least and the most that came out.
    results: [BTreeMap<String, Vec<[f32; 2]>>; 2],
}

static KNOWN: LazyLock<Vec<Known>> = LazyLock::new(|| all().into_iter().map(Known::new).collect());

impl Known {
    fn new(scenario: Scenario) -> Known {
        let log = Log::default();
        let first = play(&scenario, PATIENT, Given::One, None, Some(&log));
        let mut results = [BTreeMap::new(), BTreeMap::new()];
        let mut add = |endings: [Ending; 2]| {
            for (results, ending) in results.iter_mut().zip(endings) {
                for (name, tensor) in ending.result.unwrap() {
                    let known: &mut Vec<[f32; 2]> =
                        results.entry(name).or_insert_with(|| tensor.data.iter().map(|&x| [x, x]).collect());
                    known.iter_mut().zip(tensor.data).for_each(|(ends, x)| *ends = [ends[0].min(x), ends[1].max(x)]);
                }
            }
        };
        add(first.endings);
        for _ in 0..4 {
            add(scenario.play(memory_ends(&scenario, PATIENT), Given::One, None));
        }
        let other = play(&scenario, PATIENT, Given::Other, None, None).frames;
        Known { scenario, messages: log.messages(), other, results }
    }

    /// Which results are not right up to the rounding that differs from run to run.
    fn wrong(&self, party: usize, results: &Results) -> Vec<String> {
        let known = &self.results[party];
        let missing = known.keys().filter(|name| results.iter().all(|(other, _)| other != *name));
        let mut wrong: Vec<String> = missing.cloned().collect();
        for (name, tensor) in results {
            let Some(known) = known.get(name).filter(|known| known.len() == tensor.data.len()) else {
                wrong.push(name.clone());
                continue;
            };
            for (x, [low, high]) in tensor.data.iter().zip(known) {
                if !JUMPS.contains(&name.as_str()) && !(low - NEAR..=high + NEAR).contains(x) {
                    wrong.push(format!("`{name}` has {x} instead of {low} to {high}"));
                }
            }
        }
        wrong
    }

    /// Messages that go the same way.
    fn sent(&self, link: usize, way: usize) -> usize {
        self.messages.iter().filter(|message| (message.link, message.way) == (link, way)).count()
    }
}

static PANICS: AtomicUsize = AtomicUsize::new(0);

fn count_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PANICS.fetch_add(1, Ordering::SeqCst);
            before(info);
        }));
    });
}

/// What an error may blame.
const CAUSES: [&str; 9] = [
    "the peer",
    "the dealer",
    "the other side",
    "the two sides",
    "both sides",
    "the plans differ",
    "the public",
    "transcript",
    "number of queries",
];

/// One changed session; what is wrong with how it ended.
fn fault(known: &Known, tampering: Tampering) -> Option<String> {
    for idle in [IDLE, 4 * IDLE, 16 * IDLE] {
        let Played { endings, tampered, .. } =
            play(&known.scenario, idle, Given::One, Some((tampering, &known.other)), None);
        let Some((at, altered)) = tampered else {
            // A party lost its patience on the way there: the machine is busy.
            continue;
        };
        if idle == IDLE && endings.iter().any(|ending| ending.at.saturating_duration_since(at) > LIMIT) {
            return Some(format!("it took longer than {LIMIT:?}"));
        }
        return judge(known, tampering, &endings, altered);
    }
    Some("the message never came".into())
}

fn judge(known: &Known, tampering: Tampering, endings: &[Ending; 2], altered: bool) -> Option<String> {
    let Tampering { link, way, index, change, .. } = tampering;
    for (party, ending) in endings.iter().enumerate() {
        match &ending.result {
            Ok(results) if !known.wrong(party, results).is_empty() => {
                return Some(format!("party {party} has a wrong result: {:?}", known.wrong(party, results)));
            }
            Err(error) if !CAUSES.iter().any(|cause| error.contains(cause)) => {
                return Some(format!("party {party} says: {error}"));
            }
            _ => {}
        }
    }
    // Nobody reads what comes behind the last message.
    let last = index + 1 == known.sent(link, way);
    let unread = last && matches!(change, Change::Duplicate | Change::Extend);
    if !altered || unread {
        return None;
    }
    let receiver = match (link, way) {
        (0, way) => Some(1 - way),
        (link, 1) => Some(link - 1),
        _ => None,
    };
    match receiver {
        Some(party) if endings[party].result.is_ok() => Some(format!("party {party} took the message")),
        None if endings.iter().all(|ending| ending.result.is_ok()) => Some("the dealer took the message".into()),
        _ => None,
    }
}

/// Runs all, several at a time, and says what went wrong with which.
fn check(jobs: Vec<(&Known, Tampering)>) {
    count_panics();
    let before = PANICS.load(Ordering::SeqCst);
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(vec![]));
    scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some((known, tampering)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Some(fault) = fault(known, *tampering) {
                        let same = |message: &&Logged| {
                            (message.link, message.way, message.index)
                                == (tampering.link, tampering.way, tampering.index)
                        };
                        let message = known.messages.iter().find(same).unwrap();
                        let carried = kinds(&known.scenario, message);
                        let told = format!("{}: {tampering:?}: {fault}: {carried:?}", known.scenario.name);
                        wrong.lock().unwrap().push(told);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {} sessions:\n{}", wrong.len(), jobs.len(), wrong.join("\n"));
    assert_eq!(PANICS.load(Ordering::SeqCst), before, "somebody panicked");
    let memory = MEMORY.peak_usage();
    assert!(memory < MOST_MEMORY, "{memory} bytes at the same time");
    println!("{} sessions of {}, {} MB at most", jobs.len(), jobs[0].0.scenario.name, memory >> 20);
}

fn of(message: &Logged, change: Change, seed: u64) -> Tampering {
    let Logged { link, way, index, .. } = *message;
    Tampering { link, way, index, change, seed: mix(seed ^ (link as u64) << 40 ^ (way as u64) << 32 ^ index as u64) }
}

/// Messages that together have every kind.
fn representative() -> Vec<(&'static Known, &'static Logged)> {
    let mut missing: BTreeSet<String> =
        KNOWN.iter().flat_map(|known| known.messages.iter().flat_map(|m| kinds(&known.scenario, m))).collect();
    let mut all: Vec<(&Known, &Logged, BTreeSet<String>)> = KNOWN
        .iter()
        .flat_map(|known| known.messages.iter().map(move |m| (known, m, kinds(&known.scenario, m))))
        .collect();
    let mut chosen = vec![];
    while !missing.is_empty() {
        let most = all
            .iter()
            .enumerate()
            .max_by_key(|(at, (_, _, kinds))| (kinds.intersection(&missing).count(), usize::MAX - at));
        let (known, message, kinds) = all.swap_remove(most.unwrap().0);
        missing.retain(|kind| !kinds.contains(kind));
        chosen.push((known, message));
    }
    chosen
}

#[test]
fn every_kind_of_message_survives_no_change() {
    let seed = 7;
    println!("seed {seed}");
    let jobs = representative().into_iter().flat_map(|(known, message)| {
        CHANGES.into_iter().enumerate().map(move |(at, change)| (known, of(message, change, seed + at as u64)))
    });
    check(jobs.collect());
}

/// The link breaks before each message of each kind of session.
#[test]
fn a_link_that_breaks_ends_the_session_wherever_it_does() {
    let all = KNOWN.iter().flat_map(|known| known.messages.iter().map(move |message| (known, message)));
    let every = if thorough() { 1 } else { 7 };
    check(all.step_by(every).map(|(known, message)| (known, of(message, Change::Leave, 0))).collect());
}

fn thorough() -> bool {
    std::env::var("PTC_ATTACK").as_deref() == Ok("all")
}

/// Every message of a kind of session.
fn check_all(name: &str) {
    if !thorough() {
        return;
    }
    let known = KNOWN.iter().find(|known| known.scenario.name == name).expect("a kind of session");
    let seed = 11;
    println!("{name}, {} messages, seed {seed}", known.messages.len());
    let jobs = known.messages.iter().flat_map(|message| {
        CHANGES.into_iter().enumerate().map(move |(at, change)| (known, of(message, change, seed + at as u64)))
    });
    check(jobs.collect());
}

macro_rules! every_message_survives_no_change {
    ($($test:ident: $name:literal),* $(,)?) => {
        $(#[test]
        fn $test() {
            check_all($name);
        })*

        #[test]
        fn no_kind_of_session_is_left_out() {
            assert_eq!(KNOWN.iter().map(|known| known.scenario.name).collect::<Vec<_>>(), [$($name),*]);
        }
    };
}

every_message_survives_no_change! {
    every_message_of_streams: "streams",
    every_message_of_silent_transfers: "silent",
    every_message_of_encryption: "encrypted",
    every_message_of_transfers: "transferred",
    every_message_of_inline_products: "inline",
    every_message_of_a_dealt_query: "dealt",
    every_message_of_a_prepared_query: "prepared",
    every_message_of_a_dealt_preparation: "prepared and dealt",
    every_message_of_a_pooled_query: "pooled",
}

/// Of a step, without a wildcard: a new one is not forgotten here.
fn step_name(op: &StepOp) -> &'static str {
    match op {
        StepOp::Clear(_) => "clear",
        StepOp::Layout(_) => "layout",
        StepOp::Encode
        | StepOp::Share
        | StepOp::Local { .. }
        | StepOp::SumAxis { .. }
        | StepOp::PublicMatMul
        | StepOp::StaticMatMul { .. }
        | StepOp::StaticMul { .. }
        | StepOp::MatMul { .. }
        | StepOp::Mul
        | StepOp::Square
        | StepOp::Rescale
        | StepOp::Compare { .. }
        | StepOp::Xor
        | StepOp::Not
        | StepOp::And
        | StepOp::BitToShare
        | StepOp::Gate
        | StepOp::Table { .. }
        | StepOp::Rest { .. }
        | StepOp::Exp2(_)
        | StepOp::Max
        | StepOp::Levels(_)
        | StepOp::Reveal { .. }
        | StepOp::EncryptedMatMul { .. } => op.name(),
    }
}

const STEPS: [&str; 26] = [
    "and",
    "bit_to_share",
    "clear",
    "compare",
    "encode",
    "encrypted_matmul",
    "exp2",
    "gate",
    "layout",
    "levels",
    "local",
    "matmul",
    "max",
    "mul",
    "not",
    "public_matmul",
    "rescale",
    "rest",
    "reveal",
    "share",
    "square",
    "static_matmul",
    "static_mul",
    "sum_axis",
    "table",
    "xor",
];

const CORRELATIONS: [&str; 13] = [
    "bit triples",
    "comparisons",
    "cross matrix products",
    "cross products",
    "gates",
    "matrix triples",
    "shared bits",
    "squares",
    "static matrix products",
    "static products",
    "tables",
    "triples",
    "wraps",
];

#[test]
fn the_sessions_have_every_step_and_every_correlation() {
    let (mut steps, mut sending, mut expected) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let (mut correlations, mut made, mut ways) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for Known { scenario, messages, .. } in KNOWN.iter() {
        let plan = &scenario.plan;
        for step in &plan.steps {
            steps.insert(step_name(&step.op));
            if scenario.kind != Kind::Prepare {
                let rounds = price::rounds(&plan.values, step).len();
                expected.extend((0..rounds).map(|at| format!("{} {}", step.op.name(), at.min(3))));
            }
            for correlation in bill(&plan.values, step) {
                correlations.insert(kind(&correlation));
                let methods = methods_of(&correlation);
                ways.extend(methods.iter().map(|method| (kind(&correlation), *method)));
            }
        }
        for batch in scenario.making().map(|making| batches(plan, making)).unwrap_or_default() {
            made.extend(batch.pieces.iter().map(|piece| (kind(&piece.correlation), piece.method)));
        }
        for kind in messages.iter().flat_map(|message| kinds(scenario, message)) {
            let (_, carried) = kind.split_once(": ").unwrap();
            sending.insert(carried.to_string());
        }
    }
    assert_eq!(steps, STEPS.into(), "the steps of a plan");
    assert_eq!(correlations, CORRELATIONS.into(), "the correlations of a plan");
    let missing: Vec<_> = ways.difference(&made).collect();
    assert!(missing.is_empty(), "nobody makes {missing:?}");
    let missing: Vec<_> = expected.difference(&sending).collect();
    assert!(missing.is_empty(), "no message carries {missing:?}");
}
