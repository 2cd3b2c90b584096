//! Every protocol against its ideal functionality: value, rounds, bytes, both parties, many rings.

mod two_parties;

use ptc_kernels::batched::Shape;
use ptc_mpc::ideal;
use ptc_plan::step::{Exp2, Fixed, Levels, Party, StepOp};
use ptc_ring::fixed::to_signed;
use ptc_ring::tensor::mask;
use two_parties::{bit, encoded, execute, plan, ring, shared, uniform};

/// Elements at the ends of a ring of `bits` bits, then uniform ones.
fn values(seed: u8, bits: u32, count: usize) -> Vec<u64> {
    let half = 1u64 << (bits - 1);
    let ends = [0, 1, mask(bits), half, half - 1, half.wrapping_add(1)].map(|x| x & mask(bits));
    ends.into_iter().chain(uniform(seed, bits, count)).take(count).collect()
}

#[test]
fn mul_is_exact_in_every_ring() {
    for bits in 1..=64 {
        for (count, each) in [(1, 1), (130, 1), (130, 13)] {
            let (x, y) = (values(1, bits, count), values(2, bits, count / each));
            let row = if each == 1 { vec![count / each] } else { vec![count / each, 1] };
            let shape = [vec![count / each], if each == 1 { vec![] } else { vec![each] }].concat();
            let plan = plan(
                StepOp::Mul,
                vec![shared(&shape, ring(bits)), shared(&row, ring(bits))],
                vec![shared(&shape, ring(bits))],
            );
            assert_eq!(execute(&plan, &[x.clone(), y.clone()]), [ideal::mul(&x, &y, bits)], "{bits} bits, {each}");
        }
    }
}

#[test]
fn products_reduce_wider_inputs() {
    let (x, y) = (uniform(1, 50, 200), uniform(2, 41, 200));
    let plan =
        plan(StepOp::Mul, vec![shared(&[200], ring(50)), shared(&[200], ring(41))], vec![shared(&[200], ring(33))]);
    assert_eq!(execute(&plan, &[x.clone(), y.clone()]), [ideal::mul(&x, &y, 33)]);
}

#[test]
fn square_is_exact_in_every_ring() {
    for bits in 1..=64 {
        let x = values(1, bits, 131);
        let plan = plan(StepOp::Square, vec![shared(&[131], ring(bits))], vec![shared(&[131], ring(bits))]);
        assert_eq!(execute(&plan, std::slice::from_ref(&x)), [ideal::square(&x, bits)], "{bits} bits");
    }
}

#[test]
fn matmul_is_exact() {
    for (bits, wide) in [(64, 64), (32, 32), (33, 40), (18, 20), (1, 1)] {
        for (batch, m, k, n) in [(1, 1, 1, 1), (3, 5, 7, 9), (2, 8, 16, 4)] {
            for transpose_b in [false, true] {
                let shape = Shape { batch, m, k, n, transpose_b };
                let (x, y) = (values(1, wide, batch * m * k), values(2, wide, batch * k * n));
                let right = if transpose_b { [batch, n, k] } else { [batch, k, n] };
                let plan = plan(
                    StepOp::MatMul { transpose_b },
                    vec![shared(&[batch, m, k], ring(wide)), shared(&right, ring(wide))],
                    vec![shared(&[batch, m, n], ring(bits))],
                );
                assert_eq!(execute(&plan, &[x.clone(), y.clone()]), [ideal::matmul(&x, &y, shape, bits)], "{shape:?}");
            }
        }
    }
}

#[test]
fn static_matmul_is_exact_for_both_owners() {
    for owner in [Party::Server, Party::Client] {
        for (bits, wide) in [(64, 64), (32, 38), (37, 37), (20, 20)] {
            for (lead, k, n) in [(vec![1], 1, 1), (vec![2, 3], 11, 13), (vec![16], 32, 24)] {
                let m = lead.iter().product();
                let shape = Shape { batch: 1, m, k, n, transpose_b: false };
                let (x, w) = (values(1, wide, m * k), values(2, wide, k * n));
                let with = |last: usize| [&lead[..], &[last]].concat();
                let plan = plan(
                    StepOp::StaticMatMul { owner, factor_bits: bits },
                    vec![shared(&with(k), ring(wide)), encoded(&[k, n], owner, ring(wide))],
                    vec![shared(&with(n), ring(bits))],
                );
                assert_eq!(execute(&plan, &[x.clone(), w.clone()]), [ideal::matmul(&x, &w, shape, bits)], "{shape:?}");
            }
        }
    }
}

#[test]
fn static_mul_is_exact_for_both_owners() {
    for owner in [Party::Server, Party::Client] {
        for (bits, wide) in [(64, 64), (32, 38), (37, 37), (3, 3)] {
            for (rows, period) in [(1, 70), (9, 30), (200, 1)] {
                let (x, w) = (values(1, wide, rows * period), values(2, wide, period));
                let plan = plan(
                    StepOp::StaticMul { owner, factor_bits: bits },
                    vec![shared(&[rows, period], ring(wide)), encoded(&[period], owner, ring(wide))],
                    vec![shared(&[rows, period], ring(bits))],
                );
                assert_eq!(execute(&plan, &[x.clone(), w.clone()]), [ideal::static_mul(&x, &w, bits)]);
            }
        }
    }
}

/// Exact where `2^shift` divides, else the floor or the one above; each about as often as it is nearer.
fn check_rescale(from: Fixed, to: Fixed, x: Vec<u64>) {
    let count = x.len();
    let plan = plan(StepOp::Rescale, vec![shared(&[count], from)], vec![shared(&[count], to)]);
    let found = execute(&plan, std::slice::from_ref(&x)).remove(0);
    let (shift, mut up, mut odd) = (from.frac - to.frac, 0, 0);
    for ((x, floor), found) in x.iter().zip(ideal::rescale(&x, from, to)).zip(found) {
        let above = found.wrapping_sub(floor) & mask(to.bits);
        let exact = x & mask(shift) == 0;
        assert!(above == 0 || above == 1 && !exact, "{} in {from:?} became {}", to_signed(*x, from.bits), found);
        up += usize::from(!exact && above == 1);
        odd += usize::from(!exact);
    }
    if odd > 1000 {
        // Uniform shares round up with the probability of the fraction, a half on the whole.
        assert!(up.abs_diff(odd / 2) < 4 * (odd as f64).sqrt() as usize, "{up} of {odd} were rounded up");
    }
}

/// `count` values of magnitude below `2^(bits - 2)`: the extremes first.
fn bounded(seed: u8, bits: u32, shift: u32, count: usize) -> Vec<u64> {
    let (limit, unit) = (1i64 << (bits - 2), 1i64 << shift);
    let ends = [0, 1, -1, limit - 1, 1 - limit, unit, -unit, unit - 1, 1 - unit, limit - unit, unit - limit];
    let ends = ends.into_iter().filter(|x| x.abs() < limit).map(|x| x as u64 & mask(bits));
    let lifted = |x: u64| (x as i64 - limit + i64::from(x == 0)) as u64 & mask(bits);
    ends.chain(uniform(seed, bits - 1, count).into_iter().map(lifted)).take(count).collect()
}

#[test]
fn rescale_is_right_to_one_unit() {
    let fixed = |bits, frac| Fixed { bits, frac };
    for (from, to) in [
        (fixed(38, 24), fixed(34, 12)),
        (fixed(40, 24), fixed(40, 12)),
        (fixed(64, 30), fixed(64, 12)),
        (fixed(64, 30), fixed(35, 12)),
        (fixed(18, 12), fixed(38, 12)),
        (fixed(18, 12), fixed(64, 0)),
        (fixed(14, 12), fixed(20, 0)),
        (fixed(2, 0), fixed(3, 0)),
        // Local.
        (fixed(38, 24), fixed(26, 12)),
        (fixed(38, 24), fixed(12, 12)),
        (fixed(64, 12), fixed(64, 12)),
    ] {
        check_rescale(from, to, bounded(3, from.bits, from.frac - to.frac, 20_011));
    }
}

#[test]
fn rescale_never_wraps_in_a_million() {
    let (from, to) = (Fixed { bits: 36, frac: 24 }, Fixed { bits: 36, frac: 12 });
    check_rescale(from, to, bounded(4, 36, 12, 1 << 20));
    // As close to the ends as the precondition allows.
    let ends =
        (0..1u64 << 20).map(|i| if i % 2 == 0 { (1 << 34) - 1 - i / 2 } else { (1 + i / 2 + (3 << 34)) & mask(36) });
    check_rescale(from, to, ends.collect());
}

#[test]
fn compare_is_exact_in_every_ring() {
    for bits in 1..=64u32 {
        let quarter = if bits > 2 { 1i64 << (bits - 3) } else { 0 };
        for threshold in [0, 1, -1, quarter, -quarter] {
            if bits == 1 && threshold != 0 {
                continue;
            }
            // All of the ring: beyond the precondition the sign of the difference in the ring is the answer.
            let mut x = values(5, bits, 400);
            x.extend([threshold, threshold - 1, threshold + 1].map(|x| x as u64 & mask(bits)));
            let plan = plan(StepOp::Compare { threshold }, vec![shared(&[x.len()], ring(bits))], vec![bit(&[x.len()])]);
            assert_eq!(execute(&plan, std::slice::from_ref(&x)), [ideal::compare(&x, threshold, bits)], "{bits} bits");
        }
    }
}

#[test]
fn compare_agrees_on_many() {
    let x = uniform(6, 18, 100_003);
    let plan = plan(StepOp::Compare { threshold: -77 }, vec![shared(&[x.len()], ring(18))], vec![bit(&[x.len()])]);
    assert_eq!(execute(&plan, std::slice::from_ref(&x)), [ideal::compare(&x, -77, 18)]);
}

#[test]
fn bits_are_exact() {
    for count in [1, 63, 64, 65, 10_000] {
        let (x, y) = (uniform(7, 1, count), uniform(8, 1, count));
        let plan = plan(StepOp::And, vec![bit(&[count]), bit(&[count])], vec![bit(&[count])]);
        assert_eq!(execute(&plan, &[x.clone(), y.clone()]), [ideal::and(&x, &y)]);
    }
}

#[test]
fn bit_to_share_is_exact() {
    for (bits, frac) in [(1, 0), (38, 12), (64, 0), (64, 63), (13, 12)] {
        for count in [1, 64, 1000] {
            let (b, to) = (uniform(9, 1, count), Fixed { bits, frac });
            let plan = plan(StepOp::BitToShare, vec![bit(&[count])], vec![shared(&[count], to)]);
            assert_eq!(execute(&plan, std::slice::from_ref(&b)), [ideal::bit_to_share(&b, to)], "{to:?}");
        }
    }
}

#[test]
fn gate_is_exact_in_every_ring() {
    for bits in 1..=64 {
        for count in [1, 64, 301] {
            let (b, x) = (uniform(10, 1, count), values(11, bits, count));
            let inputs = vec![bit(&[count]), shared(&[count], ring(bits))];
            let plan = plan(StepOp::Gate, inputs, vec![shared(&[count], ring(bits))]);
            assert_eq!(execute(&plan, &[b.clone(), x.clone()]), [ideal::gate(&b, &x, bits)], "{bits} bits");
        }
    }
}

/// The entry found is that of the right cell or of the one below.
fn check_table(bits: u32, index_bits: u32, shift: u32, rings: &[u32], count: usize) {
    let tables: Vec<Vec<u64>> = rings.iter().map(|&ring| uniform(12, ring, 1 << index_bits)).collect();
    let x = values(13, bits, count);
    let outputs = rings.iter().map(|&bits| shared(&[count], ring(bits))).collect();
    let op = StepOp::Table { index_bits, shift, values: tables.clone() };
    let found = execute(&plan(op, vec![shared(&[count], ring(bits))], outputs), std::slice::from_ref(&x));
    let below: Vec<u64> = x.iter().map(|x| x.wrapping_sub(1 << shift)).collect();
    let cells =
        ideal::table(&x, index_bits, shift, &tables).into_iter().zip(ideal::table(&below, index_bits, shift, &tables));
    for (found, (right, below)) in found.iter().zip(cells) {
        for ((found, right), below) in found.iter().zip(right).zip(below) {
            assert!(*found == right || shift > 0 && *found == below, "{found} is neither {right} nor {below}");
        }
    }
}

#[test]
fn tables_are_read_at_the_cell() {
    check_table(18, 8, 10, &[38], 300);
    check_table(18, 8, 4, &[20, 1, 64], 300);
    check_table(8, 8, 0, &[64], 300);
    check_table(64, 1, 63, &[33], 100);
    check_table(40, 5, 20, &[7, 58], 1000);
}

/// Within what rounding the private factors and their product makes.
fn check_exp2(exp: Exp2, frac: u32, octaves: u32) {
    let read = exp.input_bits(frac);
    let (low, high) = (-(i64::from(octaves) << frac), 1i64 << frac);
    let x: Vec<i64> = [low, low + 1, -1, 0, 1, high, high / 2].into_iter().collect();
    let spread = uniform(14, 40, 20_000).into_iter().map(|x| low + (x % (high - low) as u64) as i64);
    let near = uniform(15, 40, 20_000).into_iter().map(|x| high - (x % (high * 4) as u64) as i64);
    let x: Vec<i64> = x.into_iter().chain(spread).chain(near).collect();
    let words: Vec<u64> = x.iter().map(|x| *x as u64 & mask(read)).collect();
    let out = Fixed { bits: exp.ring, frac: exp.result_frac };
    let count = x.len();
    let plan = plan(StepOp::Exp2(exp), vec![shared(&[count], Fixed { bits: read, frac })], vec![shared(&[count], out)]);
    let found = execute(&plan, std::slice::from_ref(&words)).remove(0);
    let unit = f64::from(exp.result_frac).exp2();
    let mut worst = 0f64;
    for ((x, expected), found) in x.iter().zip(ideal::exp2(&words, frac, exp)).zip(found) {
        let error = (to_signed(found, exp.ring) as f64 - expected) / unit;
        // Each factor errs by half a unit beside one of at least 1, and so by that part of the result; the product and what
        // it is shifted to by a unit, or a power that is shifted further than any is dropped.
        let relative = f64::from(exp.factor_frac).exp2().recip() * 1.1;
        let dropped = 2.0 / unit;
        worst = worst.max(error.abs());
        assert!(error.abs() <= relative * expected / unit + dropped, "2^{x} errs by {error}");
    }
    println!("{exp:?}: largest error 2^{:.2}", worst.log2());
}

#[test]
fn powers_are_close() {
    for rounds in [2, 3] {
        for octaves in [2, 16, 40, 77, 700] {
            check_exp2(Exp2::for_range(octaves, 13, rounds), 12, octaves);
        }
        check_exp2(Exp2 { ring: 21, ..Exp2::for_range(200, 15, rounds) }, 13, 200);
        check_exp2(Exp2::for_range(32, 26, rounds), 16, 32);
        check_exp2(Exp2 { index_bits: 5, step_bits: 2, factor_frac: 16, result_frac: 20, ring: 23, rounds }, 16, 32);
    }
    check_exp2(Exp2 { index_bits: 7, step_bits: 1, factor_frac: 19, result_frac: 22, ring: 30, rounds: 3 }, 20, 32);
}

#[test]
fn the_largest_of_each_row_is_found() {
    for bits in [3, 18, 33, 64] {
        for (rows, width) in [(1, 1), (3, 2), (5, 3), (7, 4), (40, 7), (3, 32), (2, 33)] {
            // Differences fit the ring.
            let lower = |x: u64| (to_signed(x, bits) >> 1) as u64 & mask(bits);
            let x: Vec<u64> = values(16, bits, rows * width).into_iter().map(lower).collect();
            let (from, to) = (shared(&[rows, width], ring(bits)), shared(&[rows, 1], ring(bits)));
            let plan = plan(StepOp::Max, vec![from], vec![to]);
            assert_eq!(
                execute(&plan, std::slice::from_ref(&x)),
                [ideal::max(&x, width, bits)],
                "{rows}x{width}, {bits}"
            );
        }
    }
}

/// As many as are expected, or one less.
fn check_levels(scale: Levels, from: Fixed, to: Fixed, rows: usize, width: usize) {
    let x = values(18, from.bits, rows * width);
    // Of each second row few elements reach any level.
    let rarely = |(at, x): (usize, u64)| if at / width % 2 == 1 && at % 7 > 0 { 0 } else { x };
    let x: Vec<u64> = x.into_iter().enumerate().map(rarely).collect();
    let plan = plan(StepOp::Levels(scale), vec![shared(&[rows, width], from)], vec![shared(&[rows, 1], to)]);
    let found = execute(&plan, std::slice::from_ref(&x)).remove(0);
    let unit = 1u64 << scale.place(from, to);
    let below: Vec<u64> = x.iter().map(|x| x.wrapping_sub(1 << scale.shift)).collect();
    let ends = ideal::levels(&x, width, scale).into_iter().zip(ideal::levels(&below, width, scale));
    for (found, (right, below)) in found.iter().zip(ends) {
        let [right, below] = [right, below].map(|reached| reached.wrapping_mul(unit) & mask(to.bits));
        let fits = *found == right
            || scale.shift > 0 && (*found == below || *found == right.wrapping_sub(unit) & mask(to.bits));
        assert!(fits, "{found} is neither {right} nor {below}: {scale:?}");
    }
}

#[test]
fn rows_reach_their_levels() {
    let (scale, fixed) = (Levels { index_bits: 6, shift: 0, first: 3, count: 40 }, |bits, frac| Fixed { bits, frac });
    for width in [1, 2, 31, 32, 33] {
        check_levels(scale, fixed(6, 0), fixed(9, 0), 20, width);
    }
    check_levels(Levels { shift: 13, ..scale }, fixed(25, 12), fixed(11, 2), 64, 32);
    // The scale passes zero, and fills the ring.
    check_levels(Levels { index_bits: 5, shift: 8, first: 27, count: 32 }, fixed(13, 8), fixed(7, 0), 30, 12);
    check_levels(Levels { index_bits: 1, shift: 3, first: 1, count: 1 }, fixed(4, 0), fixed(64, 20), 30, 5);
}

#[test]
fn one_party_learns_what_is_revealed() {
    for to in [Party::Server, Party::Client] {
        for bits in [1, 13, 64] {
            let x = values(17, bits, 50);
            let plan = plan(StepOp::Reveal { to }, vec![shared(&[50], ring(bits))], vec![shared(&[50], ring(bits))]);
            assert_eq!(execute(&plan, std::slice::from_ref(&x)), [x]);
        }
    }
}
