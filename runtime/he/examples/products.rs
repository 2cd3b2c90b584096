//! Seconds and bytes of encrypted products, for both objectives: `cargo run --release -p ptc-he --example products`.
//! Seconds are of the processor where the system tells them (Linux), which a busy machine disturbs less than the clock.

use std::time::Instant;

use ptc_he::product::keys::{ClientKeys, ServerKeys};
use ptc_he::product::{answer, open, request};
use ptc_plan::file::Making;
use ptc_plan::two_party::encrypted::{Product, choose, key_bytes, key_sets, seconds};
use ptc_ring::Seed;
use ptc_ring::tensor::mask;

/// Shapes of one layer: batch, rows, inner, columns, bits, bits of the factor.
const SHAPES: &[(usize, usize, usize, usize, u32, u32)] = &[
    (1, 128, 768, 768, 36, 17),
    (1, 32, 384, 1152, 36, 17),
    (1, 32, 384, 384, 36, 17),
    (1, 32, 384, 1536, 36, 17),
    (1, 32, 1536, 384, 37, 17),
    (12, 32, 32, 32, 36, 36),
    (1, 128, 768, 2304, 38, 17),
    (1, 128, 768, 3072, 38, 17),
    (1, 128, 3072, 768, 38, 17),
    (12, 128, 64, 128, 38, 38),
    (12, 128, 128, 64, 38, 38),
];

fn main() {
    println!(
        "product, making: CPU-seconds to ask, answer, open, together, as expected; seconds; bytes up, down, of keys"
    );
    let only = std::env::args().nth(1);
    for &(batch, rows, inner, columns, bits, factor_bits) in SHAPES {
        let product = Product { batch, rows, inner, columns, bits, factor_bits };
        for making in [Making::FAST, Making::SPARING] {
            let name = format!("{batch}x{rows}x{inner}x{columns} {making:?}");
            if only.as_ref().is_none_or(|only| name.contains(only)) {
                measure(&name, &product, making);
            }
        }
    }
}

fn measure(name: &str, product: &Product, making: Making) {
    let Product { batch, rows, inner, columns, bits, factor_bits } = *product;
    let packing = choose(product, making);
    let sets = key_sets([&packing]);
    let client = ClientKeys::fresh(&sets).expect("randomness");
    let server = ServerKeys::read(&sets, &client.publish().expect("randomness")).expect("the keys just made");
    let seed = Seed::fresh().expect("randomness");
    let x = seed.stream(0, 0).ring(bits, batch * rows * inner);
    let unused = 64 - factor_bits;
    let words = seed.stream(0, 1).ring(factor_bits, batch * inner * columns);
    let weights: Vec<u64> = words.iter().map(|x| ((x << unused) as i64 >> unused) as u64 & mask(bits)).collect();
    let share = seed.stream(0, 2).ring(bits, batch * rows * columns);
    let mut best = [f64::MAX; 5];
    let mut bytes = [0; 2];
    for _ in 0..3 {
        let (clock, start) = (Instant::now(), processor());
        let asked = request(&client, product, &packing, &x).expect("randomness");
        let asking = processor() - start;
        let answered = answer(&server, product, &packing, &asked, &weights, &share).expect("a request just made");
        let answering = processor() - start - asking;
        open(&client, product, &packing, &answered).expect("an answer just made");
        let all = processor() - start;
        let took = [asking, answering, all - asking - answering, all, clock.elapsed().as_secs_f64()];
        best.iter_mut().zip(took).for_each(|(best, took)| *best = best.min(took));
        bytes = [asked.len(), answered.len()];
    }
    let [asking, answering, opening, all, clock] = best;
    println!(
        "{name:28} {asking:.4} {answering:.4} {opening:.4} {all:.4} {:.4}  {clock:.3}  {} {} {}",
        seconds(product, &packing),
        bytes[0],
        bytes[1],
        key_bytes(&sets)
    );
    println!("    {packing:?}");
}

/// Seconds of the processor that this process's threads have had.
fn processor() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let spent = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("schedstat")).ok();
    let nanoseconds = tasks.filter_map(spent).filter_map(|text| text.split(' ').next()?.parse::<f64>().ok());
    nanoseconds.sum::<f64>() * 1e-9
}
