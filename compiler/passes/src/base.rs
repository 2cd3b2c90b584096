//! Softmax in base two.
//!
//! %1 = softmax %0        %1 = scale %0 {log2 e}
//!                   =>   %2 = softmax2 %1
//!
//! After: no secret `softmax`. The scale folds into a weight; a power of two splits into whole and fractional part
//! where a power of e does not.

use std::convert::Infallible;

use ptc_ir::Graph;
use ptc_ir::graph::{Op, Visibility};
use ptc_plan::operator::Operator;

use crate::rebuild::rebuild;

pub fn run(graph: &Graph) -> Graph {
    let Ok(out) = rebuild::<Infallible>(graph, |out, _, mut node| {
        if matches!(node.op, Op::Apply(Operator::Softmax)) && node.visibility == Visibility::Secret {
            let scores = node.inputs[0];
            node.inputs[0] = out.derive(Operator::Scale { by: std::f64::consts::LOG2_E }, &[scores], scores, "base2");
            node.op = Op::Apply(Operator::Softmax2);
        }
        Ok(out.push(node))
    });
    out
}
