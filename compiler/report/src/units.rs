//! Numbers and places as people read them.

use std::fmt;

use crate::report::{Place, Range, Ring};

/// Decimal units, as networks are sold.
pub fn size(bytes: u64) -> String {
    match bytes {
        0 => "-".into(),
        1..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.2} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}

/// Digits in groups of three.
pub fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// `1 round`, `2 rounds`.
pub fn counted(count: u64, what: &str) -> String {
    format!("{} {what}{}", number(count), if count == 1 { "" } else { "s" })
}

/// `text` in at most `width` characters.
pub fn shorten(text: &str, width: usize) -> String {
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(width) {
        None => text,
        Some(_) => text.chars().take(width.saturating_sub(3)).collect::<String>() + "...",
    }
}

pub fn time(us: f64) -> String {
    match us {
        us if us <= 0.0 => "-".into(),
        us if us < 1e3 => format!("{us:.0} us"),
        us if us < 1e6 => format!("{:.1} ms", us / 1e3),
        us => format!("{:.2} s", us / 1e6),
    }
}

pub fn error(bound: f64) -> String {
    if bound == 0.0 { "0".into() } else { format!("{bound:.1e}") }
}

/// How far an approximation is off at the most.
pub fn off(bound: f64, relative: bool) -> String {
    match (bound == 0.0, relative) {
        (true, _) => "exact".into(),
        (false, true) => format!("error at most {} relative", error(bound)),
        (false, false) => format!("error at most {} absolute", error(bound)),
    }
}

/// Rounded outwards, so that it stays true.
pub fn interval(range: &Range) -> String {
    let short = |end: f64, outward: fn(f64) -> f64| match end.abs() {
        _ if end == 0.0 => "0".to_string(),
        large if !large.is_finite() || large >= 1e6 => format!("{end:.1e}"),
        100.0.. => format!("{}", outward(end)),
        0.01..100.0 => format!("{}", outward(end * 1e3) / 1e3),
        _ => format!("{end:.1e}"),
    };
    format!("between {} and {}", short(range.low, f64::floor), short(range.high, f64::ceil))
}

pub fn spot(place: &Place) -> String {
    format!("{}:{}", place.file, place.line)
}

impl fmt::Display for Ring {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "<{}, {}>", self.bits, self.frac)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_numbers_are_short() {
        for (bytes, expected) in
            [(0, "-"), (999, "999 B"), (1_000, "1.0 kB"), (2_345_678, "2.35 MB"), (u64::MAX, "18446744073.71 GB")]
        {
            assert_eq!(size(bytes), expected);
        }
        for (count, expected) in [(0, "0"), (999, "999"), (1_000, "1 000"), (1_234_567, "1 234 567")] {
            assert_eq!(number(count), expected);
        }
        assert_eq!(shorten("let  x =\ty;", 20), "let x = y;");
        assert_eq!(shorten("let x = matmul(y);", 10), "let x =...");
    }
}
