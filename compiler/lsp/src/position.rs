//! Places as editors count them: lines from 0, and in a line the 16-bit units of UTF-16.

use lsp_types::{Position, Range};

/// The lines of one text.
pub struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub fn of(text: &'t str) -> Lines<'t> {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Lines { text, starts: std::iter::once(0).chain(ends).collect() }
    }

    /// The byte at a position. What lies beyond a line or the text is its end.
    pub fn offset(&self, position: Position) -> usize {
        let Some(&start) = self.starts.get(position.line as usize) else { return self.text.len() };
        let line = self.line(position.line as usize);
        let mut units = position.character as usize;
        for (at, letter) in line.char_indices() {
            if units < letter.len_utf16() {
                return start + at;
            }
            units -= letter.len_utf16();
        }
        start + line.len()
    }

    pub fn position(&self, offset: usize) -> Position {
        let line = self.starts.partition_point(|start| *start <= offset).saturating_sub(1);
        let start = self.starts[line];
        let before = self.text.get(start..offset.min(self.text.len())).unwrap_or("");
        Position { line: line as u32, character: before.encode_utf16().count() as u32 }
    }

    pub fn range(&self, start: usize, end: usize) -> Range {
        Range { start: self.position(start), end: self.position(end) }
    }

    pub fn end(&self) -> Position {
        self.position(self.text.len())
    }

    /// A line without its end.
    pub fn line(&self, line: usize) -> &'t str {
        let Some(&start) = self.starts.get(line) else { return "" };
        let end = self.starts.get(line + 1).copied().unwrap_or(self.text.len());
        let line = self.text.get(start..end).unwrap_or("");
        let line = line.strip_suffix('\n').unwrap_or(line);
        line.strip_suffix('\r').unwrap_or(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_beyond_ascii_count_as_utf_16_does() {
        let lines = Lines::of("a\nü𝔸b\r\n\nend");
        let check = |line: u32, character: u32, offset: usize| {
            assert_eq!(lines.offset(Position { line, character }), offset);
            assert_eq!(lines.position(offset), Position { line, character });
        };
        check(0, 0, 0);
        check(1, 0, 2);
        check(1, 1, 4);
        check(1, 3, 8);
        check(1, 4, 9);
        check(2, 0, 11);
        check(3, 3, 15);
    }

    #[test]
    fn places_outside_are_the_nearest_inside() {
        let lines = Lines::of("ab\ncd");
        assert_eq!(lines.offset(Position { line: 0, character: 99 }), 2);
        assert_eq!(lines.offset(Position { line: 9, character: 0 }), 5);
        assert_eq!(lines.position(99), Position { line: 1, character: 2 });
        assert_eq!(Lines::of("").end(), Position { line: 0, character: 0 });
    }
}
