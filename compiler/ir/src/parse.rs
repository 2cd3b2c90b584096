//! The text of [`crate::print`] back into a graph.
//!
//! Empty lines and lines that start with `//` are skipped. A graph that parses has edges that only point backwards and
//! constants that fill their shapes; what else must hold is [`crate::verify`]'s to say.

use ptc_plan::file::{InputKind, Note, Origin};
use ptc_plan::float::FloatTensor;
use ptc_plan::step::{Fixed, Party};

use crate::graph::{Bound, Grade, Graph, GraphOutput, Node, NodeId, Op, Visibility};
use crate::kind::kinds;
use crate::print;

mod operator;
mod scanner;

use scanner::Scanner;

const MAX_NODES: usize = 1 << 20;
const MAX_AXES: usize = 16;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct ParseError {
    /// From 1.
    pub line: usize,
    pub message: String,
}

pub fn parse(text: &str) -> Result<Graph, ParseError> {
    let mut graph = Graph::default();
    // Line and kind of each node.
    let mut declared = vec![];
    for (at, line) in text.lines().enumerate() {
        let kind = parse_line(line, &mut graph).map_err(|message| ParseError { line: at + 1, message })?;
        declared.extend(kind.map(|kind| (at + 1, kind)));
    }
    for (at, (kind, &(line, declared))) in kinds(&graph).into_iter().zip(&declared).enumerate() {
        if kind != declared {
            let (kind, declared) = (print::kind(kind), print::kind(declared));
            let message = format!("`%{at}` is declared as {declared}, but its operator makes it {kind}");
            return Err(ParseError { line, message });
        }
    }
    Ok(graph)
}

/// The kind that a node's line declares; `None` for other lines.
fn parse_line(line: &str, graph: &mut Graph) -> Result<Option<InputKind>, String> {
    if line.trim().is_empty() || line.trim_start().starts_with("//") {
        return Ok(None);
    }
    let mut scanner = Scanner::new(line);
    let kind = match scanner.accept("%") {
        true => Some(parse_node(&mut scanner, graph)?),
        false => parse_other(&mut scanner, graph).map(|()| None)?,
    };
    scanner.end().map(|()| kind)
}

fn parse_other(scanner: &mut Scanner, graph: &mut Graph) -> Result<(), String> {
    match scanner.word()? {
        "model" => {
            graph.model = scanner.text()?;
            scanner.expect_word("entry")?;
            graph.entry = scanner.text()?;
        }
        "dim" => {
            let name = scanner.text()?;
            scanner.expect("=")?;
            graph.dims.push((name, scanner.whole()?));
        }
        "origin" => {
            let at: usize = scanner.whole()?;
            if at != graph.origins.len() {
                return Err(format!("origin {at} stands where origin {} is due", graph.origins.len()));
            }
            let file = scanner.text()?;
            scanner.expect(":")?;
            let line = scanner.whole()?;
            graph.origins.push(Origin { file, line, text: scanner.text()? });
        }
        "output" => {
            let (name, to) = (scanner.text()?, parse_party(scanner)?);
            let node = parse_reference(scanner, graph)?;
            graph.outputs.push(GraphOutput { name, to, node });
        }
        "note" => {
            let (value, recipe, bound) = (scanner.text()?, scanner.text()?, scanner.number()?);
            let relative = match scanner.word()? {
                "relative" => true,
                "absolute" => false,
                other => return Err(format!("`{other}` is neither `relative` nor `absolute`")),
            };
            graph.notes.push(Note { value, recipe, bound, relative });
        }
        other => return Err(format!("a line starts with `%`, model, dim, origin, output or note, not `{other}`")),
    }
    Ok(())
}

/// The node after its `%`; returns the kind that its line declares.
fn parse_node(scanner: &mut Scanner, graph: &mut Graph) -> Result<InputKind, String> {
    let at: usize = scanner.whole()?;
    if at != graph.nodes.len() {
        return Err(format!("node %{at} stands where %{} is due", graph.nodes.len()));
    }
    if at >= MAX_NODES {
        return Err(format!("more than {MAX_NODES} nodes"));
    }
    scanner.expect("=")?;
    let head = parse_head(scanner)?;
    let inputs = parse_inputs(scanner, graph)?;
    let body = parse_body(scanner, head)?;
    scanner.expect(":")?;
    let visibility = parse_visibility(scanner)?;
    let kind = parse_kind(scanner)?;
    let shape = scanner.sizes(MAX_AXES)?;
    let name = scanner.text()?;
    let tolerance = match scanner.accept_word("tolerance") {
        true => Some(scanner.within("(", ")", |s| s.number())?),
        false => None,
    };
    let fixed = match scanner.accept_word("ring") {
        true => Some(scanner.within("(", ")", parse_fixed)?),
        false => None,
    };
    let bound = match scanner.accept_word("bound") {
        true => Some(scanner.within("(", ")", parse_bound)?),
        false => None,
    };
    let error = match scanner.accept_word("error") {
        true => Some(scanner.within("(", ")", |s| s.number())?),
        false => None,
    };
    scanner.expect("@")?;
    let origin = scanner.whole()?;
    let op = match body {
        Body::Input { name, limit } => Op::Input { name, kind, limit },
        Body::Constant(data) => Op::Constant(constant(&shape, data)?),
        Body::Ready(op) => op,
    };
    graph.push(Node { op, inputs, shape, visibility, name, origin, tolerance, bound, fixed, error });
    Ok(kind)
}

/// What stands before the inputs.
enum Head {
    Input(String),
    Parameter(String),
    Constant(Vec<f32>),
    Reveal,
    Apply(String),
}

/// What head and attributes say together.
enum Body {
    Input { name: String, limit: f32 },
    Constant(Vec<f32>),
    Ready(Op),
}

fn parse_head(scanner: &mut Scanner) -> Result<Head, String> {
    Ok(match scanner.word()? {
        "input" => Head::Input(scanner.text()?),
        "parameter" => Head::Parameter(scanner.text()?),
        "constant" => Head::Constant(scanner.floats()?),
        "reveal" => Head::Reveal,
        name => Head::Apply(name.to_string()),
    })
}

fn parse_body(scanner: &mut Scanner, head: Head) -> Result<Body, String> {
    Ok(match head {
        Head::Input(name) => {
            let limit = scanner.within("{", "}", |s| s.key("limit")?.short_number())?;
            Body::Input { name, limit }
        }
        Head::Parameter(path) => Body::Ready(Op::Parameter { path }),
        Head::Constant(data) => Body::Constant(data),
        Head::Reveal => {
            let (to, reason) = scanner.within("{", "}", |s| {
                let to = parse_party(s.key("to")?)?;
                s.expect(",")?;
                Ok((to, s.key("reason")?.text()?))
            })?;
            Body::Ready(Op::Reveal { to, reason })
        }
        Head::Apply(name) => Body::Ready(Op::Apply(operator::parse_operator(scanner, &name)?)),
    })
}

fn parse_inputs(scanner: &mut Scanner, graph: &Graph) -> Result<Vec<NodeId>, String> {
    let mut inputs = vec![];
    while scanner.next_is("%") {
        inputs.push(parse_reference(scanner, graph)?);
        if !scanner.accept(",") {
            break;
        }
    }
    Ok(inputs)
}

fn parse_reference(scanner: &mut Scanner, graph: &Graph) -> Result<NodeId, String> {
    scanner.expect("%")?;
    let at: u32 = scanner.whole()?;
    match graph.nodes.get(at as usize) {
        Some(_) => Ok(NodeId(at)),
        None => Err(format!("`%{at}` is not defined above")),
    }
}

fn constant(shape: &[usize], data: Vec<f32>) -> Result<FloatTensor, String> {
    let size = shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
    match size == Some(data.len()) {
        true => Ok(FloatTensor::new(shape.to_vec(), data)),
        false => Err(format!("{} numbers do not fill shape {shape:?}", data.len())),
    }
}

fn parse_fixed(scanner: &mut Scanner) -> Result<Fixed, String> {
    let bits = scanner.whole()?;
    scanner.expect(",")?;
    Ok(Fixed { bits, frac: scanner.whole()? })
}

fn parse_bound(scanner: &mut Scanner) -> Result<Bound, String> {
    let low = scanner.number()?;
    scanner.expect(",")?;
    let high = scanner.number()?;
    scanner.expect(",")?;
    let grade =
        named(scanner.word()?, &[Grade::Proved, Grade::Calibrated, Grade::Assumed, Grade::Gated], print::grade)?;
    Ok(Bound { low, high, grade })
}

fn parse_party(scanner: &mut Scanner) -> Result<Party, String> {
    named(scanner.word()?, &[Party::Server, Party::Client], print::party)
}

fn parse_visibility(scanner: &mut Scanner) -> Result<Visibility, String> {
    use Visibility::*;
    named(scanner.word()?, &[Public, Client, Server, Secret], print::visibility)
}

fn parse_kind(scanner: &mut Scanner) -> Result<InputKind, String> {
    named(scanner.word()?, &[InputKind::Real, InputKind::Token, InputKind::Bit], print::kind)
}

/// The one of `choices` that is printed as `word`.
fn named<T: Copy>(word: &str, choices: &[T], print: fn(T) -> &'static str) -> Result<T, String> {
    choices.iter().copied().find(|&choice| print(choice) == word).ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|&choice| print(choice)).collect();
        format!("`{word}` is none of {}", names.join(", "))
    })
}
