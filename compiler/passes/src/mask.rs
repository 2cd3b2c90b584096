//! Positions that a public mask drops are not computed.
//!
//! %2 = softmax %0, %1 : secret [128, 128]        %4 = slice %0 {rows 0..32, columns 0..32}
//! %3 = matmul %2, %v                             %5 = softmax %4, (slice %1)
//!                                          =>    %6 = matmul %5, (slice %v)         and so for each block of rows
//!                                                %9 = concat %6, .. {axis: 0}
//!
//! with `%1` the causal triangle. After: a softmax whose public mask drops columns is computed by blocks of rows, each
//! only as far as its rows' kept columns reach; a mask that keeps all is gone. Saves the non-linear work of half a causal
//! attention, less a share that shrinks with the number of blocks, in the same rounds. A mask known to one party
//! joined (`and`) to a public one stays, over fewer columns.

use std::collections::HashMap;
use std::convert::Infallible;
use std::ops::Range;

use ptc_ir::Graph;
use ptc_ir::graph::{Node, NodeId, Op, Visibility};
use ptc_plan::float::FloatTensor;
use ptc_plan::operator::Operator;

use crate::canonical;
use crate::rebuild::rebuild;

/// What the non-linear work of one weight costs, in elements opened by a product.
const WEIGHT_COST: usize = 10;
/// Columns of the values that the weights multiply, in most models.
const VALUE_COLUMNS: usize = 64;
/// Masks beyond this size are not looked at.
const MOST_ELEMENTS: usize = 1 << 26;

pub fn run(graph: &Graph) -> Graph {
    let users = graph.users();
    let mut parts: HashMap<NodeId, Vec<Part>> = HashMap::new();
    let Ok(out) = rebuild::<Infallible>(graph, |out, id, node| {
        if let Some(parts) = node.inputs.first().and_then(|x| parts.get(x))
            && matches!(node.op, Op::Apply(Operator::MatMul { .. }))
        {
            return Ok(product(out, &node, parts));
        }
        let Some(blocks) = blocks(out, &node) else { return Ok(out.push(node)) };
        let computed: Vec<Part> = blocks.into_iter().map(|block| part(out, &node, block)).collect();
        let whole = whole(out, &node, &computed);
        // The one product that reads the weights reads their parts; the whole is then dead.
        if let &[user] = &users[id.0 as usize][..]
            && graph.node(user).inputs[0] == id
            && graph.node(user).inputs.get(1) != Some(&id)
        {
            parts.insert(whole, computed);
        }
        Ok(whole)
    });
    canonical::run(&out)
}

/// Rows of a softmax and the columns that they keep.
#[derive(Clone, PartialEq)]
struct Block {
    rows: Range<usize>,
    columns: Range<usize>,
    /// Whether a mask is still needed within.
    masked: bool,
}

struct Part {
    block: Block,
    weights: NodeId,
}

/// The blocks of a masked softmax, if its mask says in public that there is something to save.
fn blocks(graph: &Graph, node: &Node) -> Option<Vec<Block>> {
    let (Op::Apply(Operator::Softmax | Operator::Softmax2), &[_, keep]) = (&node.op, &node.inputs[..]) else {
        return None;
    };
    if node.visibility != Visibility::Secret || node.fixed.is_some() {
        return None;
    }
    let [.., rows, columns] = node.shape[..] else { return None };
    let possible = possible(graph, keep)?;
    let kept = rows_of(&possible, rows, columns)?;
    let exact = exact(graph, keep).is_some();
    // Past this number of blocks, opening the values again costs more than it saves.
    let count = ((WEIGHT_COST * rows) as f64 / VALUE_COLUMNS as f64).sqrt().round().max(1.0) as usize;
    let size = rows.div_ceil(count);
    let mut blocks: Vec<Block> = vec![];
    for start in (0..rows).step_by(size) {
        let rows = start..rows.min(start + size);
        let kept = &kept[rows.clone()];
        let first = kept.iter().map(|row| row.first).min()?;
        let end = kept.iter().map(|row| row.end).max()?;
        // A row of which nothing is kept still has weights: zeros.
        let columns = if first < end { first..end } else { 0..1 };
        let full = kept.iter().all(|row| row.full && (row.first, row.end) == (columns.start, columns.end));
        let block = Block { rows, columns, masked: !(exact && full) };
        match blocks.last_mut() {
            Some(last) if last.columns == block.columns && last.masked == block.masked => {
                last.rows.end = block.rows.end;
            }
            _ => blocks.push(block),
        }
    }
    let nothing_saved = matches!(&blocks[..], [all] if all.columns == (0..columns) && all.masked);
    (!nothing_saved).then_some(blocks)
}

/// Of one row: the kept columns lie in `first..end`; `full` if all of these are kept, for every leading index.
#[derive(Clone)]
struct Kept {
    first: usize,
    end: usize,
    full: bool,
}

fn rows_of(mask: &FloatTensor, rows: usize, columns: usize) -> Option<Vec<Kept>> {
    let lead = match mask.shape[..] {
        [ref lead @ .., _, _] => lead.to_vec(),
        _ => vec![],
    };
    let shape = [lead, vec![rows, columns]].concat();
    if shape.iter().product::<usize>() > MOST_ELEMENTS {
        return None;
    }
    let mask = Operator::Broadcast { shape }.evaluate(&[mask]);
    let mut kept = vec![Kept { first: columns, end: 0, full: true }; rows];
    for layer in mask.data.chunks_exact(rows * columns) {
        for (row, kept) in layer.chunks_exact(columns).zip(&mut kept) {
            let first = row.iter().position(|&keep| keep != 0.0).unwrap_or(columns);
            let end = row.iter().rposition(|&keep| keep != 0.0).map_or(0, |last| last + 1);
            let full = row.get(first..end).is_some_and(|row| row.iter().all(|&keep| keep != 0.0));
            let differs = kept.end != 0 && (kept.first, kept.end) != (first, end);
            kept.full &= full && !differs;
            kept.first = kept.first.min(first);
            kept.end = kept.end.max(end);
        }
    }
    Some(kept)
}

/// What the public knows of a mask: where it is 0 here, it is 0.
fn possible(graph: &Graph, mask: NodeId) -> Option<FloatTensor> {
    if let Some(value) = exact(graph, mask) {
        return Some(value);
    }
    let node = graph.node(mask);
    let part = |at: usize| possible(graph, node.inputs[at]);
    use Operator::*;
    match &node.op {
        Op::Apply(And | Multiply) if node.inputs[0] != node.inputs[1] => match (part(0), part(1)) {
            (Some(a), Some(b)) => Some(And.evaluate(&[&a, &b])),
            (a, b) => a.or(b),
        },
        Op::Apply(op @ (Reshape { .. } | Permute { .. } | Slice { .. } | Broadcast { .. })) => {
            part(0).map(|x| op.evaluate(&[&x]))
        }
        _ => None,
    }
}

/// The value of an expression of constants.
fn exact(graph: &Graph, id: NodeId) -> Option<FloatTensor> {
    let node = graph.node(id);
    match &node.op {
        Op::Constant(value) => Some(value.clone()),
        Op::Apply(op) if node.shape.iter().product::<usize>() <= MOST_ELEMENTS => {
            let parts: Option<Vec<FloatTensor>> = node.inputs.iter().map(|&input| exact(graph, input)).collect();
            Some(op.evaluate(&parts?.iter().collect::<Vec<_>>()))
        }
        _ => None,
    }
}

fn part(out: &mut Graph, node: &Node, block: Block) -> Part {
    let [x, keep] = node.inputs[..] else { unreachable!("a masked softmax has two operands") };
    let rank = node.shape.len();
    let mut inputs = vec![cut(out, x, rank, &block, node)];
    if block.masked {
        inputs.push(cut(out, keep, rank, &block, node));
    }
    let Op::Apply(op) = &node.op else { unreachable!("a softmax") };
    let weights = out.derive(op.clone(), &inputs, x, "");
    let all = block.rows.len() == node.shape[rank - 2];
    adopt(out, weights, node, &if all { String::new() } else { format!("rows{}", block.rows.start) });
    Part { block, weights }
}

/// The rows and columns of a block, of a value that broadcasts to `rank` axes; axes of size 1 stay.
fn cut(out: &mut Graph, x: NodeId, rank: usize, block: &Block, like: &Node) -> NodeId {
    let own = out.node(x).shape.len();
    let ranges = [(rank - 2, &block.rows), (rank - 1, &block.columns)];
    ranges.into_iter().fold(x, |x, (axis, range)| match axis.checked_sub(rank - own) {
        Some(axis) if out.node(x).shape[axis] > 1 => {
            let op = Operator::Slice { axis, start: range.start, length: range.len() };
            let part = if axis + 2 == own { format!("rows{}", block.rows.start) } else { String::new() };
            let slice = out.derive(op, &[x], x, &part);
            out.node_mut(slice).origin = like.origin;
            slice
        }
        _ => x,
    })
}

/// All weights, with zeros where nothing was kept.
fn whole(out: &mut Graph, node: &Node, parts: &[Part]) -> NodeId {
    let axis = node.shape.len() - 1;
    let columns = node.shape[axis];
    let rows: Vec<NodeId> = parts
        .iter()
        .map(|part| {
            let zeros = |out: &mut Graph, width: usize| {
                let mut shape = out.node(part.weights).shape.clone();
                shape[axis] = width;
                let zero = out.constant(FloatTensor::scalar(0.0), part.weights, "zero");
                out.derive(Operator::Broadcast { shape }, &[zero], part.weights, "zeros")
            };
            let (left, right) = (part.block.columns.start, columns - part.block.columns.end);
            let mut pieces = vec![];
            if left > 0 {
                pieces.push(zeros(out, left));
            }
            pieces.push(part.weights);
            if right > 0 {
                pieces.push(zeros(out, right));
            }
            out.derive(Operator::Concat { axis }, &pieces, part.weights, "padded")
        })
        .collect();
    let whole = out.derive(Operator::Concat { axis: axis - 1 }, &rows, rows[0], "");
    adopt(out, whole, node, "");
    whole
}

/// The product of all weights with a value, block by block.
fn product(out: &mut Graph, node: &Node, parts: &[Part]) -> NodeId {
    let Op::Apply(op @ Operator::MatMul { transpose_b }) = node.op.clone() else { unreachable!("a product") };
    let value = node.inputs[1];
    let rank = out.node(value).shape.len();
    let inner = if transpose_b { rank - 1 } else { rank - 2 };
    let products: Vec<NodeId> = parts
        .iter()
        .map(|Part { block, weights }| {
            let name = format!("rows{}", block.rows.start);
            let take = Operator::Slice { axis: inner, start: block.columns.start, length: block.columns.len() };
            let value = out.derive(take, &[value], value, &name);
            let product = out.derive(op.clone(), &[*weights, value], *weights, "");
            adopt(out, product, node, &name);
            product
        })
        .collect();
    let axis = node.shape.len() - 2;
    let whole = out.derive(Operator::Concat { axis }, &products, products[0], "");
    adopt(out, whole, node, "");
    whole
}

/// `id` is named and placed after the node that it is a part of.
fn adopt(out: &mut Graph, id: NodeId, like: &Node, part: &str) {
    let node = out.node_mut(id);
    node.name = if part.is_empty() { like.name.clone() } else { format!("{}.{part}", like.name) };
    (node.origin, node.tolerance) = (like.origin, like.tolerance);
}
