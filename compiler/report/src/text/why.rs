//! The reasons for a line, as text.

use crate::text::paper::{put, wrapped};
use crate::units::{shorten, spot};
use crate::why::Why;

pub fn why(why: &Why) -> String {
    let mut out = String::new();
    let place = why.place.as_ref().map_or("without a source line".to_string(), spot);
    put!(&mut out, "{place}   {}", shorten(&why.text, 80));
    for reason in &why.reasons {
        put!(&mut out, "\n{}", reason.about);
        reason.said.iter().for_each(|said| wrapped("  - ", said, &mut out));
    }
    out
}
