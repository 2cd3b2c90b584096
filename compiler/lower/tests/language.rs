//! What expressions mean: small programs, their inputs, the result in floating point.

use std::collections::BTreeMap;

use ptc_ir::graph::{Op, Visibility};
use ptc_ir::{Graph, evaluate, print, verify};
use ptc_plan::float::FloatTensor;
use ptc_plan::operator::Operator;
use ptc_plan::step::{Fixed, Party};
use ptc_syntax::diagnostic::{Diagnostic, render};
use ptc_syntax::source::Sources;

fn try_lower(text: &str, entry: Option<&str>) -> (Sources, Result<Graph, Vec<Diagnostic>>) {
    let mut sources = Sources::default();
    let graph = ptc_typeck::load::load(&mut sources, "test.ptx", text, &mut |_| None)
        .and_then(|program| ptc_lower::lower_entry(&program, &sources, entry, &BTreeMap::new()));
    (sources, graph)
}

fn lower(text: &str) -> Graph {
    let (sources, graph) = try_lower(text, None);
    let graph = graph.unwrap_or_else(|diagnostics| panic!("{}", render(&diagnostics, &sources)));
    let problems = [verify::verify(&graph), verify::unique_names(&graph), verify::needed_reveals(&graph)].concat();
    assert!(problems.is_empty(), "{problems:#?}\n{}", print::print(&graph));
    graph
}

fn codes(text: &str, entry: Option<&str>) -> Vec<&'static str> {
    let (_, graph) = try_lower(text, entry);
    graph.expect_err("the program is wrong").iter().map(|diagnostic| diagnostic.code.id).collect()
}

/// Inputs and parameters count up from 1: `x[0] = 1`, `x[1] = 2`, ...; ids count up from 0, bits are 1, 0, 1, 0, ...
fn values(graph: &Graph) -> evaluate::Tensors {
    use ptc_plan::file::InputKind::*;
    let mut values = evaluate::Tensors::new();
    for node in &graph.nodes {
        let count = node.shape.iter().product();
        let (name, of): (_, fn(usize) -> f32) = match &node.op {
            Op::Input { name, kind: Token, .. } => (name, |at| at as f32),
            Op::Input { name, kind: Bit, .. } => (name, |at| (1 - at % 2) as f32),
            Op::Input { name, kind: Real, .. } | Op::Parameter { path: name } => (name, |at| at as f32 + 1.0),
            _ => continue,
        };
        values.insert(name.clone(), FloatTensor::new(node.shape.clone(), (0..count).map(of).collect()));
    }
    values
}

/// The body of an entry over `x: real[2, 3]`, `on: bit[3]`, `ids: token[2]`, `w: real[3, 2]`.
fn check(body: &str, shape: &[usize], expected: &[f32]) {
    let written: Vec<String> = shape.iter().map(usize::to_string).collect();
    let result = if shape.is_empty() { "real".into() } else { format!("real[{}]", written.join(", ")) };
    let graph = lower(&format!(
        "const TWO = 2;
         model M {{
             w: real[3, TWO] @server,
             entry run(x: real[TWO, 3] @client, on: bit[3] @client, ids: token[2] @client) -> {result} @client {{
                 {body}
             }}
         }}"
    ));
    let values = values(&graph);
    let found = evaluate::outputs(&graph, &values, &values).expect("every value is given");
    assert_eq!(found[0].shape, shape, "{body}");
    let worst = found[0].data.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(found[0].data.len() == expected.len() && worst < 1e-5, "{body}: {:?}", found[0].data);
}

#[test]
fn tables_are_computed_from_places() {
    check("x + [10 * i + j for i in 0..TWO, j in 1..4]", &[2, 3], &[2., 4., 6., 15., 17., 19.]);
    check("select([j <= i for i in 0..TWO, j in 0..3], x, 0)", &[2, 3], &[1., 0., 0., 4., 5., 0.]);
    // Whole numbers are ids too.
    check("x[[TWO - 1 - i for i in 0..TWO]]", &[2, 3], &[4., 5., 6., 1., 2., 3.]);
    check("x[0] * [cos(i) - sin(i) + floor(i / 2) + log(exp(i)) for i in 0..1]", &[3], &[1., 2., 3.]);
}

#[test]
fn modules_take_numbers_with_defaults() {
    let program = |given: &str| {
        format!(
            "module Layer<N, EPS = 0.5, M = 2 * N> {{
                 weight: real[N, M],
                 fn forward(x: real[N]) -> real[M] {{ matmul(x, weight) * EPS }}
             }}
             model M {{
                 layer: Layer<{given}> @server,
                 entry run(x: real[2] @client) -> real[4] @client {{ layer(x) }}
             }}"
        )
    };
    // x = [1, 2], rows of the weight [1, 2, 3, 4] and [5, 6, 7, 8].
    let whole = [11.0, 14.0, 17.0, 20.0];
    for (given, by) in [("2", 0.5), ("2, 0.25", 0.25), ("2, 1e-3, 4", 1e-3)] {
        let graph = lower(&program(given));
        let values = values(&graph);
        let found = evaluate::outputs(&graph, &values, &values).expect("every value is given");
        found[0].data.iter().zip(whole).for_each(|(a, b)| assert!((a - b * by).abs() < 1e-5, "{given}: {a}"));
    }
}

#[test]
fn arithmetic_takes_numbers_and_broadcasts() {
    check("x + 1", &[2, 3], &[2., 3., 4., 5., 6., 7.]);
    check("10 - x / 2 * 4", &[2, 3], &[8., 6., 4., 2., 0., -2.]);
    check("6 / x[0]", &[3], &[6., 3., 2.]);
    check("-x + x[0]", &[2, 3], &[0., 0., 0., -3., -3., -3.]);
    check("x * on", &[2, 3], &[1., 0., 3., 4., 0., 6.]);
    check("x[:, 0..1] * x[0, :]", &[2, 3], &[1., 2., 3., 4., 8., 12.]);
    check("x / x", &[2, 3], &[1.; 6]);
    check("sqrt(16) * x[0] + exp(0) - reciprocal(TWO)", &[3], &[4.5, 8.5, 12.5]);
}

#[test]
fn products_take_vectors_as_rows_and_columns() {
    check("matmul(x, w)", &[2, 2], &[22., 28., 49., 64.]);
    check("matmul(x, x.T)", &[2, 2], &[14., 32., 32., 77.]);
    check("matmul(x[0], w)", &[2], &[22., 28.]);
    check("matmul(x, x[1])", &[2], &[32., 77.]);
    check("matmul(x[0], x[1])", &[], &[32.]);
    check("matmul(w.T, x.T)", &[2, 2], &[22., 49., 28., 64.]);
}

#[test]
fn subscripts_slice_drop_and_gather() {
    check("x[1]", &[3], &[4., 5., 6.]);
    check("x[-1, -1]", &[], &[6.]);
    check("x[:, 1..]", &[2, 2], &[2., 3., 5., 6.]);
    check("x[0..1, ..-1]", &[1, 2], &[1., 2.]);
    check("x[ids]", &[2, 3], &[1., 2., 3., 4., 5., 6.]);
    check("x[ids, 2]", &[2], &[3., 6.]);
    check("let other = ids[1..2]; x[other]", &[1, 3], &[4., 5., 6.]);
}

#[test]
fn structure_follows_numpy() {
    check("reshape(x, [3, TWO])", &[3, 2], &[1., 2., 3., 4., 5., 6.]);
    check("permute(x, [1, 0])", &[3, 2], &[1., 4., 2., 5., 3., 6.]);
    check("x.T", &[3, 2], &[1., 4., 2., 5., 3., 6.]);
    check("concat([x, x * 2], axis: -1)", &[2, 6], &[1., 2., 3., 2., 4., 6., 4., 5., 6., 8., 10., 12.]);
    check("broadcast(x[0], [2, 3])", &[2, 3], &[1., 2., 3., 1., 2., 3.]);
    check("split_heads(x, 3)", &[3, 2, 1], &[1., 4., 2., 5., 3., 6.]);
    check("merge_heads(split_heads(x, 3))", &[2, 3], &[1., 2., 3., 4., 5., 6.]);
    check("x * size(x, axis: -1)", &[2, 3], &[3., 6., 9., 12., 15., 18.]);
}

#[test]
fn reductions_drop_their_axis() {
    check("sum(x, axis: 0)", &[3], &[5., 7., 9.]);
    check("sum(x)", &[], &[21.]);
    check("mean(x, axis: 1)", &[2], &[2., 5.]);
    check("mean(x, axis: 1, keep: 1)", &[2, 1], &[2., 5.]);
    check("max(x, axis: -1)", &[2], &[3., 6.]);
    check("sum(on)", &[], &[2.]);
}

#[test]
fn truth_values_select_and_mask() {
    check("select(x > 3, x, -1)", &[2, 3], &[-1., -1., -1., 4., 5., 6.]);
    check("select(x >= 3 && !(x > 3 && x <= 4) || x < 2, 1, 0) + x * 0", &[2, 3], &[1., 0., 1., 0., 1., 1.]);
    check("select(!on, x[0], 0)", &[3], &[0., 2., 0.]);
    check("select(on == (x[0] <= 2), 1, 0) + 0 * x[0]", &[3], &[1., 0., 0.]);
    check("select(ids == 1, x[:, 0], 0)", &[2], &[0., 4.]);
    check("1 * select(on, !on, on)", &[3], &[0., 0., 0.]);
    check("softmax(x * 0, on)", &[2, 3], &[0.5, 0., 0.5, 0.5, 0., 0.5]);
    check("1 * causal(3)", &[3, 3], &[1., 0., 0., 1., 1., 0., 1., 1., 1.]);
}

#[test]
fn loops_are_unrolled_and_conditions_choose() {
    check("for i in 0..3 { x = x + i; } x[0]", &[3], &[4., 5., 6.]);
    check("let s = 0; for i in 1..4 { s = s + i * i; } x[0] * s", &[3], &[14., 28., 42.]);
    check("if TWO > 1 { x[0] } else { x }", &[3], &[1., 2., 3.]);
    check("let y = { let x = 2 * x; x[0] }; y + x[0]", &[3], &[3., 6., 9.]);
}

#[test]
fn norms_are_those_of_the_papers() {
    check("l2_normalize(x[0, 0..2] * 0 + 3)", &[2], &[0.70710677, 0.70710677]);
    check("normalize(x)", &[2, 3], &[-1.2247449, 0., 1.2247449, -1.2247449, 0., 1.2247449]);
    check("rms_normalize(x * 0 + 2, eps: 0)", &[2, 3], &[1.; 6]);
}

/// A model around a library module with these sizes, on `x: real[2, 4]`.
fn library(uses: &str, field: &str, body: &str) -> Graph {
    lower(&format!(
        "{uses}
         model M {{
             layer: {field} @server at \"l\",
             entry run(x: real[2, 4] @client, mask: bit[2] @client) -> real[2, 4] @client {{ {body} }}
         }}"
    ))
}

fn paths(graph: &Graph) -> Vec<&str> {
    let parameters = graph.nodes.iter().filter_map(|node| match &node.op {
        Op::Parameter { path } => Some(path.as_str()),
        _ => None,
    });
    parameters.collect()
}

#[test]
fn the_library_is_checked_for_the_sizes_it_is_used_with() {
    let graph = library("use nn::RMSNorm;", "RMSNorm<4>", "layer(x)");
    assert_eq!(paths(&graph), ["l.weight"]);
    let graph = library("use nn::{Projection, mean_pool};", "Projection<4, 4>", "layer(x) + mean_pool(x)");
    assert_eq!(paths(&graph), ["l.weight"]);
    let graph = library(
        "use attention::{MultiHead, causal_mask};",
        "MultiHead<4, 2>",
        "layer.masked(x, causal_mask(mask, 2)) + layer.masked(x, causal_mask(2)) + layer(x)",
    );
    assert_eq!(paths(&graph).len(), 6);
    let graph = library("use bert::Encoder;", "Encoder<4, 2, 8, 3>", "layer(x, mask)");
    assert_eq!(paths(&graph).len(), 3 * 16);
    assert!(paths(&graph).contains(&"l.layer.2.attention.output.LayerNorm.bias"));
    assert!(graph.nodes.iter().any(|node| node.name == "layer.blocks.2.attend.scores"));
    let graph = lower(
        "use bert::Embeddings;
         model M {
             tables: Embeddings<10, 8, 4> @public at \"e\",
             entry run(ids: token[6] @client) -> real[6, 4] @client { tables(ids) }
         }",
    );
    assert_eq!(paths(&graph)[0], "e.word_embeddings.weight");
    assert!(graph.nodes.iter().all(|node| !matches!(node.op, Op::Reveal { .. })), "the client sees all of it");
    let limit = graph.nodes.iter().find_map(|node| match node.op {
        Op::Input { limit, .. } => Some(limit),
        _ => None,
    });
    assert_eq!(limit, Some(10.0));
}

#[test]
fn a_result_is_opened_to_its_receiver_only() {
    let model = |receiver: &str| {
        lower(&format!(
            "model M {{
                 w: real[4] @server,
                 entry run(x: real[4] @client) -> real[4] @{receiver} {{ x * w }}
             }}"
        ))
    };
    let opened = |graph: &Graph| -> Vec<Party> { graph.outputs.iter().map(|output| output.to).collect() };
    assert_eq!(opened(&model("client")), [Party::Client]);
    assert_eq!(opened(&model("server")), [Party::Server]);
    assert_eq!(opened(&model("public")), [Party::Server, Party::Client]);
    let reasons: Vec<String> = model("client")
        .nodes
        .iter()
        .filter_map(|node| if let Op::Reveal { reason, .. } = &node.op { Some(reason.clone()) } else { None })
        .collect();
    assert_eq!(reasons, ["declared result of entry `run`"]);
}

#[test]
fn a_reveal_opens_and_a_pin_stays() {
    let graph = lower(
        "model M {
             w: real[4] @server,
             #[tolerance(1e-3)]
             #[bound(x = 8)]
             entry run(x: real[4] @client, y: real[4] @client) -> real[4] @client {
                 let score: real[4] fixed<40, 14> = x * w;
                 let unused = reveal(x * y * w, to: client, reason: \"never asked for\");
                 let seen = reveal(score, to: client, reason: \"a score\");
                 seen + y
             }
         }",
    );
    let node = |name: &str| graph.nodes.iter().find(|node| node.name == name).expect("a named node");
    assert_eq!(node("score").fixed, Some(Fixed { bits: 40, frac: 14 }));
    assert_eq!(node("score").tolerance, Some(1e-3));
    assert_eq!(node("seen").visibility, Visibility::Client);
    assert!(graph.nodes.iter().all(|node| node.name != "unused"));
    assert_eq!(graph.nodes.iter().filter(|node| matches!(node.op, Op::Reveal { .. })).count(), 1);
    let limits: Vec<f32> = graph
        .nodes
        .iter()
        .filter_map(|node| if let Op::Input { limit, .. } = node.op { Some(limit) } else { None })
        .collect();
    assert_eq!(limits, [8.0, 16.0]);
}

#[test]
fn tied_fields_are_one_tensor_and_agree() {
    let text = |shape: &str| {
        format!(
            "model M {{
                 a: real[4] @server at \"t\",
                 b: real[{shape}] @server at \"t\",
                 entry run(x: real[4] @client) -> real[4] @client {{ x * a + sum(b) }}
             }}"
        )
    };
    assert_eq!(paths(&lower(&text("4"))), ["t"]);
    assert_eq!(codes(&text("2"), None), ["E0505"]);
}

#[test]
fn an_entry_is_chosen_by_name() {
    let two = "model M {
                   entry one(x: real[4] @client) -> real[4] @client { x }
                   entry two(x: real[4] @client) -> real[4] @client { x }
               }";
    assert_eq!(codes(two, None), ["E0212"]);
    assert_eq!(codes(two, Some("tow")), ["E0212"]);
    assert!(try_lower(two, Some("two")).1.is_ok_and(|graph| graph.entry == "two"));
    assert_eq!(codes("model M { }", None), ["E0212"]);
    assert_eq!(codes("const D = 4;", None), ["E0212"]);
}

/// Equal layers are checked once: depth costs nodes, not checks.
#[test]
fn many_layers_lower() {
    let graph = lower(
        "use bert::Block;
         model M {
             blocks: [Block<8, 2, 16>; 1000] @server,
             entry run(x: real[4, 8] @client) -> real[4, 8] @client {
                 for block in blocks { x = block(x); }
                 x
             }
         }",
    );
    assert!(graph.nodes.len() > 40_000);
    let gelus = graph.nodes.iter().filter(|node| node.op == Op::Apply(Operator::Gelu)).count();
    assert_eq!(gelus, 1000);
}
