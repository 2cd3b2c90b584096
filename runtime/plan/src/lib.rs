//! The plan: what two parties execute together, its exact price and what it leaks.
//!
//! This room knows no cryptography and no compiler. It holds the two operator tables of the project: [`operator`] (the
//! mathematical meaning of a graph node, evaluated in floating point) and [`step`] (a protocol step, with its price in
//! [`price`], the correlations it consumes in [`bill`] and what it leaks in [`leak`]); the plan file ([`file`]) that both
//! parties hold byte for byte; and kernels described as data ([`kernel`]).

pub mod bill;
pub mod bound;
pub mod check;
pub mod encoding;
pub mod file;
pub mod float;
pub mod inline;
pub mod kernel;
pub mod leak;
pub mod operator;
pub mod price;
pub mod step;
pub mod summary;
pub mod two_party;

pub use file::Plan;
