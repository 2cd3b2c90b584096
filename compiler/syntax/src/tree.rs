//! The syntax tree: what was written, with spans, before names mean anything.
//!
//! Every file parses to a tree even when it has errors; the parts that did not parse are `Error` nodes, for which a
//! diagnostic has already been reported.

use crate::span::Span;

#[derive(Clone, Debug, PartialEq)]
pub struct Name {
    pub text: String,
    pub span: Span,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct File {
    /// `//!` lines at the top, without the marker.
    pub docs: Vec<String>,
    pub items: Vec<Item>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    Use(Use),
    Size(Size),
    Function(Function),
    Module(Module),
    Model(Model),
    Error(Span),
}

/// `use nn::{Linear, gelu};`
#[derive(Clone, Debug, PartialEq)]
pub struct Use {
    pub module: Name,
    pub names: Vec<Name>,
    pub span: Span,
}

/// `dim S = 128;` or `const D = 384;`
#[derive(Clone, Debug, PartialEq)]
pub struct Size {
    pub docs: Vec<String>,
    pub kind: SizeKind,
    pub name: Name,
    pub value: Expr,
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SizeKind {
    /// May be set by `ptc build --dim`.
    Dim,
    Const,
}

/// `module Block<D, HEADS> { fields, functions }`
#[derive(Clone, Debug, PartialEq)]
pub struct Module {
    pub docs: Vec<String>,
    pub attributes: Vec<Attribute>,
    pub name: Name,
    /// Numbers that the user of the module gives.
    pub generics: Vec<Generic>,
    pub fields: Vec<Field>,
    pub functions: Vec<Function>,
    pub span: Span,
}

/// `D`, or `EPS = 1e-12`: a number that a module is given, and what it is when it is not.
#[derive(Clone, Debug, PartialEq)]
pub struct Generic {
    pub name: Name,
    /// May name the generics before it.
    pub default: Option<Expr>,
}

/// `model MiniLm { fields, entries, functions }`
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    pub docs: Vec<String>,
    pub attributes: Vec<Attribute>,
    pub name: Name,
    pub fields: Vec<Field>,
    pub functions: Vec<Function>,
    pub entries: Vec<Function>,
    pub span: Span,
}

/// `up: Linear<D, FFN> @server at "intermediate.dense",`
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    pub docs: Vec<String>,
    pub name: Name,
    pub ty: FieldType,
    pub visibility: Option<Visibility>,
    /// The path below the parent's path; `{}` stands for the index of an array element. Absent: the field's own name.
    pub at: Option<Text>,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum FieldType {
    Tensor(TensorType),
    Module {
        name: Name,
        arguments: Vec<Expr>,
    },
    /// `[Block; 6]`
    Array {
        element: Box<FieldType>,
        length: Expr,
    },
    Error(Span),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    pub value: String,
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Party {
    Public,
    Client,
    Server,
    Secret,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Visibility {
    pub party: Party,
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Element {
    Real,
    Token,
    Bit,
    Int,
}

/// `real[S, D]`, `bit[S]`, `real[.., D]` (any leading sizes), `int`.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorType {
    pub element: Element,
    /// `..` before the sizes: any leading sizes are accepted (function parameters and results only).
    pub any_leading: bool,
    pub sizes: Vec<Expr>,
    /// `fixed<40, 14>`: ring and fraction bits pinned by the author.
    pub fixed: Option<(Expr, Expr)>,
    pub span: Span,
}

/// `#[tolerance(1e-3)]`, `#[allow(leaks = "permuted")]`
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    pub name: Name,
    pub arguments: Vec<AttributeArgument>,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub struct AttributeArgument {
    pub name: Option<Name>,
    pub value: Expr,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    pub docs: Vec<String>,
    pub attributes: Vec<Attribute>,
    pub name: Name,
    pub generics: Vec<Name>,
    pub parameters: Vec<Parameter>,
    pub result: Option<ResultType>,
    pub body: Block,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    pub name: Name,
    pub ty: TensorType,
    pub visibility: Option<Visibility>,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ResultType {
    pub ty: TensorType,
    pub visibility: Option<Visibility>,
}

/// Statements and the value of the last expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    pub statements: Vec<Statement>,
    pub value: Option<Box<Expr>>,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    /// `let a = e;` or `let a: real[S] = e;`
    Let {
        name: Name,
        ty: Option<TensorType>,
        value: Expr,
        span: Span,
    },
    /// `x = e;` inside a loop or after `let`.
    Assign {
        name: Name,
        value: Expr,
        span: Span,
    },
    /// `for block in blocks { ... }` over an array field, or `for i in 0..4 { ... }`.
    For {
        variable: Name,
        over: Expr,
        body: Block,
        span: Span,
    },
    Error(Span),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    Number(f64),
    Text(String),
    Name(String),
    /// `a.T`, `block.norm`
    Field(Box<Expr>, Name),
    /// `f(x, to: client)`, `layer(x)`, `block.method(x)`
    Call {
        callee: Box<Expr>,
        arguments: Vec<Argument>,
    },
    /// `x[ids]`, `x[0..S, :]`
    Index(Box<Expr>, Vec<Subscript>),
    Unary(UnaryOp, Box<Expr>),
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `0..S`
    Range(Box<Expr>, Box<Expr>),
    /// `[a, b]`: shapes and axis lists.
    List(Vec<Expr>),
    /// `[j <= i for i in 0..S, j in 0..S]`: a constant tensor, an axis for each range.
    Table {
        element: Box<Expr>,
        ranges: Vec<TableRange>,
    },
    If {
        condition: Box<Expr>,
        then: Block,
        otherwise: Option<Block>,
    },
    Block(Block),
    Paren(Box<Expr>),
    Error,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Argument {
    pub name: Option<Name>,
    pub value: Expr,
}

/// `i in 0..S`
#[derive(Clone, Debug, PartialEq)]
pub struct TableRange {
    pub variable: Name,
    pub from: Expr,
    pub to: Expr,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Subscript {
    /// `:`
    All(Span),
    /// `a..b`, either end may be absent.
    Range {
        start: Option<Expr>,
        end: Option<Expr>,
        span: Span,
    },
    At(Expr),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOp {
    Negate,
    Not,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    Add,
    Subtract,
    Multiply,
    Divide,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Equal,
    NotEqual,
    And,
    Or,
}
