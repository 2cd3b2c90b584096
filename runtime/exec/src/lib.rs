//! Runs a plan: two parties over channels, or both in one process.
//!
//! A party [`prepare`]s once (weights encoded and packed), then [`run`]s queries. This room knows no files, no command
//! line and no compiler; what it is given has names, and what is wrong with it is said by name.

pub mod error;
mod layout;
mod local;
pub mod prepare;
mod protocol;
pub mod run;
pub mod statistics;
pub mod tensors;
pub mod value;

pub use error::RunError;
