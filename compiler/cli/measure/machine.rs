//! A machine's numbers: small works take so many seconds of its processors, and those of [`Machine::default`] belong to a
//! machine where they take [`Probe::reference`].
//!
//! What a session takes besides its work, by waiting and by what its caches lack, is in the default's numbers and scales
//! with them.

use std::sync::Arc;
use std::time::Instant;

use ptc_cost::machine::Machine;
use ptc_kernels::{Backend, Portable};
use ptc_net::{Channel, memory, tcp};
use ptc_offline::two_party::Session;
use ptc_plan::Plan;
use ptc_plan::file::{Making, Trust};
use ptc_plan::kernel::Word;
use ptc_plan::step::{Fixed, Form, Method, Party, Step, StepOp, Value, ValueId};
use ptc_plan::two_party::transfer::Extension;
use ptc_ring::pack::{pack, unpack};

use crate::failure::Failure;

/// A work, and what of a machine it tells.
struct Probe {
    name: &'static str,
    /// Seconds of a processor, where the default's numbers were measured.
    reference: f64,
    run: fn(&dyn Backend) -> Result<f64, Failure>,
    scale: fn(&mut Machine, f64),
}

const PROBES: [Probe; 11] = [
    Probe {
        name: "transfers, iknp",
        reference: 0.24,
        run: |_| transfers(Extension::Subfield { bits: 1 }),
        scale: |machine, by| scale(&mut machine.transfer_ns.subfield_1, by),
    },
    Probe {
        name: "transfers, softspoken 2",
        reference: 0.17,
        run: |_| transfers(Extension::Subfield { bits: 2 }),
        scale: |machine, by| scale(&mut machine.transfer_ns.subfield_2, by),
    },
    Probe {
        name: "transfers, softspoken 4",
        reference: 0.20,
        run: |_| transfers(Extension::Subfield { bits: 4 }),
        scale: |machine, by| {
            scale(&mut machine.transfer_ns.subfield_4, by);
            machine.made_ns *= by;
        },
    },
    Probe {
        name: "transfers, softspoken 8",
        reference: 0.58,
        run: |_| transfers(Extension::Subfield { bits: 8 }),
        scale: |machine, by| scale(&mut machine.transfer_ns.subfield_8, by),
    },
    Probe {
        name: "transfers, silent",
        reference: 0.38,
        run: |_| transfers(Extension::Silent),
        scale: |machine, by| scale(&mut machine.transfer_ns.silent, by),
    },
    Probe {
        name: "tables",
        reference: 0.60,
        run: |_| preparing(&tables(), Extension::Subfield { bits: 4 }),
        scale: |machine, by| machine.table_ns *= by,
    },
    Probe {
        name: "encrypted elements",
        reference: 0.38,
        run: |_| preparing(&elements(), Extension::Subfield { bits: 4 }),
        scale: |machine, by| scale(&mut machine.slot_ns, by),
    },
    Probe {
        name: "encrypted matrices",
        reference: 0.60,
        run: |_| preparing(&matrices(), Extension::Subfield { bits: 4 }),
        scale: |machine, by| {
            scale(&mut machine.encryption, by);
            machine.product_ms *= by;
            machine.opening_ms *= by;
            machine.key_ns *= by;
        },
    },
    Probe {
        name: "ring products",
        reference: 0.16,
        run: |backend| ring_products(backend),
        scale: |machine, by| machine.multiply_add_ns *= by,
    },
    Probe {
        name: "packing",
        reference: 0.20,
        run: |_| packing(),
        scale: |machine, by| {
            machine.byte_ns *= by;
            machine.element_ns *= by;
            machine.step_us *= by;
        },
    },
    Probe { name: "rounds", reference: 0.045, run: |_| rounds(), scale: |machine, by| machine.round_us *= by },
];

/// Each work is done so often, and the shortest counts: others use the machine too.
const REPEATS: usize = 3;

/// `tell` hears what is measured, and the seconds.
pub fn machine(backend: &dyn Backend, tell: &mut dyn FnMut(&str, f64)) -> Result<Machine, Failure> {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
    let mut machine = Machine { cores, ..Machine::default() };
    for probe in PROBES {
        let mut shortest = f64::INFINITY;
        for _ in 0..REPEATS {
            shortest = shortest.min((probe.run)(backend)?);
        }
        tell(probe.name, shortest);
        // A clock that ticks tells nothing below a tick.
        (probe.scale)(&mut machine, (shortest / probe.reference).clamp(0.01, 1000.0));
    }
    Ok(machine)
}

fn scale(pair: &mut [f64; 2], by: f64) {
    pair.iter_mut().for_each(|number| *number *= by);
}

/// Products of bits: a transfer each way for each.
fn transfers(extension: Extension) -> Result<f64, Failure> {
    let bits = |name: &str| value(name, vec![1 << 22], Form::Bits);
    preparing(&plan(StepOp::And, vec![bits("x"), bits("y"), bits("z")]), extension)
}

fn tables() -> Plan {
    let index_bits = 5;
    let op = StepOp::Table { index_bits, shift: 0, values: vec![(0..1 << index_bits).collect()] };
    plan(op, vec![share("x", vec![1 << 17], 5), share("y", vec![1 << 17], 20)])
}

fn elements() -> Plan {
    let share = |name: &str| share(name, vec![1 << 19], 34);
    plan(StepOp::Mul, vec![share("x"), share("y"), share("z")])
}

fn matrices() -> Plan {
    let matrix = |name: &str| share(name, vec![24, 64, 64], 34);
    plan(StepOp::MatMul { transpose_b: false }, vec![matrix("x"), matrix("y"), matrix("z")])
}

/// One step of all values but the last, which is its result.
fn plan(op: StepOp, values: Vec<Value>) -> Plan {
    let last = values.len() as u32 - 1;
    let inputs = (0..last).map(ValueId).collect();
    let step = Step { op, inputs, outputs: vec![ValueId(last)], round: 0, origin: 0, method: Some(Method::Encrypted) };
    Plan { values, steps: vec![step], ..Plan::default() }
}

fn share(name: &str, shape: Vec<usize>, bits: u32) -> Value {
    value(name, shape, Form::Share(Fixed { bits, frac: 0 }))
}

fn value(name: &str, shape: Vec<usize>, form: Form) -> Value {
    Value { name: name.into(), shape, form, bound: None, error: None }
}

/// Seconds of a processor, of both parties, in making what a plan consumes. The plan has no weights.
fn preparing(plan: &Plan, extension: Extension) -> Result<f64, Failure> {
    let making = Making { extension, ..Making::FAST };
    let plan = &Plan { trust: Trust::TwoParty { making }, ..plan.clone() };
    let (mut ours, mut theirs) = memory::pair();
    let open = |party: Party, channel: &mut memory::Memory| {
        Session::open(plan, making, party, channel, |_| &[], Arc::new(Portable))
    };
    let (mut server, mut client) = std::thread::scope(|scope| {
        let server = scope.spawn(|| open(Party::Server, &mut ours));
        let client = open(Party::Client, &mut theirs);
        let server = server.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok::<_, Failure>((server?, client?))
    })?;
    let query =
        |session: &mut Session, channel: &mut memory::Memory| session.query(channel, |_| &[], &mut |_| ()).map(|_| ());
    let start = processor_seconds();
    std::thread::scope(|scope| {
        let server = scope.spawn(|| query(&mut server, &mut ours));
        let client = query(&mut client, &mut theirs);
        server.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).and(client)
    })?;
    Ok(processor_seconds() - start)
}

fn ring_products(backend: &dyn Backend) -> Result<f64, Failure> {
    let (m, k, n) = (32, 768, 768);
    let numbers =
        |count: usize| -> Vec<u64> { (0..count as u64).map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect() };
    let (a, b) = (numbers(m * k), backend.pack(Word::W64, k, n, &numbers(k * n)));
    let mut out = vec![0; m * n];
    backend.product(&a, m, &b, &mut out);
    let start = processor_seconds();
    for _ in 0..200 {
        backend.product(&a, m, &b, &mut out);
    }
    std::hint::black_box(&out);
    Ok(processor_seconds() - start)
}

fn packing() -> Result<f64, Failure> {
    let (count, bits) = (1 << 20, 37);
    let data: Vec<u64> = (0..count as u64).collect();
    let start = processor_seconds();
    for _ in 0..160 {
        let mut bytes = vec![];
        pack(&data, bits, &mut bytes);
        let back = unpack(&bytes, bits, count).map_err(|error| Failure::new(error.to_string(), "report this"))?;
        std::hint::black_box(&back);
    }
    Ok(processor_seconds() - start)
}

/// Small exchanges on this machine; by the clock, since what counts is waiting for the other.
fn rounds() -> Result<f64, Failure> {
    const EXCHANGES: usize = 2000;
    let idle = tcp::IDLE;
    let listener = tcp::listen("127.0.0.1:0")?;
    let address = listener.local_address()?.to_string();
    let play = |mut channel: tcp::Tcp| -> Result<f64, Failure> {
        let start = Instant::now();
        for _ in 0..EXCHANGES {
            channel.exchange(vec![1; 1024], 1024)?;
        }
        Ok(start.elapsed().as_secs_f64())
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| tcp::connect(&address, idle, idle).map_err(Failure::from).and_then(play));
        let own = play(listener.accept(Some(idle), idle)?);
        other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).and(own)
    })
}

/// Of this process, all threads; where the system does not tell, of the clock.
fn processor_seconds() -> f64 {
    static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    let told = std::fs::read_to_string("/proc/self/stat").ok();
    let ticks = told.and_then(|text| {
        // Its name, which may hold anything, ends with the last bracket.
        let fields: Vec<&str> = text.rsplit(')').next()?.split_whitespace().collect();
        Some(fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?)
    });
    // A tick is a hundredth of a second wherever Linux runs today.
    ticks.map_or_else(|| START.elapsed().as_secs_f64(), |ticks| ticks / 100.0)
}
