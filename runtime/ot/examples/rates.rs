//! How fast transfers are made: processor time of both parties together, on one thread.
//!
//! `cargo run --release -p ptc-ot --example rates [log2 of the number, 20 unless told]`

use std::hint::black_box;
use std::time::Instant;

use ptc_net::memory;
use ptc_ot::block::Block;
use ptc_ot::extension::{Receiver, Sender};
use ptc_ot::setup::{Transfers, setup};
use ptc_ot::{hash, puncture};
use ptc_plan::step::Party;
use ptc_plan::two_party::transfer::Extension;

/// Each figure is the mean of so many: the system counts a thread's time in steps of milliseconds.
const REPEATS: usize = 20;

fn main() {
    let log = std::env::args().nth(1).map_or(20, |text| text.parse().expect("a number"));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    println!(
        "ns of a processor for each transfer; millions a second of both parties, hashing to random strings included"
    );
    println!(
        "{:<12} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}",
        "extension", "sender", "receiver", "hash q", "hash t", "M/s", "bytes"
    );
    let subfields = [1, 2, 4, 8].map(|bits| Extension::Subfield { bits });
    for extension in subfields.into_iter().chain([Extension::Silent]) {
        let (mut server, mut client) = session(extension);
        pool.install(|| extend(extension, 1 << log, &mut server.sender, &mut client.receiver));
    }
    println!("punctured trees, ns of a processor for each leaf");
    println!("{:<12} {:>8} {:>8}", "depth", "sender", "receiver");
    for depth in [1, 2, 4, 5, 8, 10, 13] {
        pool.install(|| trees(depth));
    }
}

fn session(extension: Extension) -> (Transfers, Transfers) {
    let (mut ours, mut theirs) = memory::pair();
    let other = std::thread::spawn(move || setup(Party::Client, extension, &mut theirs).expect("a client"));
    let server = setup(Party::Server, extension, &mut ours).expect("a server");
    (server, other.join().expect("a client"))
}

fn extend(extension: Extension, count: usize, sender: &mut Sender, receiver: &mut Receiver) {
    let count = extension.yields(count);
    let delta = sender.delta();
    let [mut zeros, mut ones, mut chosen] = [(); 3].map(|()| vec![0; CHUNK]);
    let mut mean = [0.0; 4];
    let mut bytes = 0;
    for _ in 0..REPEATS {
        let start = seconds();
        let (to_receiver, sent) = sender.start(count);
        let at_sender = seconds();
        let (to_sender, received) = receiver.start(count);
        let started = seconds();
        let q = sender.finish(sent, &to_sender).expect("a right message");
        let finished = seconds();
        let t = receiver.finish(received, &to_receiver).expect("a right message");
        let extended = seconds();
        for q in q.chunks(CHUNK) {
            hash::tweaked(q, 0, &mut zeros[..q.len()]);
            hash::tweaked_shifted(q, delta, 0, &mut ones[..q.len()]);
            black_box((&zeros, &ones));
        }
        let hashed = seconds();
        for t in t.chunks(CHUNK) {
            hash::tweaked(t, 0, &mut chosen[..t.len()]);
            black_box(&chosen);
        }
        let end = seconds();
        bytes = to_receiver.len() + to_sender.len();
        let times = [
            at_sender - start + finished - started,
            started - at_sender + extended - finished,
            hashed - extended,
            end - hashed,
        ];
        mean.iter_mut().zip(times).for_each(|(mean, time)| *mean += time / (REPEATS * count) as f64);
    }
    let [sender, receiver, hash_q, hash_t] = mean.map(|time| time * 1e9);
    println!(
        "{:<12} {sender:>8.2} {receiver:>8.2} {hash_q:>8.2} {hash_t:>8.2} {:>8.1} {:>8.3}",
        format!(
            "{} {}",
            extension.name(),
            if let Extension::Subfield { bits } = extension { bits.to_string() } else { String::new() }
        ),
        1e-6 / mean.iter().sum::<f64>(),
        bytes as f64 / count as f64
    );
}

/// Transfers hashed at a time.
const CHUNK: usize = 512;

fn trees(depth: u32) {
    let trees = (1 << 20 >> depth).min(1 << 17);
    let count = trees * depth as usize;
    let delta = 0x0123_4567_89ab_cdef_fedc_ba98_7654_3211;
    let q: Vec<Block> = (0..count as Block).map(|at| at << 64 | (at * 77)).collect();
    let choices = vec![0; count.div_ceil(64)];
    let [mut all, mut punctured] = [(); 2].map(|()| vec![0; puncture::leaves_len(depth, trees)]);
    let mut mean = [0.0; 2];
    for _ in 0..REPEATS {
        let start = seconds();
        let message = puncture::plant(depth, &q, delta, &mut all);
        let planted = seconds();
        puncture::grow(depth, &q, &choices, &message, &mut punctured).expect("a right message");
        let times = [planted - start, seconds() - planted];
        mean.iter_mut().zip(times).for_each(|(mean, time)| *mean += time / ((REPEATS * trees) << depth) as f64);
        black_box((&all, &punctured));
    }
    println!("{depth:<12} {:>8.2} {:>8.2}", mean[0] * 1e9, mean[1] * 1e9);
}

/// Seconds that this thread has had a processor; where the system does not tell, of the clock.
fn seconds() -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = told.and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    nanoseconds.map_or_else(|| START.elapsed().as_secs_f64(), |nanoseconds| nanoseconds * 1e-9)
}
