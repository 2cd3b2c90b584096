//! Source text to tree: tokens, grammar, spans, diagnostics, formatter.
