//! Each target takes any bytes and panics when something that must hold does not.
//!
//! Nothing here is private to the rooms: bytes come in where a file, a text or a peer would bring them.

mod bytes;
mod frames;
mod graphs;
mod plans;
mod sources;

pub type Target = fn(&[u8]);

/// By the name of their corpus folder.
pub const TARGETS: &[(&str, Target)] = &[
    ("lexer", sources::lexer),
    ("parser", sources::parser),
    ("formatter", sources::formatter),
    ("checker", sources::checker),
    ("graph", graphs::text),
    ("passes", graphs::passes),
    ("pipeline", graphs::pipeline),
    ("plan", plans::plan),
    ("frames", frames::frames),
];

/// The target of this name.
pub fn named(name: &str) -> Target {
    let found = TARGETS.iter().find(|(other, _)| *other == name);
    found.unwrap_or_else(|| panic!("no target is called `{name}`")).1
}
