//! This machine and a link, measured by short runs of what a session runs.

mod link;
mod machine;

pub use link::link;
pub use machine::machine;
