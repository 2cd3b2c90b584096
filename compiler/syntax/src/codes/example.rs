//! A wrong text and its mended form for a code, from `compiler/syntax/examples`. A test builds both.

use super::{Code, EXAMPLES};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    pub wrong: Part,
    pub mended: Part,
    /// Other files that one of the two uses: name and text.
    pub files: Vec<(&'static str, &'static str)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// What the command line says besides, or what else makes it wrong.
    pub with: &'static str,
    pub text: &'static str,
}

/// What is too long to be printed has none.
pub fn of(code: Code) -> Option<Example> {
    let (_, text) = EXAMPLES.iter().find(|(id, _)| *id == code.id)?;
    let (mut wrong, mut mended, mut files) = (None, None, vec![]);
    for section in sections(text) {
        let (head, body) = section.split_once('\n')?;
        let body = body.trim_end();
        let part = |rest: &'static str| Part { with: rest.trim_start_matches([',', ' ']), text: body };
        if let Some(rest) = head.strip_prefix(WRONG) {
            wrong = Some(part(rest));
        } else if let Some(rest) = head.strip_prefix(MENDED) {
            mended = Some(part(rest));
        } else if let Some(name) = head.strip_prefix(FILE) {
            files.push((name.trim(), body));
        }
    }
    Some(Example { wrong: wrong?, mended: mended?, files })
}

const WRONG: &str = "// wrong";
const MENDED: &str = "// mended";
const FILE: &str = "// file";

/// The parts of a text that begin with a line of one of the three.
fn sections(text: &'static str) -> Vec<&'static str> {
    let begins = |line: &str| [WRONG, MENDED, FILE].iter().any(|head| line.starts_with(head));
    let mut starts = vec![];
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if begins(line) {
            starts.push(at);
        }
        at += line.len();
    }
    starts.iter().enumerate().map(|(i, &start)| &text[start..starts.get(i + 1).copied().unwrap_or(at)]).collect()
}

impl Example {
    /// For `ptc help`.
    pub fn render(&self) -> String {
        let indented =
            |text: &str| text.lines().map(|line| format!("    {line}\n").replace("    \n", "\n")).collect::<String>();
        let part = |title: &str, part: &Part| {
            let with = if part.with.is_empty() { String::new() } else { format!(", {}", part.with) };
            format!("{title}{with}:\n\n{}", indented(part.text))
        };
        let mut text = part("Wrong", &self.wrong);
        for (name, body) in &self.files {
            text += &format!("\nwith `{name}`:\n\n{}", indented(body));
        }
        text + "\n" + &part("Mended", &self.mended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes;

    #[test]
    fn an_example_has_its_parts() {
        let found = of(codes::E0211).unwrap();
        assert_eq!((found.wrong.with, found.mended.with), ("with --dim T=4", "with --dim S=4"));
        assert!(found.wrong.text.starts_with("dim S = 8;") && found.wrong.text.ends_with('}'));
        let names: Vec<&str> = of(codes::E0204).unwrap().files.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["egg.ptx", "hen.ptx", "bird.ptx"]);
        assert_eq!(of(codes::E0002), None);
    }

    #[test]
    fn it_is_printed_with_both_texts() {
        let text = of(codes::E0112).unwrap().render();
        assert!(text.starts_with("Wrong:\n\n    /* the smallest model */\n    model M {\n"), "{text}");
        assert!(text.contains("\n\nMended:\n\n    // the smallest model\n"), "{text}");
    }
}
