//! The language server: documents in; diagnostics, hovers, definitions and layout out.
