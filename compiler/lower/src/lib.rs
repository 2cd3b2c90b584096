//! Checked functions to the graph of one entry.
//!
//! Calls are expanded and loops are gone: what remains is one node for each operator, named by where it stands in the model.

mod expand;
mod tokens;

use std::collections::BTreeMap;

use ptc_ir::Graph;
use ptc_ir::graph::{GraphOutput, Node, NodeId, Op, Visibility};
use ptc_plan::file::InputKind;
use ptc_plan::step::Party as Knower;
use ptc_syntax::codes;
use ptc_syntax::diagnostic::Diagnostic;
use ptc_syntax::source::Sources;
use ptc_syntax::suggest::nearest;
use ptc_syntax::tree::{Element, Party};
use ptc_typeck::check::check;
use ptc_typeck::checked::{Argument, Checked, Entry};
use ptc_typeck::program::Program;

use expand::{Expander, Place};
use tokens::MOST_TOKENS;

/// Checks every entry of the model, and lowers the one that is asked for, or the only one.
pub fn lower_entry(
    program: &Program,
    sources: &Sources,
    entry: Option<&str>,
    dims: &BTreeMap<String, u64>,
) -> Result<Graph, Vec<Diagnostic>> {
    let checked = check(program, dims)?;
    let entry = choose(&checked, entry)?;
    lower(&checked, entry, sources)
}

fn choose<'c>(checked: &'c Checked, name: Option<&str>) -> Result<&'c Entry, Vec<Diagnostic>> {
    let names = || checked.entries.iter().map(|entry| entry.name.as_str());
    let listed = || names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let problem =
        |message: String, hint: String| vec![Diagnostic::new(codes::E0212, checked.place, message).hint(hint)];
    match (name, checked.entries.as_slice()) {
        (_, []) if checked.model.is_empty() => {
            Err(problem("the file has no model".into(), "a plan runs an entry of a `model { ... }`".into()))
        }
        (_, []) => {
            let hint = "write `entry run(x: real[4] @client) -> real[4] @client { ... }`";
            Err(problem(format!("`{}` has no entry", checked.model), hint.into()))
        }
        (None, [only]) => Ok(only),
        (None, _) => {
            let message = format!("`{}` has several entries", checked.model);
            Err(problem(message, format!("choose one with `--entry`: {}", listed())))
        }
        (Some(name), entries) => entries.iter().find(|entry| entry.name == name).ok_or_else(|| {
            let message = format!("`{}` has no entry `{name}`", checked.model);
            problem(
                message,
                match nearest(name, names()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("it has {}", listed()),
                },
            )
        }),
    }
}

fn lower(checked: &Checked, entry: &Entry, sources: &Sources) -> Result<Graph, Vec<Diagnostic>> {
    let graph = Graph {
        model: checked.model.clone(),
        entry: entry.name.clone(),
        dims: checked.dims.clone(),
        ..Graph::default()
    };
    let mut expander = Expander::new(checked, sources, graph);
    let arguments: Vec<NodeId> = entry.arguments.iter().map(|argument| input(&mut expander, argument)).collect();
    let place = Place { result: entry.name.clone(), ..Place::default() };
    let result = expander.expand(entry.body, &arguments, &place, None);
    if !expander.diagnostics.is_empty() {
        return Err(expander.diagnostics);
    }
    let receivers: &[Knower] = match entry.receiver {
        Party::Client => &[Knower::Client],
        Party::Server => &[Knower::Server],
        Party::Public => &[Knower::Server, Knower::Client],
        // Typeck asks for a receiver.
        Party::Secret => &[],
    };
    for &to in receivers {
        let node = reveal(&mut expander, result, to, entry);
        expander.graph.outputs.push(GraphOutput { name: entry.name.clone(), to, node });
    }
    let mut graph = expander.graph;
    tokens::bound(&mut graph);
    Ok(graph)
}

fn input(expander: &mut Expander, argument: &Argument) -> NodeId {
    let (kind, limit) = match argument.ty.element {
        Element::Real => (InputKind::Real, argument.bound as f32),
        Element::Token | Element::Int => (InputKind::Token, MOST_TOKENS),
        Element::Bit => (InputKind::Bit, 1.0),
    };
    let origin = expander.origin(argument.span);
    let name = expander.unique(argument.name.clone());
    expander.graph.push(Node {
        op: Op::Input { name: argument.name.clone(), kind, limit },
        inputs: vec![],
        shape: argument.ty.shape.clone(),
        visibility: visibility(argument.ty.visibility),
        name,
        origin,
        tolerance: None,
        bound: None,
        fixed: None,
        error: None,
    })
}

/// What the receiver knows already needs no opening.
fn reveal(expander: &mut Expander, value: NodeId, to: Knower, entry: &Entry) -> NodeId {
    if expander.graph.node(value).visibility.seen_by(to) {
        return value;
    }
    let origin = expander.origin(entry.receiver_span);
    let shape = expander.graph.node(value).shape.clone();
    let name = expander.unique(format!("{}.reveal", entry.name));
    expander.graph.push(Node {
        op: Op::Reveal { to, reason: format!("declared result of entry `{}`", entry.name) },
        inputs: vec![value],
        shape,
        visibility: Visibility::of(to),
        name,
        origin,
        tolerance: None,
        bound: None,
        fixed: None,
        error: None,
    })
}

fn visibility(party: Party) -> Visibility {
    match party {
        Party::Public => Visibility::Public,
        Party::Client => Visibility::Client,
        Party::Server => Visibility::Server,
        Party::Secret => Visibility::Secret,
    }
}
