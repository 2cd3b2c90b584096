//! Who may see a value, and the chain of places that made it so.

use std::rc::Rc;

use ptc_syntax::diagnostic::Diagnostic;
use ptc_syntax::span::Span;
use ptc_syntax::tree::Party;

/// Labels of one chain; more does not help a reader.
const LONGEST_CHAIN: usize = 6;

const DEEPEST_CHAIN: usize = 64;

/// Why a value has its visibility: this place, because of those.
#[derive(Debug)]
pub(crate) struct Why {
    pub span: Span,
    pub text: String,
    pub because: Vec<Rc<Why>>,
    depth: usize,
}

impl Why {
    pub fn new(span: Span, text: impl Into<String>, because: Vec<Rc<Why>>) -> Rc<Why> {
        let depth = because.iter().map(|why| why.depth + 1).max().unwrap_or(0);
        Rc::new(Why { span, text: text.into(), because, depth })
    }

    /// One more link, unless the chain is longer than anybody follows: a loop must not build one of any length.
    pub fn then(self: &Rc<Why>, span: Span, text: impl Into<String>) -> Rc<Why> {
        match self.depth >= DEEPEST_CHAIN {
            true => self.clone(),
            false => Why::new(span, text, vec![self.clone()]),
        }
    }
}

/// Who sees what is computed from two values: public yields, different owners make a secret.
pub(crate) fn join(a: Party, b: Party) -> Party {
    match (a, b) {
        (Party::Public, other) | (other, Party::Public) => other,
        (a, b) if a == b => a,
        _ => Party::Secret,
    }
}

/// Whether whoever may see `to` also sees `from`.
pub(crate) fn seen_by(from: Party, to: Party) -> bool {
    from == Party::Public || to == Party::Secret || from == to
}

pub(crate) fn written(party: Party) -> &'static str {
    match party {
        Party::Public => "@public",
        Party::Client => "@client",
        Party::Server => "@server",
        Party::Secret => "@secret",
    }
}

/// The visibility of what is computed at `span` from `operands`, and why.
pub(crate) fn combine<'a>(
    operands: impl Iterator<Item = (Party, &'a Rc<Why>)> + Clone,
    span: Span,
) -> (Party, Rc<Why>) {
    let all = operands.clone().fold(Party::Public, |all, (party, _)| join(all, party));
    if let Some((_, why)) = operands.clone().find(|(party, _)| *party == all) {
        return (all, why.clone());
    }
    let mut owned: Vec<(Party, Rc<Why>)> = vec![];
    for (party, why) in operands {
        if party != Party::Public && owned.iter().all(|(other, _)| *other != party) {
            owned.push((party, why.clone()));
        }
    }
    let owners: Vec<&str> = owned.iter().map(|(party, _)| written(*party)).collect();
    let text = match owned.is_empty() {
        true => "@public: it depends on no input".to_string(),
        false => format!("{} meet here, which makes it @secret", owners.join(" and ")),
    };
    (all, Why::new(span, text, owned.into_iter().map(|(_, why)| why).collect()))
}

/// Labels for the places through which a value became what it is.
pub(crate) fn explain(mut diagnostic: Diagnostic, why: &Rc<Why>) -> Diagnostic {
    let mut waiting = vec![why.clone()];
    let mut shown: Vec<Span> = vec![];
    while let Some(why) = waiting.pop() {
        if shown.len() == LONGEST_CHAIN {
            break;
        }
        if shown.contains(&why.span) {
            continue;
        }
        shown.push(why.span);
        diagnostic = diagnostic.label(why.span, why.text.clone());
        waiting.extend(why.because.iter().rev().cloned());
    }
    diagnostic
}
