//! The dataflow graph: for each layer a drawing whose boxes are the steps of one source line that hang together.

use std::collections::{BTreeMap, BTreeSet};

use crate::html::layout::{self, Box, Layout};
use crate::html::words::{escape, put};
use crate::report::{Report, Scheme, StepRow};
use crate::units::{counted, shorten, size, spot};

/// Steps of one line and layer that read each other.
struct Piece {
    line: usize,
    layer: usize,
    steps: Vec<usize>,
}

pub fn section(report: &Report, out: &mut String) {
    let (pieces, piece_of) = pieces(report);
    put!(out, "<section id=\"flow\"><h2>Dataflow</h2>");
    put!(
        out,
        "<p class=\"hint\">Each box is a source line, coloured by how most of it is computed; the strip at its foot shows all of it. \
         A box leads to its line. Boxes with broken edges are other layers.</p>"
    );
    // The first repeated part stands for the others; they can be opened.
    let shown = report.layers.iter().position(|layer| layer.name.contains('.')).unwrap_or(0);
    for (at, layer) in report.layers.iter().enumerate() {
        let open = if at == shown { " open" } else { "" };
        put!(
            out,
            "<details class=\"layer\"{open}><summary><span class=\"name\">{}</span><span class=\"more\">{}, {}, {} online</span></summary>",
            escape(&layer.name),
            counted(layer.steps, "step"),
            counted(layer.cost.rounds, "round"),
            size(layer.cost.online_bytes())
        );
        drawing(report, at, &pieces, &piece_of, out);
        put!(out, "</details>");
    }
    put!(out, "</section>");
}

/// Steps joined along the edges within a line of a layer.
fn pieces(report: &Report) -> (Vec<Piece>, Vec<usize>) {
    let mut parent: Vec<usize> = (0..report.steps.len()).collect();
    fn root(parent: &mut [usize], mut at: usize) -> usize {
        while parent[at] != at {
            parent[at] = parent[parent[at]];
            at = parent[at];
        }
        at
    }
    for (at, step) in report.steps.iter().enumerate() {
        for &input in &step.inputs {
            let other = &report.steps[input];
            if (other.line, other.layer) == (step.line, step.layer) {
                let (a, b) = (root(&mut parent, at), root(&mut parent, input));
                parent[a.max(b)] = a.min(b);
            }
        }
    }
    let (mut pieces, mut at_root, mut piece_of): (Vec<Piece>, BTreeMap<usize, usize>, Vec<usize>) =
        (vec![], BTreeMap::new(), vec![]);
    for (at, step) in report.steps.iter().enumerate() {
        let root = root(&mut parent, at);
        let piece = *at_root.entry(root).or_insert_with(|| {
            pieces.push(Piece { line: step.line, layer: step.layer, steps: vec![] });
            pieces.len() - 1
        });
        pieces[piece].steps.push(at);
        piece_of.push(piece);
    }
    (pieces, piece_of)
}

/// What a box stands for: a piece of this layer, or another layer that gives to it or takes from it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Node {
    From(usize),
    Here(usize),
    To(usize),
}

fn drawing(report: &Report, layer: usize, pieces: &[Piece], piece_of: &[usize], out: &mut String) {
    let mut edges: BTreeSet<(Node, Node)> = BTreeSet::new();
    for (at, step) in report.steps.iter().enumerate() {
        for &input in &step.inputs {
            let (from, to) = (piece_of[input], piece_of[at]);
            match (pieces[from].layer == layer, pieces[to].layer == layer) {
                (true, true) if from != to => edges.insert((Node::Here(from), Node::Here(to))),
                (false, true) => edges.insert((Node::From(pieces[from].layer), Node::Here(to))),
                (true, false) => edges.insert((Node::Here(from), Node::To(pieces[to].layer))),
                _ => false,
            };
        }
    }
    let here = (0..pieces.len()).filter(|&piece| pieces[piece].layer == layer).map(Node::Here);
    let others = edges.iter().flat_map(|&(from, to)| [from, to]).filter(|node| !matches!(node, Node::Here(_)));
    let nodes: BTreeSet<Node> = here.chain(others).collect();
    let nodes = ordered(nodes, &edges);
    let index = |node: &Node| nodes.iter().position(|other| other == node).expect("both ends of an edge are nodes");
    let edges: Vec<(usize, usize)> = edges.iter().map(|(from, to)| (index(from), index(to))).collect();
    let Layout { width, height, boxes, routes } = layout::layout(nodes.len(), &edges);
    put!(
        out,
        "<div class=\"scroll\"><svg class=\"graph\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"group\" aria-label=\"dataflow of {}\">",
        escape(&report.layers[layer].name)
    );
    for route in routes.iter().filter(|route| !route.is_empty()) {
        put!(out, "<path class=\"edge\" d=\"{}\"/>", curve(route));
    }
    for (node, place) in nodes.iter().zip(&boxes) {
        match *node {
            Node::Here(piece) => piece_box(report, &pieces[piece], place, out),
            Node::From(layer) => other_box(&format!("from {}", report.layers[layer].name), place, out),
            Node::To(layer) => other_box(&format!("to {}", report.layers[layer].name), place, out),
        }
    }
    put!(out, "</svg></div>");
}

/// Down through all points, upright at each.
fn curve(points: &[(f64, f64)]) -> String {
    let Some((x, y)) = points.first() else { return String::new() };
    let mut path = format!("M{x:.0} {y:.0}");
    for pair in points.windows(2) {
        let [(x1, y1), (x2, y2)] = [pair[0], pair[1]];
        let bend = (y2 - y1) / 2.0;
        path += &format!("C{x1:.0} {:.0} {x2:.0} {:.0} {x2:.0} {y2:.0}", y1 + bend, y2 - bend);
    }
    path
}

/// Each behind all that it reads. Where lines read each other in turn, the first of them comes first.
fn ordered(mut rest: BTreeSet<Node>, edges: &BTreeSet<(Node, Node)>) -> Vec<Node> {
    let mut ordered = vec![];
    while let Some(&first) = rest.first() {
        let waits = |node: &Node| edges.iter().any(|(from, to)| to == node && from != node && rest.contains(from));
        let next = rest.iter().copied().find(|node| !waits(node)).unwrap_or(first);
        rest.remove(&next);
        ordered.push(next);
    }
    ordered
}

fn other_box(name: &str, place: &Box, out: &mut String) {
    let (x, y) = (place.x, place.y + layout::BOX_HEIGHT / 2.0 - 13.0);
    put!(
        out,
        "<g class=\"other\"><rect x=\"{x:.0}\" y=\"{y:.0}\" width=\"{}\" height=\"26\" rx=\"13\"/><text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"middle\">{}</text></g>",
        layout::BOX_WIDTH,
        x + layout::BOX_WIDTH / 2.0,
        y + 17.0,
        escape(&shorten(name, 26))
    );
}

fn piece_box(report: &Report, piece: &Piece, place: &Box, out: &mut String) {
    let line = &report.lines[piece.line];
    let (mut bytes, mut schemes): (u64, BTreeMap<Scheme, u64>) = (0, BTreeMap::new());
    let mut rounds = BTreeSet::new();
    for &at in &piece.steps {
        let step = &report.steps[at];
        bytes += step.cost.online_bytes();
        rounds.extend(u64::from(step.round)..u64::from(step.round) + step.cost.rounds);
        // A step without a message counts for little.
        *schemes.entry(step.scheme).or_default() += step.cost.online_bytes() + 1;
    }
    let main = main_scheme(&schemes);
    let prefix = format!("{}.", report.layers[piece.layer].name);
    let steps = || piece.steps.iter().map(|&at| &report.steps[at]);
    // What a party computes alone, its weights above all, does not name what both do.
    let alone = |step: &StepRow| matches!(step.scheme, Scheme::Server | Scheme::Client | Scheme::Public);
    let shared: Vec<&StepRow> = steps().filter(|step| !alone(step)).collect();
    let named = if shared.is_empty() { steps().collect() } else { shared };
    let name = common(named.iter().map(|step| step.value.strip_prefix(&prefix).unwrap_or(&step.value)));
    let place_name = line.place.as_ref().map_or("no source line".into(), spot);
    let cost = if rounds.is_empty() {
        "no message".to_string()
    } else {
        format!("{}, {}", counted(rounds.len() as u64, "round"), size(bytes))
    };
    let Box { x, y } = *place;
    put!(
        out,
        "<a class=\"node\" href=\"#line-{}\"><title>{}: {}\n{}, {}</title><rect class=\"body {}\" x=\"{x:.0}\" y=\"{y:.0}\" width=\"{}\" height=\"{}\" rx=\"6\"/>",
        piece.line,
        escape(&place_name),
        escape(&line.text),
        counted(piece.steps.len() as u64, "step"),
        main.describe(),
        main.name(),
        layout::BOX_WIDTH,
        layout::BOX_HEIGHT
    );
    put!(
        out,
        "<text class=\"name\" x=\"{:.0}\" y=\"{:.0}\">{}</text>",
        x + 12.0,
        y + 19.0,
        escape(&shorten(&name, 24))
    );
    put!(
        out,
        "<text class=\"place\" x=\"{:.0}\" y=\"{:.0}\">{}</text>",
        x + 12.0,
        y + 35.0,
        escape(&shorten(&place_name, 30))
    );
    put!(out, "<text class=\"figures\" x=\"{:.0}\" y=\"{:.0}\">{}</text>", x + 12.0, y + 51.0, escape(&cost));
    let total: u64 = schemes.values().sum();
    let (mut left, whole) = (x + 6.0, layout::BOX_WIDTH - 12.0);
    for (scheme, weight) in &schemes {
        let part = whole * *weight as f64 / total.max(1) as f64;
        put!(
            out,
            "<rect class=\"{}\" x=\"{left:.1}\" y=\"{:.0}\" width=\"{part:.1}\" height=\"4\"/>",
            scheme.name(),
            y + layout::BOX_HEIGHT - 8.0
        );
        left += part;
    }
    put!(out, "</a>");
}

/// That of most bytes; without a message that of shares, where there are any.
fn main_scheme(schemes: &BTreeMap<Scheme, u64>) -> Scheme {
    let most = schemes.iter().max_by_key(|(scheme, weight)| (**weight, std::cmp::Reverse(**scheme)));
    match most {
        Some((Scheme::Server | Scheme::Client | Scheme::Public, _)) if schemes.contains_key(&Scheme::Local) => {
            Scheme::Local
        }
        Some((scheme, _)) => *scheme,
        None => Scheme::Local,
    }
}

/// What the names of a box's values begin with.
fn common<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let parts = |name: &'a str| name.split('.').collect::<Vec<_>>();
    let same =
        |a: Vec<&'a str>, b: Vec<&'a str>| a.into_iter().zip(b).take_while(|(a, b)| a == b).map(|(a, _)| a).collect();
    let mut names = names.filter(|name| !name.is_empty());
    let Some(first) = names.next() else { return String::new() };
    let shared: Vec<&str> = names.fold(parts(first), |shared, name| match same(shared.clone(), parts(name)) {
        // Names that have nothing in common do not spoil those that have.
        none if Vec::<&str>::is_empty(&none) => shared,
        some => some,
    });
    shared.join(".")
}
