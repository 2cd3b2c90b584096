//! What is known of whole rows, where intervals of single elements say too little.
//!
//! %1 = normalize %0                 the rows of %1 are no longer than sqrt(d)
//! %2 = softmax %3                   the rows of %2 are not negative and add up to at most 1
//! %4 = matmul %2, %5                so %4 lies within the bounds of %5 and 0
//!
//! Of each value two sizes of its rows (along the last axis) and of its columns (along the last but one): the largest sum of
//! absolute values, and the largest Euclidean length. An element of a product is at most length times length
//! (Cauchy-Schwarz), or sum times largest element. Sizes of weights come from calibration, all others follow.

use ptc_ir::Graph;
use ptc_ir::graph::{Bound, Grade, Node, NodeId, Op};
use ptc_plan::operator::Operator;

use crate::options::Options;

/// Sizes of weights are rounded, and computed in floating point.
const NORM_SLACK: f64 = 1.001;

/// So that a length squared is no less than what was squared.
const ROUNDING: f64 = 1e-12;

/// At most so much, known so well.
#[derive(Clone, Copy)]
struct Most {
    size: f64,
    grade: Grade,
}

impl Most {
    fn times(self, by: f64) -> Most {
        Most { size: if self.size == 0.0 || by == 0.0 { 0.0 } else { self.size * by }, grade: self.grade }
    }

    fn joined(self, other: Most, size: f64) -> Most {
        Most { size, grade: self.grade.max(other.grade) }
    }

    fn plus(self, other: Most) -> Most {
        self.joined(other, self.size + other.size)
    }

    fn product(self, other: Most) -> Most {
        self.times(other.size).joined(other, self.times(other.size).size)
    }

    /// The smaller one; of equal ones the better known.
    fn min(self, other: Most) -> Most {
        let better = other.size < self.size || other.size == self.size && other.grade < self.grade;
        if better { other } else { self }
    }

    fn max(self, other: Most) -> Most {
        self.joined(other, self.size.max(other.size))
    }
}

/// Of the vectors along one axis.
#[derive(Clone, Copy)]
struct Line {
    /// Sum of absolute values.
    sum: Most,
    length: Most,
}

impl Line {
    const UNKNOWN: Line = Line { sum: UNKNOWN, length: UNKNOWN };

    fn each(self, other: Line, join: impl Fn(Most, Most) -> Most) -> Line {
        Line { sum: join(self.sum, other.sum), length: join(self.length, other.length) }
    }

    fn times(self, by: Most) -> Line {
        Line { sum: self.sum.product(by), length: self.length.product(by) }
    }
}

const UNKNOWN: Most = Most { size: f64::INFINITY, grade: Grade::Proved };

/// Of one node.
#[derive(Clone, Copy)]
pub struct Rows {
    row: Line,
    column: Line,
    /// Largest factor by which it lengthens a vector, for matrices.
    stretch: Most,
    /// Whether the rows, where they are not all zero, add up to 1 without negative elements.
    weights: bool,
}

const NOTHING: Rows = Rows { row: Line::UNKNOWN, column: Line::UNKNOWN, stretch: UNKNOWN, weights: false };

/// The sizes of a node that has its bound; `rows` holds those of the nodes before it.
pub fn of(graph: &Graph, node: &Node, rows: &[Rows], options: &Options) -> Rows {
    let mut found = match &node.op {
        Op::Apply(op) => follow(op, graph, node, rows),
        Op::Reveal { .. } => rows[node.inputs[0].0 as usize],
        _ => NOTHING,
    };
    if let Some(norms) = options.calibration.norms.get(&node.name) {
        let seen = |size: f64| Most { size: size * NORM_SLACK, grade: Grade::Calibrated };
        let line = |sum, length| Line { sum: seen(sum), length: seen(length) };
        found.row = found.row.each(line(norms.row_sum, norms.row_length), Most::min);
        found.column = found.column.each(line(norms.column_sum, norms.column_length), Most::min);
        found.stretch = found.stretch.min(seen(norms.spectral));
    }
    let bound = node.bound.expect("a bound is found first");
    let most = Most { size: bound.max_abs(), grade: bound.grade };
    let full = |size: usize| Line { sum: most.times(size as f64), length: most.times((size as f64).sqrt()) };
    let sizes = node.shape.iter().rev().copied().chain([1, 1]).take(2).collect::<Vec<_>>();
    found.row = found.row.each(full(sizes[0]), Most::min);
    found.column = found.column.each(full(sizes[1]), Most::min);
    found
}

fn follow(op: &Operator, graph: &Graph, node: &Node, rows: &[Rows]) -> Rows {
    use Operator::*;
    let operand = |at: usize| graph.node(node.inputs[at]);
    let most = |at: usize| {
        let bound = operand(at).bound.expect("bounds are found in order");
        Most { size: bound.max_abs(), grade: bound.grade }
    };
    let of = |at: usize| rows[node.inputs[at].0 as usize];
    let last = node.shape.last().copied().unwrap_or(1);
    let same_last = |at: usize| operand(at).shape.last().copied().unwrap_or(1) == last;
    let proved = |size: f64| Most { size, grade: Grade::Proved };
    match op {
        Softmax | Softmax2 => {
            let row = Line { sum: proved(1.0), length: proved(1.0) };
            Rows { row, weights: true, ..NOTHING }
        }
        Normalize { .. } | RmsNormalize { .. } => row_length(proved((last as f64).sqrt())),
        L2Normalize { .. } => row_length(proved(1.0)),
        // Not a part of the whole where the whole is another axis.
        Divide if parts(graph, node) => {
            let row = Line { sum: proved(1.0), length: proved(1.0) };
            Rows { row, weights: true, ..NOTHING }
        }
        Negate | Scale { .. } => {
            let by = match op {
                Scale { by } => proved(by.abs()),
                _ => proved(1.0),
            };
            let Rows { row, column, stretch, .. } = of(0);
            Rows { row: row.times(by), column: column.times(by), stretch: stretch.product(by), weights: false }
        }
        Rescale => of(0),
        Square => {
            let squares = |line: Line| {
                let sum = line.length.product(line.length);
                Line { sum, length: sum }
            };
            Rows { row: squares(of(0).row), column: squares(of(0).column), ..NOTHING }
        }
        Add | Subtract if same_last(0) && same_last(1) => {
            let column = match operand(0).shape == operand(1).shape {
                true => of(0).column.each(of(1).column, Most::plus),
                false => Line::UNKNOWN,
            };
            Rows { row: of(0).row.each(of(1).row, Most::plus), column, ..NOTHING }
        }
        Multiply => {
            let by = |at: usize| match same_last(at) {
                true => of(at).row.times(most(1 - at)),
                false => Line::UNKNOWN,
            };
            Rows { row: by(0).each(by(1), Most::min), ..NOTHING }
        }
        Reshape { .. } => {
            let before = operand(0).shape.last().copied().unwrap_or(1);
            // Parts of a row are no longer than the row.
            let whole = before == last;
            let part = last > 0 && before.is_multiple_of(last);
            let row = if part { of(0).row } else { Line::UNKNOWN };
            Rows { row, weights: whole && of(0).weights, ..NOTHING }
        }
        Permute { axes } => permuted(axes, of(0)),
        Slice { .. } => Rows { weights: false, ..of(0) },
        Broadcast { .. } if same_last(0) => Rows { column: Line::UNKNOWN, stretch: UNKNOWN, ..of(0) },
        Concat { axis } => concatenated(*axis, node, rows),
        MatMul { transpose_b } => {
            let (x, y) = (of(0), of(1));
            // Row m of y, or column m of what is turned, has weight x[i, m].
            let y_row = if *transpose_b { y.column } else { y.row };
            let mixed = x.row.sum.product(y_row.length);
            row_length(mixed.min(x.row.length.product(y.stretch)))
        }
        _ => NOTHING,
    }
}

fn row_length(length: Most) -> Rows {
    Rows { row: Line { sum: UNKNOWN, length }, ..NOTHING }
}

fn permuted(axes: &[usize], before: Rows) -> Rows {
    let count = axes.len();
    match axes {
        [.., a, b] if (*a, *b) == (count - 2, count - 1) => before,
        [.., a, b] if (*a, *b) == (count - 1, count - 2) => {
            Rows { row: before.column, column: before.row, stretch: before.stretch, weights: false }
        }
        [.., b] if *b == count - 1 => Rows { column: Line::UNKNOWN, stretch: UNKNOWN, ..before },
        _ => NOTHING,
    }
}

fn concatenated(axis: usize, node: &Node, rows: &[Rows]) -> Rows {
    let parts = || node.inputs.iter().map(|input| rows[input.0 as usize]);
    let beside = |line: fn(Rows) -> Line| parts().map(line).reduce(|a, b| a.each(b, Most::max));
    let behind = |line: fn(Rows) -> Line| {
        parts().map(line).reduce(|a, b| Line {
            sum: a.sum.plus(b.sum),
            length: a.length.joined(b.length, a.length.size.hypot(b.length.size)),
        })
    };
    let from_last = node.shape.len() - axis;
    let row = if from_last == 1 { behind(|rows| rows.row) } else { beside(|rows| rows.row) };
    let column = if from_last == 2 { behind(|rows| rows.column) } else { beside(|rows| rows.column) };
    Rows { row: row.unwrap_or(Line::UNKNOWN), column: column.unwrap_or(Line::UNKNOWN), ..NOTHING }
}

/// `x / sum(x)` along the last axis, where `x` is not negative.
fn parts(graph: &Graph, node: &Node) -> bool {
    let whole = graph.node(node.inputs[1]);
    let last = node.shape.len().saturating_sub(1);
    let positive = |id: NodeId| graph.node(id).bound.is_some_and(|bound| bound.low >= 0.0);
    matches!(whole.op, Op::Apply(Operator::Sum { axis }) if axis == last)
        && whole.inputs[0] == node.inputs[0]
        && positive(node.inputs[0])
}

/// What rows say about the elements of a product or a sum.
pub fn product(graph: &Graph, node: &Node, rows: &[Rows]) -> Option<Bound> {
    let Op::Apply(op) = &node.op else { return None };
    let of = |at: usize| rows[node.inputs[at].0 as usize];
    let bound = |at: usize| graph.node(node.inputs[at]).bound.expect("bounds are found in order");
    let most = |at: usize| Most { size: bound(at).max_abs(), grade: bound(at).grade };
    let around = |most: Most, low: f64| {
        let (size, grade) = (most.size * (1.0 + ROUNDING), most.grade);
        size.is_finite().then_some(Bound { low: low.max(-size), high: size, grade })
    };
    match op {
        Operator::MatMul { transpose_b } => {
            let (x, y) = (of(0), of(1));
            if x.weights {
                let Bound { low, high, grade } = bound(1);
                return Some(Bound { low: low.min(0.0), high: high.max(0.0), grade });
            }
            let y_column = if *transpose_b { y.row } else { y.column };
            let ways =
                [x.row.length.product(y_column.length), x.row.sum.product(most(1)), most(0).product(y_column.sum)];
            around(ways.into_iter().fold(UNKNOWN, Most::min), f64::NEG_INFINITY)
        }
        Operator::Sum { axis } if axis + 1 == node.shape.len() => {
            let low = if bound(0).low >= 0.0 { 0.0 } else { f64::NEG_INFINITY };
            around(of(0).row.sum, low)
        }
        _ => None,
    }
}
