//! The groups of a line as rows: those that differ in their rings alone are one, where they are many.

use crate::report::{Group, Ring};

/// A step in more rings than this is one row: the digits of a table's index, for example, are as many.
const MOST_RINGS: usize = 3;

/// The groups that send, with the text of their rings.
pub fn rows(groups: &[Group]) -> Vec<(String, Group)> {
    let sending: Vec<&Group> = groups.iter().filter(|group| group.cost.rounds > 0).collect();
    let mut rows: Vec<(String, Group)> = vec![];
    for group in &sending {
        let alike = |other: &Group| (other.step, other.owner) == (group.step, group.owner);
        let kinds: Vec<&Group> = sending.iter().copied().filter(|other| alike(other)).collect();
        if kinds.len() <= MOST_RINGS {
            rows.push((rings(group), (*group).clone()));
        } else if !rows.iter().any(|(_, other)| alike(other)) {
            rows.push((span(&kinds), merged(&kinds)));
        }
    }
    rows
}

fn merged(kinds: &[&Group]) -> Group {
    let mut merged = kinds[0].clone();
    for other in &kinds[1..] {
        merged.count += other.count;
        merged.elements += other.elements;
        merged.when.extend(&other.when);
        merged.cost.server_bytes += other.cost.server_bytes;
        merged.cost.client_bytes += other.cost.client_bytes;
        merged.cost.offline_bytes += other.cost.offline_bytes;
        merged.cost.online_us = merged.cost.online_us.zip(other.cost.online_us).map(|(a, b)| a + b);
    }
    merged.cost.rounds = merged.when.len() as u64;
    merged
}

/// The rings of several results.
fn span(kinds: &[&Group]) -> String {
    let all = |part: fn(Ring) -> u32| kinds.iter().filter_map(move |kind| kind.ring).map(part);
    let text = |part: fn(Ring) -> u32| match (all(part).min(), all(part).max()) {
        (Some(least), Some(most)) if least < most => format!("{least}..{most}"),
        (least, _) => least.unwrap_or(1).to_string(),
    };
    format!("<{}, {}>", text(|ring| ring.bits), text(|ring| ring.frac))
}

fn rings(group: &Group) -> String {
    match (group.from, group.ring) {
        (Some(from), Some(to)) => format!("{from} to {to}"),
        (_, Some(ring)) => ring.to_string(),
        _ => "bits".into(),
    }
}
