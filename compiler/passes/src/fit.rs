//! Fitting: polynomials that follow a function with the least largest error, and proofs of how large that error is.
//!
//! [`minimax`] finds coefficients, [`certify`] bounds the error of what was found and rounded, over a whole interval, by
//! interval evaluation; [`cells`] does both for each cell of a table. Nothing here knows of graphs.

pub mod cells;
pub mod certify;
pub mod function;
pub mod interval;
pub mod minimax;

#[cfg(test)]
mod tests;
