//! Source text to tree: tokens, grammar, spans, diagnostics, formatter. It must not know what a name means.

pub mod codes;
pub mod diagnostic;
mod expected;
pub mod format;
mod layout;
pub mod parse;
mod sink;
pub mod source;
pub mod span;
pub mod suggest;
mod token;
pub mod tree;
