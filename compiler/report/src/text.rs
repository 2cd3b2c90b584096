//! The report as a table.

use std::fmt::Write;

use crate::report::{Group, Line, Note, Offline, Place, Protocol, Report, Revealed, Ring};
use crate::units::{number, shorten, size};

const WIDTH: usize = 120;

pub fn text(report: &Report) -> String {
    let mut out = String::new();
    let prepared = match report.offline {
        Offline::Dealer(_) => "dealer",
        Offline::TwoParty(_) => "offline",
    };
    head(report, &mut out);
    revealed(&report.revealed, &mut out);
    out += "\nBY SOURCE LINE (lines share rounds; <k, f> is the ring Z_2^k with f bits behind the point)\n";
    for line in &report.lines {
        out += "\n";
        write_line(line, prepared, &mut out);
    }
    if !report.notes.is_empty() {
        out += "\nElsewhere\n";
        report.notes.iter().for_each(|note| write_note(note, &mut out));
    }
    protocols(&report.protocols, prepared, &mut out);
    out += "\nTHIS HOLDS IF\n";
    for assumption in &report.assumptions {
        wrapped("- ", assumption, &mut out);
    }
    out
}

fn put(out: &mut String, line: std::fmt::Arguments) {
    let start = out.len();
    // Writing to text does not fail.
    let _ = out.write_fmt(line);
    let end = out[start..].trim_end().len();
    out.truncate(start + end);
    out.push('\n');
}

macro_rules! put {
    ($out:expr, $($argument:tt)*) => { put($out, format_args!($($argument)*)) };
}

fn head(report: &Report, out: &mut String) {
    let dims: Vec<String> = report.dims.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    let dims = if dims.is_empty() { String::new() } else { format!(" with {}", dims.join(", ")) };
    put!(out, "{}.{}{dims}; correlated randomness: {}", report.model, report.entry, report.trust);
    let (online, offline) = (&report.online, &report.offline);
    out.push('\n');
    put!(
        out,
        "online    {} rounds; server sends {}, client sends {} ({} of them frame headers)",
        number(online.rounds),
        size(online.server_bytes),
        size(online.client_bytes),
        size(online.header_bytes)
    );
    offline_price(offline, out);
    if let Some(widest) = &report.widest {
        let at = widest.place.as_ref().map_or(String::new(), |place| format!(" at {}", spot(place)));
        put!(out, "widest    {}: `{}`{at}", fixed(widest.ring), shorten(&widest.value, 60));
    }
}

fn offline_price(offline: &Offline, out: &mut String) {
    match offline {
        Offline::Dealer(dealt) => {
            put!(
                out,
                "offline   dealer sends {} to the server and {} to the client for each query",
                size(dealt.dealer_to_server_bytes),
                size(dealt.dealer_to_client_bytes)
            );
            put!(
                out,
                "once      server sends {} of masked weights to the client, dealer {} to the server, for each session",
                size(dealt.server_to_client_once_bytes),
                size(dealt.dealer_to_server_once_bytes)
            );
        }
        Offline::TwoParty(made) => {
            put!(
                out,
                "offline   {} rounds; server sends {}, client sends {} for the first query",
                number(made.rounds),
                size(made.server_bytes),
                size(made.client_bytes)
            );
            put!(
                out,
                "          {} oblivious transfers to the client, {} to the server ({}); {} encrypted products",
                number(made.server_transfers),
                number(made.client_transfers),
                made.extension,
                number(made.encrypted_products)
            );
            put!(
                out,
                "once      {} rounds; server sends {}, client sends {} of keys and base transfers, for each session",
                number(made.once_rounds),
                size(made.server_once_bytes),
                size(made.client_once_bytes)
            );
        }
    }
}

fn revealed(all: &[Revealed], out: &mut String) {
    out.push_str("\nREVEALED, and nothing else\n");
    for Revealed { output, to, shape, reason, opened } in all {
        put!(out, "  `{output}` {shape:?} to the {to}: {}", shorten(reason, 80));
        for value in opened {
            let at = value.place.as_ref().map_or(String::new(), |place| format!(" at {}", spot(place)));
            put!(out, "      opened: `{}` {:?}{at}", shorten(&value.value, 60), value.shape);
        }
        if opened.is_empty() {
            put!(out, "      nothing is opened for it");
        }
    }
}

/// Columns: what, ring, elements, rounds, server, client, and what is prepared.
fn row(out: &mut String, what: &str, ring: &str, cells: [&str; 5]) {
    let [elements, rounds, server, client, offline] = cells;
    put!(out, "  {what:<33} {ring:<21}{elements:>13}{rounds:>8}{server:>11}{client:>11}{offline:>11}");
}

fn write_line(line: &Line, prepared: &str, out: &mut String) {
    let place = line.place.as_ref().map_or("without a source line".to_string(), spot);
    let rest = WIDTH.saturating_sub(place.chars().count() + 3);
    put!(out, "{place}   {}", shorten(&line.text, rest));
    let rows = rows(&line.steps);
    if !rows.is_empty() {
        row(out, "step", "ring", ["elements", "rounds", "server", "client", prepared]);
    }
    for (rings, group) in &rows {
        row(
            out,
            &what(group),
            rings,
            [
                &number(group.elements),
                &number(group.rounds),
                &size(group.server_bytes),
                &size(group.client_bytes),
                &size(group.offline_bytes),
            ],
        );
    }
    if rows.len() > 1 {
        row(
            out,
            "together",
            "",
            ["", &number(line.rounds), &size(line.server_bytes), &size(line.client_bytes), &size(line.offline_bytes)],
        );
    }
    let local: Vec<&Group> = line.steps.iter().filter(|group| group.rounds == 0).collect();
    for (title, groups) in by_owner(&local) {
        wrapped(&format!("  {title}: "), &groups.join(", "), out);
    }
    line.notes.iter().for_each(|note| write_note(note, out));
}

/// A step in more rings than this is one row: the digits of a table's index, for example, are as many.
const MOST_RINGS: usize = 3;

/// The groups that send, with the text of their rings.
fn rows(groups: &[Group]) -> Vec<(String, Group)> {
    let sending: Vec<&Group> = groups.iter().filter(|group| group.rounds > 0).collect();
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
        merged.server_bytes += other.server_bytes;
        merged.client_bytes += other.client_bytes;
        merged.offline_bytes += other.offline_bytes;
    }
    merged.rounds = merged.when.len() as u64;
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
        (Some(from), Some(to)) => format!("{} to {}", fixed(from), fixed(to)),
        (_, Some(ring)) => fixed(ring),
        _ => "bits".into(),
    }
}

fn fixed(ring: Ring) -> String {
    format!("<{}, {}>", ring.bits, ring.frac)
}

fn spot(place: &Place) -> String {
    format!("{}:{}", place.file, place.line)
}

fn write_note(note: &Note, out: &mut String) {
    let kind = if note.relative { "relative" } else { "absolute" };
    let times = if note.count == 1 { String::new() } else { format!(", {} times", note.count) };
    let said = format!("`{}`{times}: {}, error at most {:.1e} {kind}", note.value, note.recipe, note.bound);
    wrapped("  approximates ", &said, out);
}

fn protocols(protocols: &[Protocol], prepared: &str, out: &mut String) {
    out.push_str("\nBY PROTOCOL (nobody learns more than is revealed above, and why)\n\n");
    row(out, "step", "", ["elements", "rounds", "server", "client", prepared]);
    for protocol in protocols {
        row(
            out,
            &format!("{} x {}", protocol.count, protocol.step),
            "",
            [
                &number(protocol.elements),
                &number(protocol.rounds),
                &size(protocol.server_bytes),
                &size(protocol.client_bytes),
                &size(protocol.offline_bytes),
            ],
        );
        wrapped("      ", &format!("{}: {}", protocol.protocol, protocol.because), out);
    }
}

/// Words on as many lines as they take; the first starts with `lead`, the others below its end.
fn wrapped(lead: &str, words: &str, out: &mut String) {
    let indent = lead.chars().count().min(6);
    let mut line = lead.to_string();
    let mut fresh = true;
    for word in words.split_whitespace() {
        if !fresh && line.chars().count() + 1 + word.chars().count() > WIDTH {
            put!(out, "{line}");
            line = " ".repeat(indent);
            fresh = true;
        }
        if !fresh {
            line.push(' ');
        }
        line.push_str(word);
        fresh = false;
    }
    put!(out, "{line}");
}
