//! One file a command.

pub mod build;
pub mod calibrate;
pub mod check;
pub mod deal;
pub mod explain;
pub mod format;
pub mod help;
pub mod pool;
pub mod prepare;
pub mod profile;
pub mod run;
pub mod sim;
