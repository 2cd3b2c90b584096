//! Runs a plan: two parties over channels, or both in one process.
