//! Rates of the core on one thread: `cargo run --release -p ptc-he --example rates`.

use std::hint::black_box;
use std::time::Instant;

use ptc_he::ntt::{Backend, Transform};
use ptc_he::prime::choose;
use ptc_he::{Accumulator, dot};

/// The shortest of many runs, in microseconds: others use this machine too.
fn microseconds(mut run: impl FnMut()) -> f64 {
    let once = || {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64() * 1e6
    };
    std::iter::repeat_with(once).take(400).fold(f64::INFINITY, f64::min)
}

fn residues(degree: usize, prime: u64, seed: u64) -> Vec<u64> {
    (0..degree as u64).map(|at| (at + seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) % prime).collect()
}

fn main() {
    for backend in Backend::ALL.iter().copied().filter(|backend| backend.works()) {
        println!("{backend:?}, microseconds for each residue polynomial");
        println!("{:>7} {:>5} {:>8} {:>8}   short: 64, 256, 1024 coefficients", "degree", "bits", "forward", "inverse");
        for degree in [2048, 4096, 8192, 16384] {
            for bits in [36, 46, 50] {
                let prime = choose(degree, &[bits])[0];
                let transform = Transform::with_backend(prime, degree, backend);
                let mut words = residues(degree, prime.value(), 1);
                let forward = microseconds(|| transform.forward(black_box(&mut words)));
                let inverse = microseconds(|| transform.inverse(black_box(&mut words)));
                let short = [64, 256, 1024].map(|size| {
                    let coefficients = residues(size, prime.value(), 2);
                    let slots = &mut words;
                    microseconds(|| transform.forward_short(black_box(&coefficients), 0, black_box(slots)))
                });
                let [a, b, c] = short;
                println!("{degree:>7} {bits:>5} {forward:>8.2} {inverse:>8.2}   {a:.2}, {b:.2}, {c:.2}");
            }
        }
        multiplications(backend);
    }
}

/// Products of slots, added up.
fn multiplications(backend: Backend) {
    let degree = 8192;
    let prime = choose(degree, &[46])[0];
    let transform = Transform::with_backend(prime, degree, backend);
    let (inner, run) = (12, 512);
    let factors: Vec<Vec<u64>> = (0..inner * 4).map(|at| residues(run, prime.value(), at as u64)).collect();
    for (rows, columns) in [(1, 1), (2, 1), (2, 2)] {
        let a: Vec<&[u64]> = factors[..rows * inner].iter().map(|x| &x[..]).collect();
        let b: Vec<&[u64]> = factors[rows * inner..][..inner * columns].iter().map(|x| &x[..]).collect();
        let mut out = vec![vec![0; run]; rows * columns];
        let time = microseconds(|| {
            let mut out: Vec<&mut [u64]> = out.iter_mut().map(|out| &mut out[..]).collect();
            dot(&transform, inner, black_box(&a), black_box(&b), &mut out);
        });
        let rate = (rows * columns * inner * run) as f64 / time * 1e-3;
        println!("{rows}x{inner}x{columns} products of runs of {run} slots: {rate:.2} G multiply-adds/s");
    }
    let (a, b) = (residues(degree, prime.value(), 1), residues(degree, prime.value(), 2));
    let mut sum = Accumulator::zeros(degree);
    let time = microseconds(|| sum.add_product(&transform, black_box(&a), black_box(&b)));
    println!("one after the other, of {degree} slots: {:.2} G multiply-adds/s", degree as f64 / time * 1e-3);
}
