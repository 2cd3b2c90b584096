//! Drawings over the rounds of a query.

use crate::html::words::{escape, put};
use crate::report::{Report, Scheme, StepRow};
use crate::units::{number, size};

/// In which rounds the steps that `of` tells are active, coloured by scheme.
pub fn strip(report: &Report, of: impl Fn(&StepRow) -> bool, out: &mut String) {
    let rounds = report.online.rounds.max(1);
    let mut active: Vec<Option<Scheme>> = vec![None; rounds as usize];
    for step in report.steps.iter().filter(|step| of(step)) {
        let from = (step.round as usize).min(active.len());
        let to = (from + step.cost.rounds as usize).min(active.len());
        active[from..to].iter_mut().for_each(|at| *at = Some(*at.get_or_insert(step.scheme)));
    }
    put!(
        out,
        "<svg class=\"strip\" viewBox=\"0 0 {rounds} 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\" focusable=\"false\">"
    );
    let mut at = 0;
    while at < active.len() {
        let same = active[at..].iter().take_while(|other| **other == active[at]).count();
        if let Some(scheme) = active[at] {
            put!(out, "<rect class=\"{}\" x=\"{at}\" y=\"0\" width=\"{same}\" height=\"10\"/>", scheme.name());
        }
        at += same;
    }
    put!(out, "</svg>");
}

const WIDTH: f64 = 1000.0;
const HALF: f64 = 70.0;

/// Bytes of each round: up from the server, down from the client.
pub fn section(report: &Report, out: &mut String) {
    let rounds = report.online.rounds as usize;
    let mut sent = vec![[0u64; 2]; rounds.max(1)];
    for step in &report.steps {
        for (at, bytes) in (step.round as usize..).zip(&step.each_round) {
            if let Some(sum) = sent.get_mut(at) {
                sum[0] += bytes[0];
                sum[1] += bytes[1];
            }
        }
    }
    let most = sent.iter().flatten().copied().max().unwrap_or(0).max(1) as f64;
    put!(out, "<section id=\"traffic\"><h2>Round by round</h2>");
    put!(
        out,
        "<p class=\"hint\">Bytes of each of {} rounds, above the line from the server, below from the client. The tallest is {}.</p>",
        number(report.online.rounds),
        size(most as u64)
    );
    let (width, height) = (WIDTH / sent.len() as f64, 2.0 * HALF);
    put!(
        out,
        "<svg class=\"traffic\" viewBox=\"0 0 {WIDTH} {height}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"bytes by round\">"
    );
    for (at, [server, client]) in sent.iter().enumerate() {
        let x = at as f64 * width;
        let [up, down] = [server, client].map(|&bytes| {
            // Small messages stay visible.
            if bytes == 0 { 0.0 } else { (bytes as f64 / most * (HALF - 4.0)).max(1.0) }
        });
        put!(
            out,
            "<g><title>round {at}: server {}, client {}</title><rect class=\"from-server\" x=\"{x:.2}\" y=\"{:.2}\" width=\"{:.2}\" height=\"{up:.2}\"/><rect class=\"from-client\" x=\"{x:.2}\" y=\"{HALF}\" width=\"{:.2}\" height=\"{down:.2}\"/></g>",
            escape(&size(*server)),
            escape(&size(*client)),
            HALF - up,
            width * 0.8,
            width * 0.8
        );
    }
    put!(out, "<line class=\"axis\" x1=\"0\" y1=\"{HALF}\" x2=\"{WIDTH}\" y2=\"{HALF}\"/></svg>");
    put!(
        out,
        "<ul class=\"legend\"><li><span class=\"dot server\"></span>from the server</li><li><span class=\"dot client\"></span>from the client</li></ul></section>"
    );
}
