//! Rates of the core on one thread: `cargo run --release -p ptc-he --example rates`.

use std::hint::black_box;
use std::time::Instant;

use ptc_he::ntt::{Backend, Transform};
use ptc_he::prime::choose;
use ptc_he::{Accumulator, Polynomial, Slots, dot};

/// The shortest of many runs, in microseconds: others use this machine too.
fn microseconds(mut run: impl FnMut()) -> f64 {
    let begin = Instant::now();
    let mut shortest = f64::INFINITY;
    while begin.elapsed().as_secs_f64() < 0.05 {
        let start = Instant::now();
        run();
        shortest = shortest.min(start.elapsed().as_secs_f64() * 1e6);
    }
    shortest
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

/// Products of slots, added up: 12 ciphertexts with the weights of eight results, run by run, as a product of matrices
/// works.
fn multiplications(backend: Backend) {
    let (degree, inner, results) = (8192, 12, 8);
    let prime = choose(degree, &[46])[0];
    let transform = Transform::with_backend(prime, degree, backend);
    let polynomials = |count: usize| -> Vec<Polynomial<Slots>> {
        let filled = |at| {
            let mut polynomial = Polynomial::zeros(degree, 3);
            polynomial.limb_mut(0).copy_from_slice(&residues(degree, prime.value(), at as u64));
            polynomial
        };
        (0..count).map(filled).collect()
    };
    let (ciphertexts, weights) = (polynomials(2 * inner), polynomials(inner));
    let mut out = polynomials(2);
    for run in [64, 128, 256, 512, 1024] {
        let time = microseconds(|| {
            for first in (0..degree).step_by(run) {
                fn part(from: &[Polynomial<Slots>], first: usize, run: usize) -> Vec<&[u64]> {
                    from.iter().map(|polynomial| &polynomial.limb(0)[first..][..run]).collect()
                }
                for _ in 0..results {
                    let mut out: Vec<&mut [u64]> =
                        out.iter_mut().map(|out| &mut out.limb_mut(0)[first..][..run]).collect();
                    dot(&transform, inner, &part(&ciphertexts, first, run), &part(&weights, 0, run), &mut out);
                }
            }
        });
        let rate = (2 * inner * results * degree) as f64 / time * 1e-3;
        println!("products of runs of {run} slots: {rate:.2} G multiply-adds/s");
    }
    let (a, b) = (residues(degree, prime.value(), 1), residues(degree, prime.value(), 2));
    let mut sum = Accumulator::zeros(degree);
    let time = microseconds(|| sum.add_product(&transform, black_box(&a), black_box(&b)));
    println!("one after the other, of {degree} slots: {:.2} G multiply-adds/s", degree as f64 / time * 1e-3);
}
