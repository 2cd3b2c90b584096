//! The source of a model, put together from parts and laid out by the formatter.

use std::collections::{BTreeMap, BTreeSet};

pub(crate) struct Source {
    /// The model's name.
    name: String,
    /// Lines at the top.
    docs: Vec<String>,
    uses: BTreeMap<&'static str, BTreeSet<&'static str>>,
    sizes: Vec<String>,
    pub modules: Vec<String>,
    fields: Vec<String>,
    pub entry: String,
}

impl Source {
    pub fn new(name: String, docs: Vec<String>) -> Source {
        Source {
            name,
            docs,
            uses: BTreeMap::new(),
            sizes: vec![],
            modules: vec![],
            fields: vec![],
            entry: String::new(),
        }
    }

    pub fn uses(&mut self, module: &'static str, names: &[&'static str]) {
        self.uses.entry(module).or_default().extend(names);
    }

    pub fn dim(&mut self, name: &str, size: u64, comment: &str) {
        self.sizes.push(format!("dim {name} = {size}; // {comment}"));
    }

    pub fn size(&mut self, name: &str, size: u64) {
        self.sizes.push(format!("const {name} = {size};"));
    }

    pub fn number(&mut self, name: &str, number: f64) {
        self.sizes.push(format!("const {name} = {number:e};"));
    }

    /// `owner` is `public` or `server`.
    pub fn field(&mut self, name: &str, ty: &str, owner: &str, at: &str) {
        self.fields.push(format!("{name}: {ty} @{owner} at \"{at}\","));
    }

    /// In the canonical layout.
    pub fn text(&self) -> Result<String, String> {
        let mut lines: Vec<String> = self.docs.iter().map(|doc| format!("//! {doc}").trim_end().to_string()).collect();
        lines.push(String::new());
        for (module, names) in &self.uses {
            let names: Vec<&str> = names.iter().copied().collect();
            lines.push(format!("use {module}::{{{}}};", names.join(", ")));
        }
        lines.push(String::new());
        lines.extend(self.sizes.iter().cloned());
        lines.push(String::new());
        lines.extend(self.modules.iter().cloned());
        lines.push(format!("model {} {{", self.name));
        lines.extend(self.fields.iter().cloned());
        lines.push(String::new());
        lines.push(self.entry.clone());
        lines.push("}".into());
        ptc_syntax::format::format(&lines.join("\n")).map_err(|diagnostics| {
            diagnostics.first().map_or("it does not parse".into(), |diagnostic| diagnostic.message.clone())
        })
    }
}
