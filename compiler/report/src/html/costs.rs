//! Where the cost is: bars by layer, and by line within each.

use crate::html::charts::strip;
use crate::html::words::{escape, put};
use crate::report::{Cost, Report};
use crate::units::{number, shorten, size, spot, time};

/// The largest of each figure, which has a whole bar.
struct Most {
    critical: f64,
    online: f64,
    offline: f64,
    time: f64,
}

pub fn section(report: &Report, out: &mut String) {
    put!(out, "<section id=\"costs\"><h2>Where the cost is</h2>");
    put!(
        out,
        "<p class=\"hint\">Rounds on the longest chain of steps that wait for each other, bytes online, bytes before the query{}. \
         The strip shows in which rounds a part is active. Open a layer for its lines.</p>",
        if report.times.is_some() { ", predicted time online" } else { "" }
    );
    let costs = || report.layers.iter().map(|layer| &layer.cost);
    let most = most(costs());
    let timed = report.times.is_some();
    put!(out, "<div class=\"costs{}\">", if timed { " timed" } else { "" });
    let time = if timed { "<span>time</span>" } else { "" };
    put!(
        out,
        "<div class=\"cost head\" aria-hidden=\"true\"><span>part</span><span>rounds</span><span>online</span><span>before</span>{time}<span>active</span></div>"
    );
    for (at, layer) in report.layers.iter().enumerate() {
        let open = if report.layers.len() == 1 { " open" } else { "" };
        put!(out, "<details{open}><summary class=\"cost\"><span class=\"name\">{}</span>", escape(&layer.name));
        bars(&layer.cost, &most, timed, out);
        strip(report, |step| step.layer == at, out);
        put!(out, "</summary>");
        let within = self::most(layer.lines.iter().map(|part| &part.cost));
        let mut parts: Vec<_> = layer.lines.iter().collect();
        parts.sort_by_key(|part| std::cmp::Reverse((part.cost.online_bytes(), part.cost.rounds)));
        for part in parts {
            let line = &report.lines[part.line];
            let place = line.place.as_ref().map_or("no source line".into(), spot);
            put!(
                out,
                "<a class=\"cost part\" href=\"#line-{}\" title=\"{}\"><span class=\"name\"><code>{}</code> {}</span>",
                part.line,
                escape(&line.text),
                escape(&place),
                escape(&shorten(&line.text, 60))
            );
            bars(&part.cost, &within, timed, out);
            strip(report, |step| step.layer == at && step.line == part.line, out);
            put!(out, "</a>");
        }
        put!(out, "</details>");
    }
    put!(out, "</div></section>");
}

fn most<'a>(costs: impl Iterator<Item = &'a Cost> + Clone) -> Most {
    let of = |figure: fn(&Cost) -> f64| costs.clone().map(figure).fold(0.0, f64::max);
    Most {
        critical: of(|cost| cost.critical_rounds as f64),
        online: of(|cost| cost.online_bytes() as f64),
        offline: of(|cost| cost.offline_bytes as f64),
        time: of(|cost| cost.online_us.unwrap_or(0.0)),
    }
}

fn bars(cost: &Cost, most: &Most, timed: bool, out: &mut String) {
    let critical = if cost.rounds == 0 { "-".into() } else { number(cost.critical_rounds) };
    bar("rounds", cost.critical_rounds as f64 / most.critical, &critical, out);
    bar("online", cost.online_bytes() as f64 / most.online, &size(cost.online_bytes()), out);
    bar("offline", cost.offline_bytes as f64 / most.offline, &size(cost.offline_bytes), out);
    if timed {
        let us = cost.online_us.unwrap_or(0.0);
        bar("time", us / most.time, &time(us), out);
    }
}

/// A part of a whole bar; nothing of nothing has none.
fn bar(kind: &str, part: f64, label: &str, out: &mut String) {
    let percent = if part.is_finite() { (part * 100.0).clamp(0.0, 100.0) } else { 0.0 };
    put!(
        out,
        "<span class=\"bar {kind}\"><span class=\"fill\" style=\"width:{percent:.1}%\"></span><span class=\"figure\">{}</span></span>",
        escape(label)
    );
}
