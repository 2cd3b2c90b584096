//! Every diagnostic code, once: its title and the paragraph that `ptc help <code>` prints.
//!
//! Adding a code is adding one row, and an example under `compiler/syntax/examples`. A code is never given a second meaning, and a retired one is not reused.
//! `E00` files, `E01` syntax, `E02` names, `E03` shapes, `E04` visibility, `E05` weights and attributes,
//! `E06` what passes refuse, `W09` warnings.

pub mod example;

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
        /// The text of each one's example.
        const EXAMPLES: &[(&str, &str)] =
            &[$((stringify!($id), include_str!(concat!("../examples/", stringify!($id), ".ptx")))),*];
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

    E0201 "an unknown name"
        "Nothing of this name is in scope: no local value, no field or function of the module, no declaration or import \
         of the file, nothing in the prelude and no core operator."
    E0202 "an unknown file"
        "`use nn::Linear;` reads the library's `nn`, or, where the library has none, `nn.ptx` in the folder of the model."
    E0203 "a name that the file does not have"
        "The file after `use` exists, but it neither declares nor imports this name."
    E0204 "files that use each other"
        "Files may not use each other in a circle: what a name means would depend on itself."
    E0205 "declared twice"
        "A name means one thing in one place. Only functions may share one, when they differ in the number of their \
         parameters."
    E0206 "a wrong number of arguments"
        "A call gives one argument for every parameter, and a module's type one size for every size that it declares."
    E0207 "an argument that does not belong"
        "Arguments are matched by place and then by name. This one names no parameter, or one that already has a value."
    E0208 "a definition that depends on itself"
        "A size, a function or a module is defined by way of itself, so there would be no end to it. Repeat with `for`, \
         and stack modules in an array."
    E0209 "not what is needed here"
        "The name exists but means something of another kind: a module is the type of a field, a field that is a module \
         is called, a function is called, a tensor or a size is a value."
    E0210 "an unknown field or function"
        "After the dot stands a field or a function of the module on its left; of a tensor, `.T`, its transpose."
    E0211 "an unknown `dim`"
        "`--dim NAME=SIZE` sets a `dim` of the model or of a file beside it. Sizes declared with `const` are part of the \
         model and are not set from outside."
    E0212 "which model, which entry?"
        "A plan runs one entry of one model. A file declares one model; where it has several entries, name the one to \
         build."
    E0213 "a value replaced before it was there"
        "`x = ...` gives another value to a name that `let` introduced."

    E0301 "shapes that do not fit"
        "The operator's rule does not allow operands of these shapes. Elementwise operators align shapes from the last \
         axis on; sizes must be equal or 1. `matmul(a, b)` needs the last size of `a` to be the last but one of `b`."
    E0302 "not the declared shape"
        "The value has another shape, or other elements, than the declaration of the parameter, the result or the `let` \
         says."
    E0303 "not a possible number"
        "Sizes are whole numbers from 1 on, and divisions among them come out even; indices and axes are whole numbers; \
         an epsilon is not below 0."
    E0304 "elements of the wrong kind"
        "A tensor holds reals, bits or tokens. Arithmetic takes reals (bits become 0 and 1), `&&`, `||`, `!`, masks and \
         `select` take bits, and tokens only index tables and compare with each other."
    E0305 "not known at compile time"
        "Shapes, axes, loops and conditions of `if` decide what is computed, so they are known before anything runs: \
         numbers, `dim`s, `const`s, sizes of modules, loop variables."
    E0306 "outside the tensor"
        "The axis, index or slice does not exist in a tensor of this shape. Axes and indices below 0 count from the end."
    E0307 "no value"
        "The value of a function, a block or a branch is its last expression, written without `;`. An `if` without `else` \
         has none when its condition does not hold."
    E0308 "too large"
        "Loops are unrolled and calls expanded before anything runs; a program, a constant or a nesting beyond the limit \
         would keep the compiler busy without end."
    E0309 "a size that nothing gives"
        "The sizes of a function follow from the shapes of its arguments, those of a module from its user, those of an \
         entry from `dim`s and `const`s. This one follows from nothing."
    E0310 "not a tensor"
        "A tensor is needed here, and this is a module, an array of fields, a text, a list, a range or a number."
    E0311 "a ring is not pinned here"
        "`fixed<bits, fraction>` pins the ring of a secret value that is computed: it belongs to the type of a `let` or \
         of a function's result. Parameters and inputs are known to a party and have no ring of their own."

    E0401 "a field without an owner"
        "Every field of a model says who owns the parameters below it: `@server` or `@client` for one party's own, \
         `@public` for what both may see. Fields inside modules inherit it. There is no default, because a wrong one \
         would publish weights without a word."
    E0402 "an argument without an owner"
        "Every argument of an entry says who brings it: `@client`, `@server` or `@public`."
    E0403 "a result without a receiver"
        "The visibility of an entry's result is what opens it: `@client` opens it to the client and to nobody else. A \
         result that nobody may see would not be worth computing."
    E0404 "it depends on a private value"
        "Conditions, loop bounds, indices known at compile time and shapes decide what both parties do, and both see \
         what they do. So these may depend on public values only. The labels show the places through which the value \
         became private. `select(bit, a, b)` computes both and keeps one without telling which."
    E0405 "a private look-up"
        "An index that one party knows, into a table that this party may see, is looked up by that party alone. Any other \
         private index needs a protocol that this version does not have."
    E0406 "more private than declared"
        "The parameter is declared visible to a party that must not see this value. Declarations inside a model do not \
         open values; only `reveal` and the result of an entry do."
    E0407 "owned by nobody"
        "`@secret` is what a value becomes when values of both parties meet. Inputs and parameters come from a party."
    E0408 "a reveal that does not say what it does"
        "`reveal(x, to: client, reason: \"...\")` names the one party that learns the value and why it may. Both appear \
         in every report."
    E0409 "a choice at run time"
        "A condition on a public value that is known only at run time is part of the language's design, but not of this \
         version. Conditions compare sizes; `select(bit, a, b)` chooses between values."

    E0501 "an unknown attribute"
        "Attributes stand before what they apply to: `#[tolerance(1e-3)]` and `#[allow(leaks = \"...\")]` before \
         functions, modules and models, `#[bound(x = 8)]` before entries."
    E0502 "an attribute used wrongly"
        "`#[tolerance(1e-3)]` takes the error that approximations may add, `#[bound(x = 8)]` the largest absolute value \
         of an entry's argument, `#[allow(leaks = \"permuted\")]` the name of a leak."
    E0503 "an unknown leak"
        "A protocol that shows more than its result is used only where the author admits it by name."
    E0504 "a path that does not fit its field"
        "In the path of an array field `{}` stands for the index, once for every array around the element."
    E0505 "one tensor with two meanings"
        "Two fields have the same path in the checkpoint, but declare different shapes or different owners for it."

    E0601 "nothing computes this on private values"
        "The model is well formed, but no protocol computes this operation on values that neither party may see, or \
         not in products that two parties can prepare. The message names the operation or the value."
    E0602 "a value too wide for any ring"
        "Private values live in rings of at most 64 bits, and a ring must hold every value within its bound with its \
         fraction bits. The labels follow the value back to where its range comes from: each line with its bound and \
         whether that is proved from the operators, calibrated on samples, or only assumed. Without measured ranges the \
         widest possible values are assumed, and products of them grow fast: `ptc calibrate` on samples is the usual mend, \
         `#[bound(x = 8)]` on an entry's argument the cheapest one."
    E0603 "a result errs by more than its tolerance"
        "`#[tolerance(1e-3)]` of an entry or model, or `--tolerance`, is how far a result may lie from the exact one. From \
         the roundings and approximations that the plan makes, and from how much each of them counts on the samples of \
         `ptc calibrate`, the compiler bounds the error of each result. The labels name the values that add most. A larger \
         tolerance admits the plan; a smaller one on the functions named makes their approximations finer."
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
