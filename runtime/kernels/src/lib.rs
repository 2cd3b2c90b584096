//! The kernel interface and its portable implementation.
