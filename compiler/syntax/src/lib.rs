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
// A tree is built once and walked by reference; boxing its larger nodes would only make it harder to match on.
#[allow(clippy::large_enum_variant)]
pub mod tree;
