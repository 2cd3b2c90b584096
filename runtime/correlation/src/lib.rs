//! The types of correlated randomness, single-use by type.
