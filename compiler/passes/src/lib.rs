//! Graph to graph, one file a pass.

pub mod approximate;
pub mod base;
pub mod decompose;
pub mod options;
pub mod ranges;
pub mod rebuild;
pub mod truncate;
