//! The dataflow graph: arena, verify, print, parse, reference evaluation.
//!
//! A node computes one value from earlier nodes; edges only point backwards. What a node means is a
//! [`ptc_plan::operator::Operator`]; who may see its value is its [`Visibility`]. Passes annotate bounds and rings.

pub mod adjoint;
pub mod dot;
pub mod evaluate;
pub mod graph;
pub mod kind;
pub mod parse;
pub mod print;
pub mod sensitivity;
pub mod verify;

pub use graph::Graph;
