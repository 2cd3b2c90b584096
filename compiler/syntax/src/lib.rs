//! Source text to tree: tokens, grammar, spans, diagnostics, formatter.

pub mod span;
pub mod tree;
