//! Numbers as people read them.

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

/// `text` in at most `width` characters.
pub fn shorten(text: &str, width: usize) -> String {
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(width) {
        None => text,
        Some(_) => text.chars().take(width.saturating_sub(3)).collect::<String>() + "...",
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
