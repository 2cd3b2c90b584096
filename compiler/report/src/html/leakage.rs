//! What anybody learns.

use crate::html::words::{escape, put};
use crate::leakage::{Message, Messages};
use crate::report::Report;
use crate::units::{counted, number, size, spot};

pub fn section(report: &Report, out: &mut String) {
    let leakage = &report.leakage;
    put!(out, "<section id=\"leakage\"><h2>What is revealed, and nothing else</h2><div class=\"cards\">");
    for revealed in &leakage.revealed {
        let way = if revealed.result { "result" } else { "opened on the way" };
        put!(
            out,
            "<article class=\"card to-{}\"><h3><code>{}</code> to the {}</h3><p>{} {}, {way}</p><ul>",
            revealed.to,
            escape(&revealed.output),
            revealed.to,
            escape(&revealed.reason),
            escape(&format!("{:?}", revealed.shape))
        );
        for opened in &revealed.opened {
            let place = opened.place.as_ref().map_or(String::new(), |place| format!(" at {}", spot(place)));
            put!(
                out,
                "<li>opened: <code>{}</code> {}, {} in round {}{}</li>",
                escape(&opened.value),
                escape(&format!("{:?}", opened.shape)),
                size(opened.bytes),
                opened.round,
                escape(&place)
            );
        }
        if revealed.opened.is_empty() {
            put!(out, "<li>nothing is opened for it: its party knows it anyway</li>");
        }
        put!(out, "</ul></article>");
    }
    put!(out, "</div><h3>What each message carries, and what hides it</h3><div class=\"cards\">");
    leakage.protocols.iter().for_each(|protocol| messages(protocol, out));
    put!(out, "</div><h3>Messages before the query</h3><ul class=\"plain\">");
    leakage.preparation.iter().for_each(|one| message(one, out));
    put!(out, "</ul><h3>Known to both parties</h3><dl>");
    for one in &leakage.public {
        put!(out, "<dt>{}</dt><dd>{}</dd>", escape(one.what), escape(&one.said));
    }
    put!(out, "</dl><h3>This holds if</h3><ul class=\"plain\">");
    for assumption in &leakage.assumptions {
        put!(out, "<li>{}</li>", escape(assumption));
    }
    put!(out, "</ul></section>");
}

fn messages(kind: &Messages, out: &mut String) {
    put!(
        out,
        "<article class=\"card\"><h3>{} x {}</h3><p class=\"more\">{}</p><p>{}, {} to the server, {} to the client</p><ul>",
        number(kind.count),
        escape(kind.step),
        escape(kind.protocol),
        counted(kind.rounds, "round"),
        size(kind.to_server_bytes),
        size(kind.to_client_bytes)
    );
    kind.messages.iter().for_each(|one| message(one, out));
    let learns = kind.leaks_to.map_or("Nobody learns anything".to_string(), |to| format!("The {to} learns the value"));
    put!(out, "</ul><p>{}: {}.</p></article>", escape(&learns), escape(kind.because));
}

fn message(message: &Message, out: &mut String) {
    let Message { from, carries, hidden_by, correlation } = message;
    let from = if *from == "both" { "each party".to_string() } else { format!("the {from}") };
    let of = correlation.map_or(String::new(), |name| format!(" <span class=\"more\">({})</span>", escape(name)));
    put!(out, "<li><b>{}</b> sends {}; hidden by {}{of}</li>", escape(&from), escape(carries), escape(hidden_by));
}
