//! Checked tree to graph.
