//! What is in the way of an import.

use std::fmt;

/// Where, what was found there, what is supported, and what to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    pub place: String,
    pub found: String,
    pub supported: String,
    pub fix: String,
}

impl Problem {
    pub fn new(
        place: impl Into<String>,
        found: impl Into<String>,
        supported: impl Into<String>,
        fix: impl Into<String>,
    ) -> Problem {
        // What a file says is printed: a line, without what moves a terminal's cursor.
        let clean = |text: String| text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        Problem {
            place: clean(place.into()),
            found: clean(found.into()),
            supported: clean(supported.into()),
            fix: fix.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        let Problem { place, found, supported, fix } = self;
        write!(out, "{place}: {found}; supported: {supported}\nhint: {fix}")
    }
}
