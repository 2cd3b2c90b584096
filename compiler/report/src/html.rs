//! The report as one page: everything is in it, it asks no network for anything, and without its script it still shows all
//! but sorting and filtering.

use crate::report::{Offline, Report, Scheme};
use crate::units::{number, size, spot, time};

mod charts;
mod costs;
mod flow;
mod layout;
mod leakage;
mod measured;
mod tables;
mod words;

use words::{escape, put};

const STYLE: &str = include_str!("html/style.css");
const SCRIPT: &str = include_str!("html/script.js");

pub fn page(report: &Report) -> String {
    let mut out = String::new();
    let title = format!("{}.{}", report.model, report.entry);
    put!(&mut out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">");
    put!(&mut out, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    put!(&mut out, "<title>{} - ptc explain</title>\n<style>\n{STYLE}</style>\n</head>\n<body>", escape(&title));
    put!(&mut out, "<a class=\"skip\" href=\"#main\">Skip to the report</a>");
    header(report, &title, &mut out);
    put!(&mut out, "<main id=\"main\">");
    tiles(report, &mut out);
    if let Some(measured) = &report.measured {
        measured::section(report, measured, &mut out);
    }
    costs::section(report, &mut out);
    charts::section(report, &mut out);
    flow::section(report, &mut out);
    tables::lines(report, &mut out);
    tables::choices(report, &mut out);
    tables::steps(report, &mut out);
    leakage::section(report, &mut out);
    put!(&mut out, "</main>\n<script>\n{SCRIPT}</script>\n</body>\n</html>");
    out
}

fn header(report: &Report, title: &str, out: &mut String) {
    put!(out, "<header>\n<div class=\"title\"><h1>{}</h1>", escape(title));
    for (name, value) in &report.dims {
        put!(out, "<span class=\"chip\">{} = {value}</span>", escape(name));
    }
    put!(out, "<span class=\"chip\">{}</span>", escape(report.trust));
    if let Some(times) = &report.times {
        put!(out, "<span class=\"chip\">{}</span>", escape(&times.profile));
    }
    put!(out, "<button id=\"theme\" type=\"button\" aria-label=\"light or dark\">light / dark</button></div>");
    let mut sections = vec![
        ("costs", "Costs"),
        ("traffic", "Rounds"),
        ("flow", "Dataflow"),
        ("lines", "Lines"),
        ("choices", "Choices"),
        ("steps", "Steps"),
        ("leakage", "Leakage"),
    ];
    if report.measured.is_some() {
        sections.insert(0, ("measured", "Measured"));
    }
    put!(out, "<nav aria-label=\"sections\">");
    for (id, name) in sections {
        put!(out, "<a href=\"#{id}\">{name}</a>");
    }
    put!(out, "</nav>\n</header>");
}

/// The figures of the whole plan.
fn tiles(report: &Report, out: &mut String) {
    let (online, mut tiles) = (&report.online, vec![]);
    tiles.push(("rounds online", number(online.rounds), "one message each way".to_string()));
    let both = online.server_bytes + online.client_bytes;
    let ways = format!("server {}, client {}", size(online.server_bytes), size(online.client_bytes));
    tiles.push(("sent online", size(both), ways));
    let (offline, ways) = match &report.offline {
        Offline::Dealer(dealt) => {
            (dealt.dealer_to_server_bytes + dealt.dealer_to_client_bytes, "by the dealer".to_string())
        }
        Offline::TwoParty(made) => (
            made.server_bytes + made.client_bytes,
            format!("server {}, client {}", size(made.server_bytes), size(made.client_bytes)),
        ),
    };
    tiles.push(("before the query", size(offline), ways));
    if let Some(times) = &report.times {
        let rest = format!("{} to prepare, {} once", time(times.offline_us), time(times.once_us));
        tiles.push(("predicted online", time(times.online_us), rest));
    }
    if let Some(widest) = &report.widest {
        let place = widest.place.as_ref().map_or(String::new(), spot);
        tiles.push(("widest ring", widest.ring.to_string(), place));
    }
    let opened: usize = report.leakage.revealed.iter().map(|revealed| revealed.opened.len()).sum();
    tiles.push(("values opened", number(opened as u64), "as the source declares".into()));
    put!(out, "<section class=\"tiles\" aria-label=\"summary\">");
    for (label, value, more) in tiles {
        put!(
            out,
            "<div class=\"tile\"><span class=\"label\">{}</span><span class=\"value\">{}</span><span class=\"more\">{}</span></div>",
            escape(label),
            escape(&value),
            escape(&more)
        );
    }
    put!(out, "</section>\n<ul class=\"legend\" aria-label=\"colours\">");
    for scheme in Scheme::ALL {
        if report.steps.iter().any(|step| step.scheme == scheme) {
            put!(out, "<li><span class=\"dot {}\"></span>{}</li>", scheme.name(), escape(scheme.describe()));
        }
    }
    put!(out, "</ul>");
}
