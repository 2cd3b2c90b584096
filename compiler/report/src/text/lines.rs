//! Source lines as tables, and the table of protocols.

use crate::report::{Alternative, Cost, Group, Line, Note, Protocol, Ring};
use crate::text::paper::{WIDTH, put, wrapped};
use crate::units::{error, interval, number, shorten, size, spot, time};
use crate::ways::ways;

/// What the columns of a table are about.
#[derive(Clone, Copy)]
pub struct Columns {
    /// Who makes what is prepared.
    pub prepared: &'static str,
    /// Times are predicted.
    pub timed: bool,
}

/// Columns: what, ring, elements, rounds, server, client, what is prepared, and time where it is predicted.
fn row(out: &mut String, what: &str, ring: &str, cells: [&str; 6]) {
    let [elements, rounds, server, client, offline, time] = cells;
    put!(out, "  {what:<33} {ring:<21}{elements:>12}{rounds:>7}{server:>11}{client:>11}{offline:>11}{time:>11}");
}

fn heading(out: &mut String, ring: &str, columns: Columns) {
    let time = if columns.timed { "time" } else { "" };
    row(out, "step", ring, ["elements", "rounds", "server", "client", columns.prepared, time]);
}

fn cost_row(out: &mut String, what: &str, ring: &str, elements: &str, cost: &Cost) {
    row(
        out,
        what,
        ring,
        [
            elements,
            &number(cost.rounds),
            &size(cost.server_bytes),
            &size(cost.client_bytes),
            &size(cost.offline_bytes),
            &cost.online_us.map_or(String::new(), time),
        ],
    );
}

pub fn line(line: &Line, columns: Columns, out: &mut String) {
    let place = line.place.as_ref().map_or("without a source line".to_string(), spot);
    let rest = WIDTH.saturating_sub(place.chars().count() + 3);
    put!(out, "{place}   {}", shorten(&line.text, rest));
    let rows = rows(&line.steps);
    if !rows.is_empty() {
        heading(out, "ring", columns);
    }
    for (rings, group) in &rows {
        cost_row(out, &what(group), rings, &number(group.elements), &group.cost);
    }
    if rows.len() > 1 {
        cost_row(out, "together", "", "", &line.cost);
    }
    let local: Vec<&Group> = line.steps.iter().filter(|group| group.cost.rounds == 0).collect();
    for (title, groups) in by_owner(&local) {
        wrapped(&format!("  {title}: "), &groups.join(", "), out);
    }
    for way in ways(&line.steps) {
        let (taken, other) = (way.taken, way.other);
        let said = format!("{}: {}; {}: {}", taken.way, price(&taken), other.way, price(&other));
        wrapped(&format!("  {} x {} made ", number(way.count), way.step), &said, out);
    }
    if let Some(range) = &line.range {
        let error = line.error.map_or(String::new(), |bound| format!(", error at most {}", error(bound)));
        let sign = if range.sign == "either" { String::new() } else { format!(", {}", range.sign) };
        put!(out, "  result {} ({}{sign}){error}", interval(range), range.grade);
    }
    if line.cost.critical_rounds > 0 {
        put!(out, "  {} of its rounds are on the longest chain", number(line.cost.critical_rounds));
    }
    line.notes.iter().for_each(|one| note(one, out));
}

fn price(one: &Alternative) -> String {
    match (one.online_bytes, one.offline_bytes) {
        (online, 0) => format!("{} in the query", size(online)),
        (online, offline) => format!("{} before, {} in the query", size(offline), size(online)),
    }
}

/// A step in more rings than this is one row: the digits of a table's index, for example, are as many.
const MOST_RINGS: usize = 3;

/// The groups that send, with the text of their rings.
fn rows(groups: &[Group]) -> Vec<(String, Group)> {
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

/// Steps that send nothing, merged whatever their rings.
fn by_owner(groups: &[&Group]) -> Vec<(String, Vec<String>)> {
    let mut titles: Vec<(String, Vec<(&str, u64)>)> = vec![];
    for group in groups {
        let title = match group.owner {
            Some("both") => "both in the clear".into(),
            Some(owner) => format!("the {owner} alone"),
            None => "locally on shares".to_string(),
        };
        let at = titles.iter().position(|(other, _)| *other == title).unwrap_or_else(|| {
            titles.push((title, vec![]));
            titles.len() - 1
        });
        let steps = &mut titles[at].1;
        let step = if group.step == "local" { "kernel" } else { group.step };
        match steps.iter_mut().find(|(other, _)| *other == step) {
            Some((_, count)) => *count += group.count,
            None => steps.push((step, group.count)),
        }
    }
    let counted = |(step, count): (&str, u64)| if count == 1 { step.into() } else { format!("{count} x {step}") };
    titles.into_iter().map(|(title, steps)| (title, steps.into_iter().map(counted).collect())).collect()
}

fn what(group: &Group) -> String {
    let count = if group.count == 1 { String::new() } else { format!("{} x ", group.count) };
    let owner = match (group.leaks_to, group.owner) {
        (Some(party), _) => format!(" to the {party}"),
        (None, Some(owner)) => format!(" ({owner}'s)"),
        (None, None) => String::new(),
    };
    format!("{count}{}{owner}", group.step)
}

fn rings(group: &Group) -> String {
    match (group.from, group.ring) {
        (Some(from), Some(to)) => format!("{from} to {to}"),
        (_, Some(ring)) => ring.to_string(),
        _ => "bits".into(),
    }
}

pub fn note(note: &Note, out: &mut String) {
    let kind = if note.relative { "relative" } else { "absolute" };
    let times = if note.count == 1 { String::new() } else { format!(", {} times", note.count) };
    let said = format!("`{}`{times}: {}, error at most {:.1e} {kind}", note.value, note.recipe, note.bound);
    wrapped("  approximates ", &said, out);
}

pub fn protocols(protocols: &[Protocol], columns: Columns, out: &mut String) {
    out.push_str("\nBY PROTOCOL (nobody learns more than is revealed above, and why)\n\n");
    heading(out, "", columns);
    for protocol in protocols {
        let what = format!("{} x {}", protocol.count, protocol.step);
        cost_row(out, &what, "", &number(protocol.elements), &protocol.cost);
        wrapped("      ", &format!("{}: {}", protocol.protocol, protocol.because), out);
    }
}
