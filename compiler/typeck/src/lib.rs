//! Names, shapes, visibility: from parsed files to functions checked for the sizes they are used with.
//!
//! [`load::load`] reads a model's files, [`check::check`] instantiates its entries. A function is checked once for each
//! combination of sizes, shapes and visibilities it is used with, and becomes a [`checked::Body`]: operators of the one
//! operator table on values with concrete shapes. Sixty-four equal layers cost sixty-four look-ups, not checks.
//!
//! This room does not know the graph, nor any cost.

pub mod check;
pub mod checked;
pub mod load;
pub mod places;
pub mod program;
pub mod seen;
pub mod stdlib;
mod tables;

mod arguments;
mod arithmetic;
mod attributes;
mod builder;
mod call;
mod declarations;
mod expression;
mod fields;
mod index;
mod instantiate;
mod intrinsics;
mod names;
mod prune;
mod report;
mod scope;
mod sizes;
mod value;
mod visibility;
