//! What a plan costs in seconds, and the ways to make its correlations that cost least.
//!
//! Rounds and bytes are exact and come from `ptc_plan`; seconds are predicted from a [`profile`]: a link, and a machine as it
//! was measured. This room knows plans; it knows no source, no graph and no runtime.

pub mod assign;
pub mod cut;
pub mod machine;
pub mod objective;
pub mod offline;
pub mod online;
pub mod predict;
pub mod profile;
pub mod steps;
