//! The report as a table.

use crate::report::{Choice, Layer, Offline, Report};
use crate::units::{number, shorten, size, spot, time};

mod leakage;
mod lines;
mod measured;
mod paper;
mod why;

use lines::Columns;
use paper::{put, wrapped};

pub use leakage::leakage;
pub use why::why;

pub fn text(report: &Report) -> String {
    let mut out = String::new();
    let prepared = match report.offline {
        Offline::Dealer(_) => "dealer",
        Offline::TwoParty(_) => "offline",
    };
    let columns = Columns { prepared, timed: report.times.is_some() };
    head(report, &mut out);
    leakage::revealed(&report.leakage.revealed, &mut out);
    choices(&report.choices, &mut out);
    if let Some(measured) = &report.measured {
        measured::measured(report, measured, &mut out);
    }
    layers(&report.layers, columns, &mut out);
    out += "\nBY SOURCE LINE (lines share rounds; <k, f> is the ring Z_2^k with f bits behind the point)\n";
    for line in &report.lines {
        out += "\n";
        lines::line(line, columns, &mut out);
    }
    if !report.notes.is_empty() {
        out += "\nElsewhere\n";
        report.notes.iter().for_each(|note| lines::note(note, &mut out));
    }
    lines::protocols(&report.protocols, columns, &mut out);
    leakage::assumptions(&report.leakage.assumptions, &mut out);
    out
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
    if let Some(times) = &report.times {
        put!(
            out,
            "time      {} online, {} to prepare, {} once a session ({})",
            time(times.online_us),
            time(times.offline_us),
            time(times.once_us),
            shorten(&times.profile, 60)
        );
    }
    if let Some(widest) = &report.widest {
        let at = widest.place.as_ref().map_or(String::new(), |place| format!(" at {}", spot(place)));
        put!(out, "widest    {}: `{}`{at}", widest.ring, shorten(&widest.value, 60));
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

/// What was decided for the whole plan, with the price of the next best way.
fn choices(choices: &[Choice], out: &mut String) {
    if choices.is_empty() {
        return;
    }
    out.push_str("\nCHOSEN (prices are of the whole plan: microseconds, or bytes where traffic is spared)\n");
    for Choice { subject, chosen, runner_up } in choices {
        let next = runner_up.as_ref().map_or("no other way".to_string(), |way| {
            let more = (way.price as f64 / chosen.price.max(1) as f64 - 1.0) * 100.0;
            format!("next {}, {} ({more:+.1} %)", way.name, number(way.price))
        });
        wrapped("  - ", &format!("{subject}: {}, {}; {next}", chosen.name, number(chosen.price)), out);
    }
}

/// One row a layer, where there are several.
fn layers(layers: &[Layer], columns: Columns, out: &mut String) {
    if layers.len() < 2 {
        return;
    }
    out.push_str("\nBY LAYER (critical: rounds on the longest chain of steps that wait for each other)\n\n");
    let time_of = if columns.timed { "time" } else { "" };
    let heading = ["layer", "steps", "rounds", "critical", "server", "client", columns.prepared, time_of];
    let row = |cells: [&str; 8], out: &mut String| {
        let [name, steps, rounds, critical, server, client, offline, time] = cells;
        put!(out, "  {name:<40}{steps:>7}{rounds:>8}{critical:>10}{server:>11}{client:>11}{offline:>11}{time:>11}");
    };
    row(heading, out);
    for Layer { name, steps, cost, .. } in layers {
        let cells = [
            &shorten(name, 38),
            &number(*steps),
            &number(cost.rounds),
            &number(cost.critical_rounds),
            &size(cost.server_bytes),
            &size(cost.client_bytes),
            &size(cost.offline_bytes),
            &cost.online_us.map_or(String::new(), time),
        ];
        row(cells.map(String::as_str), out);
    }
}
