//! A run beside what was predicted of it.

use crate::measured::{Measured, Timed};
use crate::report::Report;
use crate::text::paper::put;
use crate::units::{number, shorten, size, spot, time};

/// Lines that are shown, those that took longest.
const LINES: usize = 20;

/// What takes less has no row.
const LEAST_US: f64 = 1.0;

pub fn measured(report: &Report, measured: &Measured, out: &mut String) {
    let queries = measured.queries;
    let queries = if queries == 1 { "one query".to_string() } else { format!("the average of {queries} queries") };
    put!(out, "\nMEASURED, {queries}");
    for (party, phases) in ["server", "client"].into_iter().zip(&measured.phases) {
        for phase in phases {
            put!(
                out,
                "  {party:<8}{:<10}{:>7} rounds{:>12} sent{:>12} received{:>12}",
                phase.phase,
                number(phase.rounds),
                size(phase.sent_bytes),
                size(phase.received_bytes),
                time(phase.us as f64)
            );
        }
    }
    match measured.difference_count {
        0 => {
            put!(out, "  bytes     all {} rounds and all steps as predicted, to the byte", number(report.online.rounds))
        }
        count => put!(out, "  bytes     NOT AS PREDICTED in {} places", number(count)),
    }
    for one in &measured.differences {
        let pair = |[sent, received]: [u64; 2]| format!("{sent} B sent and {received} B received");
        let found = one.measured_bytes.map_or("nothing recorded".to_string(), pair);
        put!(out, "      {}, query {}, {}: {found}, not {}", one.party, one.query, one.what, pair(one.predicted_bytes));
    }
    put!(out, "  time      {}", against(measured.online_us, measured.predicted_online_us));
    heading("by kind of step", out);
    let kinds = measured.kinds.iter().filter(|kind| kind.measured_us >= LEAST_US);
    kinds.for_each(|kind| row(&format!("{} x {}", number(kind.count), kind.name), kind, out));
    heading("by line", out);
    let mut lines: Vec<(usize, &Timed)> = measured.lines.iter().enumerate().collect();
    lines.sort_by(|a, b| b.1.measured_us.total_cmp(&a.1.measured_us));
    for (at, line) in lines.into_iter().take(LINES).filter(|(_, line)| line.measured_us >= LEAST_US) {
        let place = report.lines[at].place.as_ref().map_or("without a source line".to_string(), spot);
        row(&place, line, out);
    }
}

fn against(measured: f64, predicted: Option<f64>) -> String {
    match predicted {
        Some(predicted) if predicted > 0.0 => {
            let more = (measured / predicted - 1.0) * 100.0;
            format!("{} online, predicted {} ({more:+.0} %)", time(measured), time(predicted))
        }
        _ => format!("{} online; `--profile` shows what was to be expected", time(measured)),
    }
}

fn heading(what: &str, out: &mut String) {
    out.push('\n');
    put!(out, "  {what:<44}{:>12}{:>12}{:>12}{:>12}{:>12}", "server", "client", "link", "together", "predicted");
}

fn row(what: &str, timed: &Timed, out: &mut String) {
    put!(
        out,
        "  {:<44}{:>12}{:>12}{:>12}{:>12}{:>12}",
        shorten(what, 42),
        time(timed.server_computing_us),
        time(timed.client_computing_us),
        time(timed.link_us),
        time(timed.measured_us),
        timed.predicted_us.map_or(String::new(), time)
    );
}
