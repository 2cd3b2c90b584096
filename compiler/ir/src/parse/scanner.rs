//! The pieces of a line: words, numbers, quoted text, lists.

use std::str::FromStr;

pub struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    pub fn new(line: &'a str) -> Scanner<'a> {
        Scanner { rest: line.trim() }
    }

    pub fn end(&self) -> Result<(), String> {
        match self.rest {
            "" => Ok(()),
            _ => Err(format!("nothing more is expected, but {}", self.found())),
        }
    }

    pub fn next_is(&self, mark: &str) -> bool {
        self.rest.starts_with(mark)
    }

    pub fn accept(&mut self, mark: &str) -> bool {
        match self.rest.strip_prefix(mark) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    pub fn expect(&mut self, mark: &str) -> Result<(), String> {
        match self.accept(mark) {
            true => Ok(()),
            false => Err(format!("expected `{mark}`, but {}", self.found())),
        }
    }

    /// Letters, digits and underscores.
    pub fn word(&mut self) -> Result<&'a str, String> {
        match self.take(|c| c.is_ascii_alphanumeric() || c == '_') {
            "" => Err(format!("expected a word, but {}", self.found())),
            word => Ok(word),
        }
    }

    pub fn accept_word(&mut self, word: &str) -> bool {
        let before = self.rest;
        if self.word() == Ok(word) {
            return true;
        }
        self.rest = before;
        false
    }

    pub fn expect_word(&mut self, word: &str) -> Result<(), String> {
        match self.accept_word(word) {
            true => Ok(()),
            false => Err(format!("expected `{word}`, but {}", self.found())),
        }
    }

    /// `name:`
    pub fn key(&mut self, name: &str) -> Result<&mut Self, String> {
        self.expect_word(name)?;
        self.expect(":")?;
        Ok(self)
    }

    pub fn whole<T: FromStr>(&mut self) -> Result<T, String> {
        self.parsed(|c| c.is_ascii_digit() || c == '-', "a whole number in range")
    }

    pub fn number(&mut self) -> Result<f64, String> {
        self.parsed(is_of_number, "a number")
    }

    pub fn short_number(&mut self) -> Result<f32, String> {
        self.parsed(is_of_number, "a number")
    }

    fn parsed<T: FromStr>(&mut self, belongs: fn(char) -> bool, wanted: &str) -> Result<T, String> {
        let before = self.rest;
        let digits = self.take(belongs);
        digits.parse().map_err(|_| {
            self.rest = before;
            format!("expected {wanted}, but {}", self.found())
        })
    }

    /// `"..."` with the escapes `\"`, `\\`, `\n` and `\u{..}`.
    pub fn text(&mut self) -> Result<String, String> {
        let Some(quoted) = self.rest.strip_prefix('"') else {
            return Err(format!("expected text in double quotes, but {}", self.found()));
        };
        let mut text = String::new();
        let mut characters = quoted.chars();
        loop {
            match characters.next() {
                Some('"') => break,
                Some('\\') => text.push(escaped(&mut characters)?),
                Some(c) => text.push(c),
                None => return Err("the text has no closing quote".into()),
            }
        }
        self.rest = characters.as_str().trim_start();
        Ok(text)
    }

    pub fn within<T>(
        &mut self,
        open: &str,
        close: &str,
        inner: impl FnOnce(&mut Self) -> Result<T, String>,
    ) -> Result<T, String> {
        self.expect(open)?;
        let value = inner(self)?;
        self.expect(close)?;
        Ok(value)
    }

    /// `[a, b]` of at most `limit` items.
    pub fn list<T>(
        &mut self,
        limit: usize,
        mut item: impl FnMut(&mut Self) -> Result<T, String>,
    ) -> Result<Vec<T>, String> {
        self.within("[", "]", |s| {
            let mut items = vec![];
            while !s.next_is("]") {
                if items.len() == limit {
                    return Err(format!("a list of more than {limit} items"));
                }
                items.push(item(s)?);
                if !s.accept(",") {
                    break;
                }
            }
            Ok(items)
        })
    }

    pub fn sizes(&mut self, limit: usize) -> Result<Vec<usize>, String> {
        self.list(limit, |s| s.whole())
    }

    /// `[1, 2.5]`, or `x"3f800000..."`: eight hexadecimal digits a number.
    pub fn floats(&mut self) -> Result<Vec<f32>, String> {
        if self.next_is("[") {
            return self.list(usize::MAX, |s| s.short_number());
        }
        self.expect("x")?;
        let digits = self.text()?;
        if !digits.len().is_multiple_of(8) {
            return Err(format!("{} hexadecimal digits are no whole number of f32", digits.len()));
        }
        digits.as_bytes().chunks_exact(8).map(bits_of_float).collect()
    }

    fn take(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !belongs(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest.trim_start();
        taken
    }

    fn found(&self) -> String {
        match self.rest {
            "" => "the line ends".into(),
            rest => format!("found `{}`", rest.chars().take(20).collect::<String>()),
        }
    }
}

fn is_of_number(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.')
}

fn escaped(characters: &mut std::str::Chars) -> Result<char, String> {
    match characters.next() {
        Some('n') => Ok('\n'),
        Some(c @ ('"' | '\\')) => Ok(c),
        Some('u') => {
            let rest = characters.as_str();
            let code = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
            let Some((digits, rest)) = code else { return Err("`\\u` needs `{...}`".into()) };
            *characters = rest.chars();
            let code = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
            code.ok_or_else(|| format!("`\\u{{{digits}}}` is no character"))
        }
        _ => Err("unknown escape in quoted text".into()),
    }
}

fn bits_of_float(digits: &[u8]) -> Result<f32, String> {
    let mut bits = 0;
    for &digit in digits {
        let Some(digit) = char::from(digit).to_digit(16) else {
            return Err("a constant holds something that is no hexadecimal digit".into());
        };
        bits = bits << 4 | digit;
    }
    Ok(f32::from_bits(bits))
}
