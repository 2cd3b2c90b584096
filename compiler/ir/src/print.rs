//! A graph as text, one node a line; [`crate::parse`] reads it back without loss.
//!
//! ```text
//! model "MiniLm" entry "embed"
//! dim "S" = 32
//! origin 0 "minilm.ptx":12 "let scores = matmul(q, k.T);"
//!
//! %0 = input "x" {limit: 1} : client real[32, 384] "x" @0
//! %1 = parameter "query.weight" : server real[384, 384] "query.weight" @0
//! %2 = matmul %0, %1 {transpose_b} : secret real[32, 384] "query" ring(38, 24) bound(-9, 9, proved) error(0.01) @0
//! %3 = reveal %2 {to: client, reason: "result"} : client real[32, 384] "query.reveal" @0
//!
//! output "embed" client %3
//! note "query" "recipe" 0.0001 absolute
//! ```
//! Numbers are printed so that they read back exactly; a constant of many elements, or one that is not a number, as the
//! bits of its `f32`s in hexadecimal.

use std::fmt::{self, Write};

use ptc_plan::file::InputKind;
use ptc_plan::operator::Operator;
use ptc_plan::step::Party;

use crate::graph::{Grade, Graph, Node, Op, Visibility};
use crate::kind::kinds;

/// Constants with more elements are printed as bits.
const INLINE_ELEMENTS: usize = 16;

pub fn print(graph: &Graph) -> String {
    let mut text = String::new();
    write_graph(&mut text, graph).expect("a string takes all text");
    text
}

fn write_graph(out: &mut String, graph: &Graph) -> fmt::Result {
    writeln!(out, "model {} entry {}", quoted(&graph.model), quoted(&graph.entry))?;
    for (name, size) in &graph.dims {
        writeln!(out, "dim {} = {size}", quoted(name))?;
    }
    for (at, origin) in graph.origins.iter().enumerate() {
        writeln!(out, "origin {at} {}:{} {}", quoted(&origin.file), origin.line, quoted(&origin.text))?;
    }
    writeln!(out)?;
    for (at, (node, kind)) in graph.nodes.iter().zip(kinds(graph)).enumerate() {
        write_node(out, at, node, kind)?;
    }
    writeln!(out)?;
    for output in &graph.outputs {
        writeln!(out, "output {} {} %{}", quoted(&output.name), party(output.to), output.node.0)?;
    }
    for note in &graph.notes {
        let measure = if note.relative { "relative" } else { "absolute" };
        writeln!(out, "note {} {} {} {measure}", quoted(&note.value), quoted(&note.recipe), number(note.bound))?;
    }
    Ok(())
}

fn write_node(out: &mut String, at: usize, node: &Node, kind: InputKind) -> fmt::Result {
    write!(out, "%{at} = ")?;
    match &node.op {
        Op::Input { name, .. } => write!(out, "input {}", quoted(name))?,
        Op::Parameter { path } => write!(out, "parameter {}", quoted(path))?,
        Op::Constant(value) => write!(out, "constant {}", numbers(&value.data))?,
        Op::Apply(op) => out.write_str(op.name())?,
        Op::Reveal { .. } => out.write_str("reveal")?,
    }
    for (at, input) in node.inputs.iter().enumerate() {
        write!(out, "{}%{}", if at == 0 { " " } else { ", " }, input.0)?;
    }
    match &node.op {
        Op::Input { limit, .. } => write!(out, " {{limit: {}}}", short_number(*limit))?,
        Op::Reveal { to, reason } => write!(out, " {{to: {}, reason: {}}}", party(*to), quoted(reason))?,
        Op::Apply(op) => write_attributes(out, op)?,
        Op::Parameter { .. } | Op::Constant(_) => {}
    }
    write!(out, " : {} {}{:?} {}", visibility(node.visibility), self::kind(kind), node.shape, quoted(&node.name))?;
    if let Some(tolerance) = node.tolerance {
        write!(out, " tolerance({})", number(tolerance))?;
    }
    if let Some(fixed) = node.fixed {
        write!(out, " ring({}, {})", fixed.bits, fixed.frac)?;
    }
    if let Some(bound) = node.bound {
        write!(out, " bound({}, {}, {})", number(bound.low), number(bound.high), grade(bound.grade))?;
    }
    if let Some(error) = node.error {
        write!(out, " error({})", number(error))?;
    }
    writeln!(out, " @{}", node.origin)
}

/// What an operator is besides its name.
fn write_attributes(out: &mut String, op: &Operator) -> fmt::Result {
    use Operator::*;
    match op {
        Scale { by } | Offset { by } => write!(out, " {{by: {}}}", number(*by)),
        MatMul { transpose_b: true } => out.write_str(" {transpose_b}"),
        Reshape { shape } | Broadcast { shape } => write!(out, " {{shape: {shape:?}}}"),
        Permute { axes } => write!(out, " {{axes: {axes:?}}}"),
        Slice { axis, start, length } => write!(out, " {{axis: {axis}, start: {start}, length: {length}}}"),
        Concat { axis } | Sum { axis } | Max { axis } => write!(out, " {{axis: {axis}}}"),
        Normalize { eps } | RmsNormalize { eps } | L2Normalize { eps } => write!(out, " {{eps: {}}}", number(*eps)),
        Compare { threshold } => write!(out, " {{threshold: {}}}", number(*threshold)),
        Exp2 { octaves, rounds } => write!(out, " {{octaves: {octaves}, rounds: {rounds}}}"),
        Levels { low, step, count } => {
            write!(out, " {{low: {}, step: {}, count: {count}}}", number(*low), number(*step))
        }
        Table { low, step_bits, values } => {
            let values: Vec<String> = values.iter().map(|row| numbers(row)).collect();
            write!(out, " {{low: {}, step_bits: {step_bits}, values: [{}]}}", number(*low), values.join(", "))
        }
        BitTable { low, step_bits, values } => {
            let digits = |row: &Vec<bool>| row.iter().map(|&bit| if bit { '1' } else { '0' }).collect::<String>();
            let values: Vec<String> = values.iter().map(|row| quoted(&digits(row))).collect();
            write!(out, " {{low: {}, step_bits: {step_bits}, values: [{}]}}", number(*low), values.join(", "))
        }
        Rest { step_bits } => write!(out, " {{step_bits: {step_bits}}}"),
        _ => Ok(()),
    }
}

pub(crate) fn visibility(visibility: Visibility) -> &'static str {
    match visibility {
        Visibility::Public => "public",
        Visibility::Client => "client",
        Visibility::Server => "server",
        Visibility::Secret => "secret",
    }
}

pub(crate) fn party(party: Party) -> &'static str {
    match party {
        Party::Server => "server",
        Party::Client => "client",
    }
}

pub(crate) fn kind(kind: InputKind) -> &'static str {
    match kind {
        InputKind::Real => "real",
        InputKind::Token => "token",
        InputKind::Bit => "bit",
    }
}

pub(crate) fn grade(grade: Grade) -> &'static str {
    match grade {
        Grade::Proved => "proved",
        Grade::Calibrated => "calibrated",
        Grade::Assumed => "assumed",
        Grade::Gated => "gated",
    }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            c if c.is_control() => quoted.extend(c.escape_unicode()),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// The shortest text that reads back as the same number.
fn number(value: f64) -> String {
    without_point(format!("{value:?}"))
}

fn short_number(value: f32) -> String {
    without_point(format!("{value:?}"))
}

fn without_point(text: String) -> String {
    match text.strip_suffix(".0") {
        Some(whole) => whole.to_string(),
        None => text,
    }
}

fn numbers(values: &[f32]) -> String {
    if values.len() > INLINE_ELEMENTS || values.iter().any(|x| x.is_nan()) {
        let bits: String = values.iter().map(|x| format!("{:08x}", x.to_bits())).collect();
        return format!("x\"{bits}\"");
    }
    let values: Vec<String> = values.iter().map(|&x| short_number(x)).collect();
    format!("[{}]", values.join(", "))
}
