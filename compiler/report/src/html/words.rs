//! Text as a page may hold it.

use std::fmt::Write;

/// One line of a page; what is put in has been escaped.
pub fn put_line(out: &mut String, line: std::fmt::Arguments) {
    // Writing to text does not fail.
    let _ = out.write_fmt(line);
    out.push('\n');
}

macro_rules! put {
    ($out:expr, $($argument:tt)*) => { $crate::html::words::put_line($out, format_args!($($argument)*)) };
}

pub(crate) use put;

/// Safe between tags and within quoted attributes; characters that a page must not hold are shown by a mark.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' | '\t' => safe.push(' '),
            other if other.is_control() => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_becomes_a_tag() {
        assert_eq!(escape("<b onclick='x'>\"&\u{1b}\n"), "&lt;b onclick=&#39;x&#39;&gt;&quot;&amp;\u{fffd} ");
    }
}
