//! Parts of a model that are repeated: what stands before the first index in the names of their weights.

use std::collections::BTreeSet;

use ptc_plan::Plan;
use ptc_plan::step::{Step, ValueId};

/// Names of layers, and the layer of each step. What lies between two of them, before the first or behind the last has no
/// index in its name, and is named by where it lies.
pub fn of(plan: &Plan) -> (Vec<String>, Vec<usize>) {
    let mut names: Vec<String> = vec![];
    let name = |id: &ValueId| plan.values[id.0 as usize].name.as_str();
    let known: BTreeSet<&str> = plan.parameters.iter().filter_map(|each| indexed(name(&each.value))).collect();
    let of_step = |step: &Step| step.outputs.first().and_then(|id| indexed(name(id)).filter(|it| known.contains(it)));
    let indexed: Vec<Option<&str>> = plan.steps.iter().map(of_step).collect();
    let mut at = |name: &str| {
        names.iter().position(|other| other == name).unwrap_or_else(|| {
            names.push(name.to_string());
            names.len() - 1
        })
    };
    let first = indexed.iter().position(Option::is_some);
    let last = indexed.iter().rposition(Option::is_some);
    let (Some(first), Some(last)) = (first, last) else {
        return (vec!["model".into()], vec![0; plan.steps.len()]);
    };
    let of_step = |(step, layer): (usize, &Option<&str>)| match layer {
        Some(name) => at(name),
        None if step < first => at("before"),
        None if step > last => at("after"),
        None => at("between"),
    };
    let layers = indexed.iter().enumerate().map(of_step).collect();
    (names, layers)
}

/// `blocks.0` of `blocks.0.attend.scores`.
fn indexed(name: &str) -> Option<&str> {
    let mut end = 0;
    for part in name.split('.') {
        let start = end;
        end += part.len();
        // An index has a name before it, and something behind it: the last part numbers values of one name.
        if start > 0 && end < name.len() && !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(&name[..end]);
        }
        end += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_index_names_a_layer() {
        for (name, expected) in [
            ("blocks.0.attend.scores", Some("blocks.0")),
            ("encoder.layer.11.up.3.x", Some("encoder.layer.11")),
            ("gelu.12", None),
            ("0.x", None),
            ("pool", None),
        ] {
            assert_eq!(indexed(name), expected, "{name}");
        }
    }
}
