//! The library that every model may `use`.

/// Module name and text. `prelude` is in scope everywhere.
const FILES: &[(&str, &str)] = &[
    ("prelude", include_str!("../../../stdlib/prelude.ptx")),
    ("nn", include_str!("../../../stdlib/nn.ptx")),
    ("attention", include_str!("../../../stdlib/attention.ptx")),
    ("bert", include_str!("../../../stdlib/bert.ptx")),
    ("gpt2", include_str!("../../../stdlib/gpt2.ptx")),
    ("llama", include_str!("../../../stdlib/llama.ptx")),
    ("vit", include_str!("../../../stdlib/vit.ptx")),
    ("distilbert", include_str!("../../../stdlib/distilbert.ptx")),
    ("mpnet", include_str!("../../../stdlib/mpnet.ptx")),
];

pub const PRELUDE: &str = "prelude";

/// The name under which the core operators can be imported.
pub const CORE: &str = "core";

pub fn text(module: &str) -> Option<&'static str> {
    FILES.iter().find(|(name, _)| *name == module).map(|(_, text)| *text)
}

pub fn names() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(name, _)| *name)
}
