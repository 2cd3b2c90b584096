//! Lines of text, at most 120 columns wide.

use std::fmt::Write;

pub const WIDTH: usize = 120;

/// One line, without blanks at its end.
pub fn put_line(out: &mut String, line: std::fmt::Arguments) {
    let start = out.len();
    // Writing to text does not fail.
    let _ = out.write_fmt(line);
    let end = out[start..].trim_end().len();
    out.truncate(start + end);
    out.push('\n');
}

macro_rules! put {
    ($out:expr, $($argument:tt)*) => { $crate::text::paper::put_line($out, format_args!($($argument)*)) };
}

pub(crate) use put;

/// Words on as many lines as they take; the first starts with `lead`, the others below its end.
pub fn wrapped(lead: &str, words: &str, out: &mut String) {
    let indent = lead.chars().count().min(6);
    let mut line = lead.to_string();
    let mut fresh = true;
    for word in words.split_whitespace() {
        if !fresh && line.chars().count() + 1 + word.chars().count() > WIDTH {
            put!(out, "{line}");
            line = " ".repeat(indent);
            fresh = true;
        }
        if !fresh {
            line.push(' ');
        }
        line.push_str(word);
        fresh = false;
    }
    put!(out, "{line}");
}
