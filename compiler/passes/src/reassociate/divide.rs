//! What is divided by rows and then multiplied is multiplied first.
//!
//! %2 = divide %0, %1                    %3 = matmul %0, %v
//! %3 = matmul %2, %v : secret     =>    %4 = divide %3, %1
//!
//! with `%1[.., n, 1]`. The reciprocal of the rows takes many rounds; the product runs beside them. Of weights over many
//! columns the quotients are also fewer.

use ptc_ir::Graph;
use ptc_ir::graph::{Node, NodeId, Op};
use ptc_plan::operator::Operator;

use super::chain::Single;
use super::price::Prices;
use super::rewrite;
use crate::fold::secret;

pub fn run(graph: &Graph, prices: &mut Prices) -> Graph {
    rewrite(graph, |out, single, node| multiplied_first(out, single, prices, node))
}

fn multiplied_first(out: &mut Graph, single: &Single, prices: &Prices, node: &Node) -> Option<NodeId> {
    let (Op::Apply(op @ Operator::MatMul { .. }), &[quotient, other]) = (&node.op, &node.inputs[..]) else {
        return None;
    };
    let divided = out.node(quotient);
    let (Op::Apply(Operator::Divide), &[x, rows]) = (&divided.op, &divided.inputs[..]) else { return None };
    let by_row = out.node(rows).shape.len() == divided.shape.len() && out.node(rows).shape.last() == Some(&1);
    let alone = single.get(&quotient) == Some(&true) && divided.fixed.is_none();
    if !alone || !by_row || !secret(out, rows) || out.node(x).shape != divided.shape || divided.shape.len() < 2 {
        return None;
    }
    let price = |shape: &[usize]| {
        let count = shape.iter().product();
        prices.opening(count) + prices.truncation(count)
    };
    // The rounds of the quotient are the product's own.
    if price(&node.shape) > price(&divided.shape) + prices.truncation(0) {
        return None;
    }
    let product = out.derive(op.clone(), &[x, other], quotient, "undivided");
    Some(out.derive(Operator::Divide, &[product, rows], quotient, ""))
}
