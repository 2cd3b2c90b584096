//! Ring products: multiply-adds per second of each backend, on one thread and on all.
//!
//! `cargo bench --bench ring_product`. Weights are packed beforehand, as in a query; `cold` shapes go through more
//! weights than the caches hold, as a model's layers do; batched shapes pack as they go, as attention does.

use std::time::{Duration, Instant};

use ptc_kernels::batched::{self, Shape};
use ptc_kernels::{Backend, Packed, Portable};
use ptc_llvm::Llvm;
use ptc_plan::kernel::Word;
use ptc_ring::Seed;

/// Rows, inner size, columns.
const PRODUCTS: [[usize; 3]; 5] = [[128, 768, 768], [32, 768, 768], [32, 384, 1152], [32, 384, 1536], [32, 1536, 384]];

/// Batch, rows, inner size, columns.
const BATCHES: [[usize; 4]; 2] = [[12, 32, 32, 32], [12, 128, 64, 128]];

const MEASURE: Duration = Duration::from_millis(400);

/// Bytes of weights that no cache holds.
const COLD_BYTES: usize = 128 << 20;

fn main() {
    let cache = tempfile::tempdir().expect("a temporary directory");
    let portable: Box<dyn Backend> = Box::new(Portable);
    let mut backends = vec![portable];
    match Llvm::new(cache.path()) {
        Ok(llvm) => backends.push(Box::new(llvm)),
        Err(error) => eprintln!("{error}"),
    }
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get());
    println!("{:32} {:9} {:>14} {:>14}", "G multiply-adds/s", "backend", "1 thread", format!("{threads} threads"));
    for word in [Word::W64, Word::W32] {
        for shape in PRODUCTS {
            row(&backends, threads, &format!("{word:?} {}", name(&shape)), &|backend| product(backend, word, shape, 1));
        }
        let [m, k, n] = PRODUCTS[3];
        let copies = COLD_BYTES / (8 * k * n);
        let title = format!("{word:?} {} cold", name(&PRODUCTS[3]));
        row(&backends, threads, &title, &|backend| product(backend, word, [m, k, n], copies));
        for shape in BATCHES {
            row(&backends, threads, &format!("{word:?} {}", name(&shape)), &|backend| batch(backend, word, shape));
        }
    }
}

fn name(sizes: &[usize]) -> String {
    sizes.iter().map(|size| size.to_string()).collect::<Vec<_>>().join("x")
}

fn row(backends: &[Box<dyn Backend>], threads: usize, title: &str, measure: &(dyn Fn(&dyn Backend) -> f64 + Sync)) {
    for backend in backends {
        let rate = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool");
            pool.install(|| measure(backend.as_ref()))
        };
        println!("{title:32} {:9} {:14.2} {:14.2}", backend.name(), rate(1), rate(threads));
    }
}

fn product(backend: &dyn Backend, word: Word, [m, k, n]: [usize; 3], copies: usize) -> f64 {
    let (a, b) = (words(0, m * k), words(1, k * n));
    let factors: Vec<Packed> = (0..copies).map(|_| backend.pack(word, k, n, &b)).collect();
    let mut out = vec![0; m * n];
    let mut turn = factors.iter().cycle();
    rate(m * k * n, || backend.product(&a, m, turn.next().expect("at least one factor"), &mut out))
}

fn batch(backend: &dyn Backend, word: Word, [batch, m, k, n]: [usize; 4]) -> f64 {
    let shape = Shape { batch, m, k, n, transpose_b: true };
    let (a, b) = (words(0, batch * m * k), words(1, batch * k * n));
    rate(batch * m * k * n, || drop(std::hint::black_box(batched::product(backend, word, shape, &a, &b))))
}

fn words(index: u64, len: usize) -> Vec<u64> {
    Seed::from_bytes([1; 32]).stream(0, index).words(len)
}

/// The best tenth of the runs counts: the rest tells what else the machine did.
fn rate(multiply_adds: usize, mut run: impl FnMut()) -> f64 {
    run();
    let (mut times, start) = (vec![], Instant::now());
    while start.elapsed() < MEASURE || times.len() < 10 {
        let begin = Instant::now();
        run();
        times.push(begin.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    multiply_adds as f64 / times[times.len() / 10] / 1e9
}
