//! A document of texts and possible line breaks, and its one rendering within a width (after Wadler, "A prettier
//! printer"). It must not know what it prints.

const WIDTH: usize = 120;
const STEP: usize = 4;
/// Where a comment behind code starts, if the code leaves room.
const COMMENT_COLUMN: usize = 46;

#[derive(Clone, Debug)]
pub enum Doc {
    Text(String),
    /// A space, or a line break where its group is broken.
    Line,
    /// Nothing, or a line break where its group is broken.
    SoftLine,
    HardLine,
    /// An empty line, after a `HardLine`.
    Blank,
    /// Only where its group is broken.
    IfBroken(&'static str),
    /// A comment behind code; whatever follows starts a line.
    Trailing(String),
    Seq(Vec<Doc>),
    Indent(Vec<Doc>),
    /// On one line if it fits and nothing in it must break; see `Doc::group`.
    Group {
        parts: Vec<Doc>,
        broken: bool,
    },
}

impl Doc {
    pub fn text(text: impl Into<String>) -> Doc {
        Doc::Text(text.into())
    }

    pub fn group(parts: Vec<Doc>) -> Doc {
        let broken = parts.iter().any(broken);
        Doc::Group { parts, broken }
    }
}

/// The document from column 0, without spaces at line ends.
pub fn render(doc: &Doc) -> String {
    let mut writer = Writer::default();
    let mut rest = vec![(0, doc, broken(doc))];
    while let Some((indent, doc, broken_here)) = rest.pop() {
        match doc {
            Doc::Text(text) => writer.text(text),
            Doc::Line if !broken_here => writer.text(" "),
            Doc::SoftLine if !broken_here => {}
            Doc::Line | Doc::SoftLine | Doc::HardLine => writer.line(indent),
            Doc::Blank => writer.out.push('\n'),
            Doc::IfBroken(text) if broken_here => writer.text(text),
            Doc::IfBroken(_) => {}
            Doc::Trailing(comment) => writer.trailing(comment),
            Doc::Seq(parts) => rest.extend(parts.iter().rev().map(|part| (indent, part, broken_here))),
            Doc::Indent(parts) => rest.extend(parts.iter().rev().map(|part| (indent + STEP, part, broken_here))),
            Doc::Group { parts, broken } => {
                let broken = *broken || !fits(WIDTH.saturating_sub(writer.column()), parts, &rest);
                rest.extend(parts.iter().rev().map(|part| (indent, part, broken)));
            }
        }
    }
    writer.out
}

/// The document as if lines had no end.
pub fn flat(doc: &Doc) -> String {
    let mut out = String::new();
    let mut rest = vec![doc];
    while let Some(doc) = rest.pop() {
        match doc {
            Doc::Text(text) | Doc::Trailing(text) => out.push_str(text),
            Doc::Line => out.push(' '),
            Doc::SoftLine | Doc::HardLine | Doc::Blank | Doc::IfBroken(_) => {}
            Doc::Seq(parts) | Doc::Indent(parts) | Doc::Group { parts, .. } => rest.extend(parts.iter().rev()),
        }
    }
    out
}

/// Whether a line is longer than lines should be.
pub fn too_wide(columns: usize) -> bool {
    columns > WIDTH
}

#[derive(Default)]
struct Writer {
    out: String,
    line_start: usize,
    /// Spaces owed before the next text.
    indent: usize,
}

impl Writer {
    fn text(&mut self, text: &str) {
        self.out.extend(std::iter::repeat_n(' ', std::mem::take(&mut self.indent)));
        self.out.push_str(text);
    }

    fn line(&mut self, indent: usize) {
        self.out.truncate(self.out.trim_end_matches(' ').len());
        self.out.push('\n');
        self.line_start = self.out.len();
        self.indent = indent;
    }

    fn trailing(&mut self, comment: &str) {
        let spaces = COMMENT_COLUMN.saturating_sub(self.column()).max(2);
        self.text(&" ".repeat(spaces));
        self.text(comment);
    }

    fn column(&self) -> usize {
        self.indent + self.out[self.line_start..].chars().filter(|letter| *letter != '\n').count()
    }
}

/// Whether something inside cannot stand on one line.
fn broken(doc: &Doc) -> bool {
    match doc {
        Doc::HardLine | Doc::Blank | Doc::Trailing(_) => true,
        Doc::Seq(parts) | Doc::Indent(parts) => parts.iter().any(broken),
        Doc::Group { broken, .. } => *broken,
        _ => false,
    }
}

/// Whether `parts` on one line, and what follows up to the first possible break, need at most `room` columns.
fn fits(room: usize, parts: &[Doc], rest: &[(usize, &Doc, bool)]) -> bool {
    let mut room = room;
    let mut todo: Vec<(&Doc, bool)> = parts.iter().rev().map(|part| (part, false)).collect();
    let mut rest = rest.iter().rev();
    while let Some((doc, broken)) = todo.pop().or_else(|| rest.next().map(|(_, doc, broken)| (*doc, *broken))) {
        let needed = match doc {
            Doc::Text(text) => text.chars().count(),
            Doc::Line | Doc::SoftLine if broken => return true,
            Doc::HardLine | Doc::Blank | Doc::Trailing(_) => return true,
            Doc::Line => 1,
            Doc::SoftLine => 0,
            Doc::IfBroken(text) => {
                if broken {
                    text.len()
                } else {
                    0
                }
            }
            Doc::Seq(parts) | Doc::Indent(parts) | Doc::Group { parts, .. } => {
                todo.extend(parts.iter().rev().map(|part| (part, broken)));
                0
            }
        };
        match room.checked_sub(needed) {
            Some(left) => room = left,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(arguments: usize) -> Doc {
        let mut inside = vec![Doc::SoftLine];
        for index in 0..arguments {
            inside.extend((index > 0).then_some([Doc::text(","), Doc::Line]).into_iter().flatten());
            inside.push(Doc::text("argument"));
        }
        inside.push(Doc::IfBroken(","));
        Doc::group(vec![Doc::text("f("), Doc::Indent(inside), Doc::SoftLine, Doc::text(")")])
    }

    #[test]
    fn a_group_breaks_only_where_it_does_not_fit() {
        assert_eq!(render(&call(2)), "f(argument, argument)");
        let wide = render(&call(13));
        assert_eq!(wide.lines().count(), 15);
        assert!(wide.starts_with("f(\n    argument,\n") && wide.ends_with("    argument,\n)"), "{wide}");
    }

    #[test]
    fn what_follows_a_group_counts() {
        let follow = |columns| Doc::Seq(vec![call(2), Doc::text("x".repeat(columns))]);
        assert_eq!(render(&follow(99)).lines().count(), 1);
        assert_eq!(render(&follow(100)).lines().count(), 4);
    }

    #[test]
    fn a_comment_stands_in_its_column_and_ends_the_line() {
        let doc =
            Doc::Seq(vec![Doc::text("a;"), Doc::Trailing("// b".into()), Doc::HardLine, Doc::Blank, Doc::text("c")]);
        assert_eq!(render(&doc), format!("a;{}// b\n\nc", " ".repeat(44)));
        let inside = Doc::group(vec![Doc::text("a"), Doc::Trailing("// b".into()), Doc::Line, Doc::text("c")]);
        assert_eq!(render(&inside).lines().count(), 2);
    }
}
