//! The dataflow graph: arena, verify, print, parse, reference evaluation.
