//! A function in LLVM's textual form, written line by line.
//!
//! Text rather than the builder's calls: a kernel can be read, compared and hashed as it is, and the parser checks it.

use std::fmt::{Display, Write};

/// The body of one function. Values are numbered as they come.
#[derive(Default)]
pub struct Body {
    text: String,
    values: usize,
}

impl Body {
    /// `%name = expression`; returns the name.
    pub fn value(&mut self, expression: impl Display) -> String {
        let name = format!("%v{}", self.values);
        self.values += 1;
        self.line(format_args!("{name} = {expression}"));
        name
    }

    pub fn line(&mut self, line: impl Display) {
        writeln!(self.text, "  {line}").expect("a string grows");
    }

    pub fn label(&mut self, label: &str) {
        writeln!(self.text, "{label}:").expect("a string grows");
    }

    /// A vector of `lanes` copies of a scalar.
    pub fn splat(&mut self, scalar_type: &str, lanes: usize, scalar: &str) -> String {
        let one =
            self.value(format_args!("insertelement <{lanes} x {scalar_type}> poison, {scalar_type} {scalar}, i64 0"));
        let vector = format!("<{lanes} x {scalar_type}>");
        self.value(format_args!("shufflevector {vector} {one}, {vector} poison, <{lanes} x i32> zeroinitializer"))
    }

    pub fn into_function(self, signature: &str) -> String {
        format!("define void {signature} #0 {{\n{}  ret void\n}}\n", self.text)
    }
}
