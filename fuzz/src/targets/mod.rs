//! Each target takes any bytes and panics when something that must hold does not.
//!
//! Nothing here is private to the rooms: bytes come in where a file, a text or a peer would bring them.

mod bytes;
mod encryption;
/// A plan with every kind of step.
#[allow(dead_code, reason = "its own test uses the rest")]
#[path = "../../../runtime/exec/tests/every/mod.rs"]
mod every;
mod frames;
mod graphs;
mod imports;
mod peer;
mod plans;
mod pools;
mod sessions;
mod sources;
mod transfers;

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
    ("tls", frames::tls),
    ("keys", frames::keys),
    ("session", sessions::dealt),
    ("alone", sessions::alone),
    ("dealer", sessions::guests),
    ("transfers", transfers::transfers),
    ("encryption", encryption::encryption),
    ("pool", pools::pools),
    ("weights", imports::weights),
    ("config", imports::config),
];

/// The target of this name.
pub fn named(name: &str) -> Target {
    let found = TARGETS.iter().find(|(other, _)| *other == name);
    found.unwrap_or_else(|| panic!("no target is called `{name}`")).1
}
