//! A run beside what was predicted of it.

use crate::html::words::{escape, put};
use crate::measured::{Measured, Timed};
use crate::report::Report;
use crate::units::{number, size, spot, time};

pub fn section(report: &Report, measured: &Measured, out: &mut String) {
    put!(out, "<section id=\"measured\"><h2>Measured beside predicted</h2>");
    match measured.difference_count {
        0 => put!(
            out,
            "<p class=\"verdict good\">All {} rounds and all steps sent what was predicted, to the byte, at both parties.</p>",
            number(report.online.rounds)
        ),
        count => put!(out, "<p class=\"verdict bad\">Bytes are not as predicted in {} places.</p>", number(count)),
    }
    if !measured.differences.is_empty() {
        put!(out, "<ul class=\"plain\">");
        for one in &measured.differences {
            let pair = |[sent, received]: [u64; 2]| format!("{sent} B sent and {received} B received");
            let found = one.measured_bytes.map_or("nothing recorded".into(), pair);
            put!(
                out,
                "<li>{}, query {}, {}: {found}, not {}</li>",
                one.party,
                one.query,
                escape(&one.what),
                pair(one.predicted_bytes)
            );
        }
        put!(out, "</ul>");
    }
    let predicted = measured.predicted_online_us.map_or(String::new(), |us| format!(", predicted {}", time(us)));
    put!(out, "<p>A query took {} online{}.</p>", escape(&time(measured.online_us)), escape(&predicted));
    phases(measured, out);
    let most =
        measured.kinds.iter().chain(&measured.lines).map(|one| one.measured_us.max(one.predicted_us.unwrap_or(0.0)));
    let most = most.fold(0.0, f64::max);
    table(
        "By kind of step",
        measured.kinds.iter().map(|kind| (format!("{} x {}", number(kind.count), kind.name), kind)),
        most,
        out,
    );
    let place = |at: usize| report.lines[at].place.as_ref().map_or("no source line".into(), spot);
    let mut lines: Vec<(String, &Timed)> = measured
        .lines
        .iter()
        .enumerate()
        .map(|(at, line)| (place(at), line))
        .filter(|(_, line)| line.measured_us > 0.0)
        .collect();
    lines.sort_by(|a, b| b.1.measured_us.total_cmp(&a.1.measured_us));
    table("By line", lines.into_iter(), most, out);
    put!(out, "</section>");
}

fn phases(measured: &Measured, out: &mut String) {
    put!(
        out,
        "<div class=\"scroll\"><table><caption>Phases</caption><thead><tr><th>party</th><th>phase</th><th class=\"n\">rounds</th><th class=\"n\">sent</th><th class=\"n\">received</th><th class=\"n\">time</th></tr></thead><tbody>"
    );
    for (party, phases) in ["server", "client"].into_iter().zip(&measured.phases) {
        for phase in phases {
            put!(
                out,
                "<tr><td>{party}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
                escape(&phase.phase),
                number(phase.rounds),
                size(phase.sent_bytes),
                size(phase.received_bytes),
                escape(&time(phase.us as f64))
            );
        }
    }
    put!(out, "</tbody></table></div>");
}

fn table<'a>(caption: &str, rows: impl Iterator<Item = (String, &'a Timed)>, most: f64, out: &mut String) {
    put!(
        out,
        "<div class=\"scroll\"><table class=\"sortable\"><caption>{}: times of a query; the upper bar is measured, the lower one predicted</caption><thead><tr>",
        escape(caption)
    );
    for (class, name) in [
        ("", "what"),
        ("n", "server computes"),
        ("n", "client computes"),
        ("n", "link"),
        ("n", "together"),
        ("n", "predicted"),
        ("", ""),
    ] {
        match name {
            "" => put!(out, "<th scope=\"col\" aria-label=\"bars\"></th>"),
            name => put!(out, "<th scope=\"col\" class=\"{class}\"><button type=\"button\">{name}</button></th>"),
        }
    }
    put!(out, "</tr></thead><tbody>");
    for (name, timed) in rows {
        put!(out, "<tr><td>{}</td>", escape(&name));
        let predicted = timed.predicted_us.unwrap_or(0.0);
        for us in [timed.server_computing_us, timed.client_computing_us, timed.link_us, timed.measured_us, predicted] {
            put!(out, "<td class=\"n\" data-v=\"{us}\">{}</td>", escape(&time(us)));
        }
        let part = |us: f64| if most > 0.0 { us / most * 100.0 } else { 0.0 };
        put!(
            out,
            "<td class=\"pair\"><span class=\"fill measured\" style=\"width:{:.1}%\"></span><span class=\"fill predicted\" style=\"width:{:.1}%\"></span></td></tr>",
            part(timed.measured_us),
            part(predicted)
        );
    }
    put!(out, "</tbody></table></div>");
}
