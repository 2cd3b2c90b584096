//! Every diagnostic code, once: its title and the paragraph that `ptc help <code>` prints.
//!
//! Adding a code is adding one row. A code is never given a second meaning, and a retired one is not reused.
//! `E00` files, `E01` syntax, `E02` names, `E03` shapes, `E04` visibility, `E05` weights and attributes, `W09` warnings.

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// `E0103`
    pub id: &'static str,
    pub title: &'static str,
    pub explanation: &'static str,
}

/// The row with this id, in any case of letters.
pub fn find(id: &str) -> Option<Code> {
    ALL.iter().copied().find(|code| code.id.eq_ignore_ascii_case(id))
}

macro_rules! codes {
    ($($id:ident $title:literal $explanation:literal)*) => {
        $(
            #[doc = $title]
            pub const $id: Code = Code { id: stringify!($id), title: $title, explanation: $explanation };
        )*
        /// The whole table, in order.
        pub const ALL: &[Code] = &[$($id),*];
    };
}

codes! {
    E0001 "this is an NVIDIA PTX module"
        "NVIDIA's assembly language uses the extension `.ptx` too. The file starts with `.version`, `.target` or \
         `.address_size`, so it is assembly for a GPU and not a model. Give `ptc` the file that holds the model."
    E0002 "the file is too large"
        "A source file may hold at most 4 MiB. A model is a page or two of text; its weights belong in a \
         `.safetensors` file, which `ptc run --weights` reads."

    E0101 "a character that the language does not use"
        "Outside of texts and comments the language uses ASCII letters, digits, `_` and the punctuation of the \
         language page. Quotes and dashes copied from a formatted document often look right and are not."
    E0102 "a text without its closing quote"
        "A text starts and ends with `\"` on the same line. Inside it, a quote is written `\\\"` and a backslash \
         `\\\\`."
    E0103 "something else was expected here"
        "The text does not follow the grammar at this place. The message lists what could have stood there. The \
         parser then skips to the next place where it can go on, so later errors are reported in the same run."
    E0104 "the file ends too early"
        "The file ended inside a declaration. Most often a `}` is missing: the formatter's indentation of the last \
         declarations shows where."
    E0105 "an unknown visibility"
        "After `@` stands who may see the value: `@public` (both parties), `@client` (party 1 only), `@server` \
         (party 0 only) or `@secret` (neither). A product of matrices is `matmul(a, b)`, not `a @ b`."
    E0106 "nested too deep"
        "Brackets and chains of operators may nest to a fixed depth, far beyond what a model needs, so that no \
         input can exhaust the compiler's stack. Name a part with `let`, or move it into a function."
    E0107 "a number out of range"
        "Numbers are read as 64-bit floating point. This one is larger than any of them."
    E0108 "not supported yet"
        "The construct is part of the language's design and its words are reserved, but this version of the \
         compiler does not accept it."
    E0109 "a doc comment that documents nothing"
        "`///` stands before the declaration, field or function that it documents, and `//!` at the top of the file. \
         Anywhere else, write a comment with `//`."
    E0110 "said twice"
        "A field has one visibility and one `at`. Remove one of the two."
    E0111 "not allowed in this place"
        "The construct exists, but not here: entries belong to a `model`, attributes to a function, an entry, a \
         module or a model, and doc comments to what is declared."
    E0112 "a block comment"
        "Comments run from `//` to the end of the line; there is no `/* ... */`."
    E0113 "a statement without effect"
        "Functions have no effects besides their result, so an expression whose value is dropped does nothing. \
         Bind it with `let`, or leave the `;` away to make it the value of the block."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_in_order() {
        assert!(ALL.windows(2).all(|pair| pair[0].id < pair[1].id));
    }

    #[test]
    fn found_in_any_case() {
        assert_eq!(find("e0103"), Some(E0103));
        assert_eq!(find("E9999"), None);
    }
}
