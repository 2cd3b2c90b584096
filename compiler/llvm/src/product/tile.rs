//! The text of one tile: `rows` rows of `a` with one panel of `b`.
//!
//! Sums stay in registers over the whole of `k`. Arguments: `a` and its row length in ring words, the panel, `k / 2`,
//! the negated sums of `a`'s rows, `out` and its row length in words of 64 bits, and an address of which one cache line
//! is fetched at each step: the panel that is needed next comes from memory while this one is multiplied.

use crate::text::Body;

pub fn text(symbol: &str, bits: usize, rows: usize, lanes: usize, vectors: usize) -> String {
    let (word, vector) = (format!("i{bits}"), format!("<{lanes} x i{bits}>"));
    let line = lanes * bits / 8;
    let width = lanes * vectors;
    let mut body = Body::default();

    body.label("entry");
    let columns: Vec<String> = (0..vectors)
        .map(|v| {
            let at = body.value(format_args!("getelementptr {word}, ptr %panel, i64 {}", v * lanes));
            body.value(format_args!("load {vector}, ptr {at}, align {line}"))
        })
        .collect();
    let mut row_pointers = vec![];
    let mut starts = vec![];
    for row in 0..rows {
        let offset = body.value(format_args!("mul i64 %row_words, {row}"));
        row_pointers.push(body.value(format_args!("getelementptr {word}, ptr %a, i64 {offset}")));
        let at = body.value(format_args!("getelementptr {word}, ptr %row_sums, i64 {row}"));
        let sum = body.value(format_args!("load {word}, ptr {at}"));
        let sum = body.splat(&word, lanes, &sum);
        starts.extend(
            columns.iter().map(|column| body.value(format_args!("add {vector} {column}, {sum}"))).collect::<Vec<_>>(),
        );
    }
    let first = body.value(format_args!("getelementptr {word}, ptr %panel, i64 {width}"));
    body.line("br label %loop");

    body.label("loop");
    body.line("%pair = phi i64 [ 0, %entry ], [ %pair_next, %loop ]");
    body.line(format_args!("%b = phi ptr [ {first}, %entry ], [ %b_next, %loop ]"));
    body.line("%line = phi ptr [ %prefetch, %entry ], [ %line_next, %loop ]");
    let sums: Vec<String> = (0..starts.len()).map(|at| format!("%sum{at}")).collect();
    for (at, start) in starts.iter().enumerate() {
        body.line(format_args!("%sum{at} = phi {vector} [ {start}, %entry ], [ %sum{at}_next, %loop ]"));
    }
    body.line("call void @llvm.prefetch.p0(ptr %line, i32 0, i32 2, i32 1)");
    let mut load = |row: usize| -> Vec<String> {
        (0..vectors)
            .map(|v| {
                let at = body.value(format_args!("getelementptr {word}, ptr %b, i64 {}", row * width + v * lanes));
                body.value(format_args!("load {vector}, ptr {at}, align {line}"))
            })
            .collect()
    };
    let (even, odd) = (load(0), load(1));
    let index = body.value("shl i64 %pair, 1");
    for (row, pointer) in row_pointers.iter().enumerate() {
        let at = body.value(format_args!("getelementptr {word}, ptr {pointer}, i64 {index}"));
        let x = body.value(format_args!("load {word}, ptr {at}"));
        let x = body.splat(&word, lanes, &x);
        let at = body.value(format_args!("getelementptr {word}, ptr {at}, i64 1"));
        let z = body.value(format_args!("load {word}, ptr {at}"));
        let z = body.splat(&word, lanes, &z);
        for v in 0..vectors {
            let left = body.value(format_args!("add {vector} {}, {x}", odd[v]));
            let right = body.value(format_args!("add {vector} {}, {z}", even[v]));
            let product = body.value(format_args!("mul {vector} {left}, {right}"));
            let at = row * vectors + v;
            body.line(format_args!("%sum{at}_next = add {vector} {}, {product}", sums[at]));
        }
    }
    body.line(format_args!("%b_next = getelementptr {word}, ptr %b, i64 {}", 2 * width));
    body.line("%line_next = getelementptr i8, ptr %line, i64 64");
    body.line("%pair_next = add nuw i64 %pair, 1");
    body.line("%more = icmp ult i64 %pair_next, %pairs");
    body.line("br i1 %more, label %loop, label %done");

    body.label("done");
    for row in 0..rows {
        let offset = body.value(format_args!("mul i64 %out_row_words, {row}"));
        let target = body.value(format_args!("getelementptr i64, ptr %out, i64 {offset}"));
        for v in 0..vectors {
            let at = body.value(format_args!("getelementptr i64, ptr {target}, i64 {}", v * lanes));
            let sum = format!("%sum{}_next", row * vectors + v);
            match bits {
                64 => body.line(format_args!("store {vector} {sum}, ptr {at}, align 8")),
                _ => {
                    let wide = body.value(format_args!("zext {vector} {sum} to <{lanes} x i64>"));
                    body.line(format_args!("store <{lanes} x i64> {wide}, ptr {at}, align 8"));
                }
            }
        }
    }
    body.into_function(&format!(
        "@{symbol}(ptr noalias readonly %a, i64 %row_words, ptr noalias readonly %panel, i64 %pairs, \
         ptr noalias readonly %row_sums, ptr noalias %out, i64 %out_row_words, ptr %prefetch)"
    ))
}
