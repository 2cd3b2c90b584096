//! What the model uses of a checkpoint, what it leaves, and what it lacks.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::problem::Problem;
use crate::{Imported, Tensors};

/// The model's parameters against the checkpoint's tensors.
pub struct Load {
    pub used: Vec<String>,
    /// With the reason.
    pub unused: Vec<(String, &'static str)>,
    /// Used tensors by the type in which they are stored.
    pub dtypes: BTreeMap<String, usize>,
    /// Numbers in used tensors.
    pub numbers: u64,
    /// What `--unused` must name.
    pub flags: Vec<String>,
}

/// Misfits that are told.
const MAX_NAMED: usize = 30;
/// Tensors among which a name that was meant is looked for.
const MAX_SEARCHED: usize = 1 << 14;

/// `parameters` are the model's, by path and shape. Every misfit is told at once.
pub fn compare(parameters: &BTreeMap<String, Vec<usize>>, tensors: &Tensors) -> Result<Load, Vec<Problem>> {
    let mut problems = vec![];
    let mut dtypes = BTreeMap::new();
    let mut numbers = 0u64;
    let mut further = 0;
    for (path, shape) in parameters {
        if problems.len() == MAX_NAMED {
            further += 1;
            continue;
        }
        let place = format!("`{path}`");
        let Some(tensor) = tensors.get(path) else {
            let free = tensors.keys().filter(|name| !parameters.contains_key(*name)).take(MAX_SEARCHED);
            let found = match ptc_syntax::suggest::nearest(path, free.map(String::as_str)) {
                Some(near) => format!("not among the weights, which have `{near}`"),
                None => "not among the weights".into(),
            };
            let fix = "import with a `--head` whose tensors the checkpoint has, or get the whole checkpoint";
            problems.push(Problem::new(place, found, format!("{shape:?}"), fix));
            continue;
        };
        if tensor.shape != *shape {
            let fix = "check that the configuration belongs to these weights";
            problems.push(Problem::new(place, format!("{:?} in the weights", tensor.shape), format!("{shape:?}"), fix));
        } else if !["F32", "F64", "F16", "BF16"].contains(&tensor.dtype.as_str()) {
            let fix = "load the checkpoint with transformers and save it again in f16 or f32";
            let found = format!("it holds {}", tensor.dtype);
            problems.push(Problem::new(place, found, "F32, F64, F16, BF16", fix));
        } else {
            *dtypes.entry(tensor.dtype.clone()).or_insert(0) += 1;
            numbers = numbers.saturating_add(shape.iter().map(|&size| size as u64).product());
        }
    }
    if !problems.is_empty() {
        if further > 0 {
            let found = format!("{further} tensors more were not looked at");
            problems.push(Problem::new("the weights", found, "none that does not fit", "mend those above first"));
        }
        return Err(problems);
    }
    let unused: Vec<&String> = tensors.keys().filter(|name| !parameters.contains_key(*name)).collect();
    Ok(Load {
        used: parameters.keys().cloned().collect(),
        flags: flags(&unused, parameters),
        unused: unused.into_iter().map(|name| (name.clone(), reason(name))).collect(),
        dtypes,
        numbers,
    })
}

/// The shortest beginnings at a dot that cover unused names and no used one.
fn flags(unused: &[&String], used: &BTreeMap<String, Vec<usize>>) -> Vec<String> {
    let covers_used = |top: &str| {
        let below = format!("{top}.");
        used.contains_key(top) || used.range(below.clone()..).next().is_some_and(|(name, _)| name.starts_with(&below))
    };
    let mut flags = BTreeSet::new();
    for name in unused {
        let ends = name.match_indices('.').map(|(at, _)| at).chain([name.len()]);
        let top = ends.filter_map(|end| name.get(..end)).find(|top| !top.is_empty() && !covers_used(top));
        flags.insert(top.unwrap_or(name).to_string());
    }
    flags.into_iter().collect()
}

/// Why the model has no use for a tensor, as far as its name tells.
fn reason(name: &str) -> &'static str {
    let has = |part: &str| name.split('.').any(|piece| piece == part);
    match name {
        _ if has("position_ids") || has("token_type_ids") => "a buffer of indices, which the model has as a range",
        _ if has("inv_freq") => "a buffer of angles, which the model computes",
        _ if has("masked_bias") || name.ends_with(".attn.bias") => "a buffer for the causal mask",
        _ if has("pooler") => "a pooler, which this head does not use",
        _ if has("cls")
            || has("lm_head")
            || has("vocab_transform")
            || has("vocab_layer_norm")
            || has("vocab_projector") =>
        {
            "the head that predicts words"
        }
        _ if has("classifier") || has("pre_classifier") || has("qa_outputs") || has("score") => "another head",
        _ => "nothing in the model is named so",
    }
}

impl Load {
    /// For people.
    pub fn text(&self, imported: &Imported) -> String {
        let dtypes: Vec<String> = self.dtypes.iter().map(|(dtype, count)| format!("{count} {dtype}")).collect();
        let mut text = format!(
            "{} with the head `{}`: {} tensors used ({}), {:.3} million numbers\n",
            imported.family,
            imported.head.name(),
            self.used.len(),
            dtypes.join(", "),
            self.numbers as f64 / 1e6
        );
        for (name, reason) in &self.unused {
            text += &format!("unused: `{name}`: {reason}\n");
        }
        for note in &imported.notes {
            text += &format!("note: {note}\n");
        }
        text
    }

    /// For programs.
    pub fn json(&self, imported: &Imported, tensors: &Tensors, source: &str, commands: &[String]) -> Value {
        let tensor = |name: &String| {
            let tensor = tensors.get(name);
            let (dtype, shape) = (tensor.map(|tensor| &tensor.dtype), tensor.map(|tensor| &tensor.shape));
            json!({ "name": name, "dtype": dtype, "shape": shape })
        };
        let unused = |(name, reason): &(String, &str)| {
            let mut entry = tensor(name);
            entry["reason"] = json!(reason);
            entry
        };
        json!({
            "source": source,
            "family": imported.family,
            "head": imported.head.name(),
            "entry": imported.head.entry(),
            "used": self.used.iter().map(tensor).collect::<Vec<_>>(),
            "unused": self.unused.iter().map(unused).collect::<Vec<_>>(),
            "missing": [],
            "dtypes": self.dtypes,
            "numbers": self.numbers,
            "unused_flags": self.flags,
            "notes": imported.notes,
            "commands": commands,
        })
    }
}

/// What a program gets of an import that failed.
pub fn failed(problems: &[Problem]) -> Value {
    let problem = |problem: &Problem| {
        let Problem { place, found, supported, fix } = problem;
        json!({ "place": place, "found": found, "supported": supported, "hint": fix })
    };
    json!({ "problems": problems.iter().map(problem).collect::<Vec<_>>() })
}
