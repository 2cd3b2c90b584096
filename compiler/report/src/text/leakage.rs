//! What anybody learns, as text: a part of the report, and all of it by itself.

use crate::leakage::{Leakage, Message, Revealed};
use crate::report::Report;
use crate::text::paper::{put, wrapped};
use crate::units::{counted, number, shorten, size, spot};

/// `ptc explain --leakage`.
pub fn leakage(report: &Report) -> String {
    let Leakage { revealed: outputs, protocols, preparation, public, assumptions: ifs } = &report.leakage;
    let mut out = String::new();
    put!(&mut out, "{}.{}; correlated randomness: {}", report.model, report.entry, report.trust);
    revealed(outputs, &mut out);
    out += "\nMESSAGES OF THE QUERY (what each carries, and what hides it)\n";
    for kind in protocols {
        out += "\n";
        put!(
            &mut out,
            "  {} x {}   {}, {} to the server, {} to the client",
            number(kind.count),
            kind.step,
            counted(kind.rounds, "round"),
            size(kind.to_server_bytes),
            size(kind.to_client_bytes)
        );
        wrapped("      ", kind.protocol, &mut out);
        kind.messages.iter().for_each(|one| message(one, &mut out));
        let learns =
            kind.leaks_to.map_or("nobody learns anything".to_string(), |to| format!("the {to} learns the value"));
        wrapped("      ", &format!("{learns}: {}", kind.because), &mut out);
    }
    out += "\nMESSAGES BEFORE THE QUERY\n\n";
    preparation.iter().for_each(|one| message(one, &mut out));
    out += "\nKNOWN TO BOTH PARTIES\n\n";
    for one in public {
        wrapped("  - ", &format!("{}: {}", one.what, one.said), &mut out);
    }
    assumptions(ifs, &mut out);
    out
}

fn message(message: &Message, out: &mut String) {
    let Message { from, carries, hidden_by, correlation } = message;
    let from = if *from == "both" { "each party sends".to_string() } else { format!("the {from} sends") };
    let of = correlation.map_or(String::new(), |name| format!(" (correlation: {name})"));
    wrapped("    - ", &format!("{from} {carries}; hidden by {hidden_by}{of}"), out);
}

pub fn revealed(all: &[Revealed], out: &mut String) {
    out.push_str("\nREVEALED, and nothing else\n");
    for Revealed { output, to, shape, reason, result, opened } in all {
        let way = if *result { "" } else { ", on the way" };
        put!(out, "  `{output}` {shape:?} to the {to}{way}: {}", shorten(reason, 80));
        for value in opened {
            let at = value.place.as_ref().map_or(String::new(), |place| format!(" at {}", spot(place)));
            put!(out, "      opened: `{}` {:?}{at}", shorten(&value.value, 60), value.shape);
        }
        if opened.is_empty() {
            put!(out, "      nothing is opened for it");
        }
    }
}

pub fn assumptions(all: &[&str], out: &mut String) {
    out.push_str("\nTHIS HOLDS IF\n");
    for assumption in all {
        wrapped("- ", assumption, out);
    }
}
