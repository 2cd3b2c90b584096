//! Tables that sort and filter: lines, choices, steps. A cell's `data-v` is what it is sorted by.

use crate::html::words::{escape, put};
use crate::merged::rows;
use crate::report::{Line, Range, Report, Ring};
use crate::units::{counted, error, interval, number, off, shorten, size, spot, time};
use crate::ways::ways;

/// The head of a table; `n` before a name says that its column holds numbers.
fn head(id: &str, caption: &str, columns: &[&str], out: &mut String) {
    put!(
        out,
        "<div class=\"scroll\"><table id=\"{id}\" class=\"sortable\"><caption>{}</caption><thead><tr>",
        escape(caption)
    );
    for column in columns {
        let (class, name) = column.strip_prefix("n ").map_or(("", *column), |name| (" class=\"n\"", name));
        put!(out, "<th scope=\"col\"{class}><button type=\"button\">{}</button></th>", escape(name));
    }
    put!(out, "</tr></thead><tbody>");
}

fn text(value: &str, out: &mut String) {
    put!(out, "<td>{}</td>", escape(value));
}

fn figure(sorted: f64, shown: &str, out: &mut String) {
    put!(out, "<td class=\"n\" data-v=\"{sorted}\">{}</td>", escape(shown));
}

fn foot(out: &mut String) {
    put!(out, "</tbody></table></div>");
}

/// The range with its ground, and the error.
fn known_cells(range: &Option<Range>, bound: Option<f64>, out: &mut String) {
    match range {
        Some(range) => {
            let most = range.low.abs().max(range.high.abs());
            let sorted = if most.is_finite() { most } else { f64::MAX };
            let shown = interval(range);
            let shown = shown.strip_prefix("between ").unwrap_or(&shown).replace(" and ", " .. ");
            put!(
                out,
                "<td class=\"n\" data-v=\"{sorted}\" title=\"sign: {}\">{} <span class=\"grade {}\">{}</span></td>",
                range.sign,
                escape(&shown),
                range.grade,
                range.grade
            );
        }
        None => put!(out, "<td class=\"n\" data-v=\"-1\"></td>"),
    }
    figure(bound.unwrap_or(0.0), &bound.map_or(String::new(), error), out);
}

fn ring(ring: Option<Ring>, out: &mut String) {
    match ring {
        Some(ring) => figure(f64::from(ring.bits), &ring.to_string(), out),
        None => figure(0.0, "", out),
    }
}

pub fn lines(report: &Report, out: &mut String) {
    put!(out, "<section id=\"lines\"><h2>By source line</h2>");
    let timed = report.times.is_some();
    let mut columns = vec!["line", "source", "n rounds", "n critical", "n online", "n before"];
    if timed {
        columns.push("n time");
    }
    columns.extend(["protocols and recipes", "n range", "n error"]);
    head("table-lines", "Bytes are payload; lines share rounds.", &columns, out);
    for (at, line) in report.lines.iter().enumerate() {
        let place = line.place.as_ref().map_or("-".into(), spot);
        put!(out, "<tr id=\"line-{at}\"><td><code>{}</code></td>", escape(&place));
        put!(out, "<td class=\"source\"><code>{}</code></td>", escape(&shorten(&line.text, 90)));
        let cost = &line.cost;
        figure(cost.rounds as f64, &number(cost.rounds), out);
        figure(cost.critical_rounds as f64, &number(cost.critical_rounds), out);
        figure(cost.online_bytes() as f64, &size(cost.online_bytes()), out);
        figure(cost.offline_bytes as f64, &size(cost.offline_bytes), out);
        if timed {
            let us = cost.online_us.unwrap_or(0.0);
            figure(us, &time(us), out);
        }
        recipes(line, out);
        known_cells(&line.range, line.error, out);
        put!(out, "</tr>");
    }
    foot(out);
    put!(out, "</section>");
}

/// So many recipes of a line are shown at once.
const FEW: usize = 2;

fn recipes(line: &Line, out: &mut String) {
    put!(out, "<td class=\"wide\">");
    for (rings, group) in rows(&line.steps) {
        put!(
            out,
            "<div><span class=\"dot {}\"></span>{} x {} <span class=\"more\">{}, {} online</span></div>",
            group.scheme.name(),
            number(group.count),
            escape(group.step),
            escape(&rings),
            size(group.cost.online_bytes())
        );
    }
    let most = |relative: bool| {
        let alike = line.notes.iter().filter(|note| note.relative == relative).map(|note| note.bound);
        alike.reduce(f64::max).map(|bound| off(bound, relative))
    };
    let folded = line.notes.len() > FEW;
    if folded {
        let count: u64 = line.notes.iter().map(|note| note.count).sum();
        let worst: Vec<String> = [true, false].into_iter().filter_map(most).collect();
        put!(out, "<details><summary>{}, {}</summary>", counted(count, "approximation"), worst.join(", "));
    }
    for note in &line.notes {
        put!(
            out,
            "<div class=\"note\">{} x {}, {}</div>",
            number(note.count),
            escape(&note.recipe),
            off(note.bound, note.relative)
        );
    }
    if folded {
        put!(out, "</details>");
    }
    put!(out, "</td>");
}

pub fn choices(report: &Report, out: &mut String) {
    put!(out, "<section id=\"choices\"><h2>Choices and their runners-up</h2>");
    if !report.choices.is_empty() {
        head(
            "table-choices",
            "For the whole plan, in the unit of the objective: microseconds, or bytes where traffic is spared.",
            &["what", "chosen", "n price", "next best", "n its price", "n more"],
            out,
        );
        for choice in &report.choices {
            put!(out, "<tr>");
            text(&choice.subject, out);
            text(&choice.chosen.name, out);
            figure(choice.chosen.price as f64, &number(choice.chosen.price), out);
            match &choice.runner_up {
                Some(way) => {
                    text(&way.name, out);
                    figure(way.price as f64, &number(way.price), out);
                    let more = (way.price as f64 / choice.chosen.price.max(1) as f64 - 1.0) * 100.0;
                    figure(more, &format!("{more:+.1} %"), out);
                }
                None => put!(
                    out,
                    "<td>no other way</td><td class=\"n\" data-v=\"-1\"></td><td class=\"n\" data-v=\"-1\"></td>"
                ),
            }
            put!(out, "</tr>");
        }
        foot(out);
    }
    head(
        "table-ways",
        "How the randomness of a line's steps is made, and what the other way would take: bytes before the query, and in it where that differs.",
        &["line", "step", "n steps", "way taken", "n before", "n online", "other way", "n before", "n online"],
        out,
    );
    for (at, line) in report.lines.iter().enumerate() {
        for ways in ways(&line.steps) {
            let place = line.place.as_ref().map_or("-".into(), spot);
            put!(out, "<tr><td><a href=\"#line-{at}\"><code>{}</code></a></td>", escape(&place));
            text(ways.step, out);
            figure(ways.count as f64, &number(ways.count), out);
            for way in [&ways.taken, &ways.other] {
                text(way.way, out);
                figure(way.offline_bytes as f64, &size(way.offline_bytes), out);
                figure(way.online_bytes as f64, &size(way.online_bytes), out);
            }
            put!(out, "</tr>");
        }
    }
    foot(out);
    put!(out, "</section>");
}

pub fn steps(report: &Report, out: &mut String) {
    put!(out, "<section id=\"steps\"><h2>All {} steps</h2>", number(report.steps.len() as u64));
    put!(
        out,
        "<form class=\"filter\" data-table=\"table-steps\"><label>Filter <input type=\"search\" name=\"text\" placeholder=\"value, step, line ...\"></label>"
    );
    put!(out, "<label>Layer <select name=\"layer\"><option value=\"\">all</option>");
    for (at, layer) in report.layers.iter().enumerate() {
        put!(out, "<option value=\"{at}\">{}</option>", escape(&layer.name));
    }
    put!(out, "</select></label><label>Computed <select name=\"scheme\"><option value=\"\">all ways</option>");
    for scheme in crate::report::Scheme::ALL {
        if report.steps.iter().any(|step| step.scheme == scheme) {
            put!(out, "<option value=\"{}\">{}</option>", scheme.name(), escape(scheme.describe()));
        }
    }
    put!(
        out,
        "</select></label><label><input type=\"checkbox\" name=\"silent\"> also steps without a message</label><output></output></form>"
    );
    let timed = report.times.is_some();
    let mut columns =
        vec!["n #", "step", "value", "n elements", "n ring", "n round", "n rounds", "n online", "n before"];
    if timed {
        columns.push("n time");
    }
    columns.extend(["n range", "n error", "line"]);
    head("table-steps", "In the order of the plan.", &columns, out);
    for (at, step) in report.steps.iter().enumerate() {
        let scheme = step.scheme.name();
        let silent = if step.cost.rounds == 0 { " data-silent=\"\" class=\"silent\"" } else { "" };
        put!(out, "<tr data-layer=\"{}\" data-scheme=\"{scheme}\"{silent}>", step.layer);
        figure(at as f64, &at.to_string(), out);
        put!(out, "<td class=\"step\"><span class=\"dot {scheme}\"></span>{}</td>", escape(step.step));
        put!(out, "<td><code>{}</code></td>", escape(&shorten(&step.value, 60)));
        let elements: usize = step.shape.iter().product();
        put!(
            out,
            "<td class=\"n\" data-v=\"{elements}\" title=\"{}\">{}</td>",
            escape(&format!("{:?}", step.shape)),
            number(elements as u64)
        );
        ring(step.ring, out);
        figure(f64::from(step.round), &number(u64::from(step.round)), out);
        figure(step.cost.rounds as f64, &number(step.cost.rounds), out);
        figure(step.cost.online_bytes() as f64, &size(step.cost.online_bytes()), out);
        figure(step.cost.offline_bytes as f64, &size(step.cost.offline_bytes), out);
        if timed {
            let us = step.cost.online_us.unwrap_or(0.0);
            figure(us, &time(us), out);
        }
        known_cells(&step.range, step.error, out);
        let place = report.lines[step.line].place.as_ref().map_or("-".into(), spot);
        put!(out, "<td><a href=\"#line-{}\"><code>{}</code></a></td></tr>", step.line, escape(&place));
    }
    foot(out);
    put!(out, "</section>");
}
