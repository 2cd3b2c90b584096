//! Source lines as tables, and the table of protocols.

use crate::merged::rows;
use crate::report::{Alternative, Cost, Group, Line, Note, Protocol};
use crate::text::paper::{WIDTH, put, wrapped};
use crate::units::{counted, error, interval, number, off, shorten, size, spot, time};
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
        put!(out, "  {} on the longest chain", counted(line.cost.critical_rounds, "round"));
    }
    line.notes.iter().for_each(|one| note(one, out));
}

fn price(one: &Alternative) -> String {
    match (one.online_bytes, one.offline_bytes) {
        (online, 0) => format!("{} in the query", size(online)),
        (online, offline) => format!("{} before, {} in the query", size(offline), size(online)),
    }
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

pub fn note(note: &Note, out: &mut String) {
    let times = if note.count == 1 { String::new() } else { format!(", {} times", note.count) };
    let said = format!("`{}`{times}: {}, {}", note.value, note.recipe, off(note.bound, note.relative));
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
