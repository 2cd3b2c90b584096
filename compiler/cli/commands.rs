//! One file a command.

pub mod build;
pub mod calibrate;
pub mod check;
pub mod client;
pub mod completions;
pub mod deal;
pub mod doctor;
pub mod explain;
pub mod format;
pub mod help;
pub mod import;
pub mod keys;
pub mod lsp;
pub mod man;
pub mod new;
pub mod pool;
pub mod prepare;
pub mod profile;
pub mod run;
pub mod serve;
pub mod sim;
