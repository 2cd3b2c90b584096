//! One file a command.

pub mod build;
pub mod calibrate;
pub mod check;
pub mod explain;
pub mod format;
pub mod help;
