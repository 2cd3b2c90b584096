//! Blocks, statements, expressions.

use super::{Gap, Printer, space};
use crate::layout::Doc;
use crate::tree::*;

impl Printer<'_> {
    /// `{ statements value }`; `between` stands after `{` and before `}`.
    pub fn braces(&mut self, block: &Block, between: Doc) -> Doc {
        let open = self.word();
        let mut inside = Vec::new();
        for index in 0..block.statements.len() + usize::from(block.value.is_some()) {
            let gap = if inside.is_empty() { Gap::None } else { Gap::AsWritten };
            inside.push(if inside.is_empty() { between.clone() } else { Doc::HardLine });
            inside.extend(self.line(gap, |printer| match (block.statements.get(index), &block.value) {
                (Some(statement), _) => printer.statement(statement),
                (None, Some(value)) => printer.expr(value),
                (None, None) => Doc::Seq(Vec::new()),
            }));
        }
        let below = self.own_lines(if inside.is_empty() { Gap::None } else { Gap::AsWritten });
        if !below.is_empty() {
            inside.push(Doc::HardLine);
            inside.extend(below);
        }
        if inside.is_empty() {
            return Doc::Seq(vec![open, self.word()]);
        }
        Doc::Seq(vec![open, Doc::Indent(inside), between, self.word()])
    }

    fn statement(&mut self, statement: &Statement) -> Doc {
        match statement {
            Statement::Let { ty, value, .. } => {
                let mut parts = vec![self.word(), space(), self.word()];
                if let Some(ty) = ty {
                    parts.extend([self.word(), space(), self.tensor_type(ty)]);
                }
                parts.extend([space(), self.word(), space(), self.expr(value), self.word()]);
                Doc::Seq(parts)
            }
            Statement::Assign { value, .. } => {
                Doc::Seq(vec![self.word(), space(), self.word(), space(), self.expr(value), self.word()])
            }
            Statement::For { over, body, .. } => {
                let mut parts = vec![self.word(), space(), self.word(), space(), self.word(), space()];
                parts.extend([self.expr(over), space(), self.braces(body, Doc::Line)]);
                Doc::group(parts)
            }
            Statement::Error(_) => Doc::Seq(Vec::new()),
        }
    }

    pub fn expr(&mut self, expr: &Expr) -> Doc {
        match &expr.kind {
            ExprKind::Number(_) | ExprKind::Text(_) | ExprKind::Name(_) => self.word(),
            ExprKind::Field(of, _) => Doc::Seq(vec![self.expr(of), self.word(), self.word()]),
            ExprKind::Call { callee, arguments } => {
                let callee = self.expr(callee);
                let arguments = self.list(arguments.len(), |printer, index| {
                    let argument = &arguments[index];
                    let name = argument.name.as_ref().map(|_| vec![printer.word(), printer.word(), space()]);
                    let mut parts = name.unwrap_or_default();
                    parts.push(printer.expr(&argument.value));
                    Doc::Seq(parts)
                });
                Doc::Seq(vec![callee, arguments])
            }
            ExprKind::Index(of, subscripts) => {
                let of = self.expr(of);
                Doc::Seq(vec![of, self.list(subscripts.len(), |printer, index| printer.subscript(&subscripts[index]))])
            }
            ExprKind::Unary(_, operand) => Doc::Seq(vec![self.word(), self.expr(operand)]),
            ExprKind::Binary(op, ..) => {
                let mut parts = Vec::new();
                self.chain(expr, tier(*op), &mut parts);
                let first = parts.remove(0);
                Doc::group(vec![first, Doc::Indent(parts)])
            }
            ExprKind::Range(from, to) => Doc::Seq(vec![self.expr(from), self.word(), self.expr(to)]),
            ExprKind::List(elements) => self.list(elements.len(), |printer, index| printer.expr(&elements[index])),
            ExprKind::Table { element, ranges } => self.table(element, ranges),
            ExprKind::If { .. } => {
                let mut parts = Vec::new();
                self.branches(expr, &mut parts);
                Doc::group(parts)
            }
            ExprKind::Block(block) => Doc::group(vec![self.braces(block, Doc::Line)]),
            ExprKind::Paren(inner) => {
                let open = self.word();
                let inner = self.line(Gap::None, |printer| printer.expr(inner));
                let inside = std::iter::once(Doc::SoftLine).chain(inner).collect();
                Doc::group(vec![open, Doc::Indent(inside), Doc::SoftLine, self.word()])
            }
            ExprKind::Error => Doc::Seq(Vec::new()),
        }
    }

    /// The operands of one precedence, a line break before each operator.
    fn chain(&mut self, expr: &Expr, of: u8, parts: &mut Vec<Doc>) {
        match &expr.kind {
            ExprKind::Binary(op, left, right) if tier(*op) == of => {
                self.chain(left, of, parts);
                parts.extend([Doc::Line, self.word(), space(), self.expr(right)]);
            }
            _ => parts.push(self.expr(expr)),
        }
    }

    /// `[element for i in 0..S, j in 0..S]`: on one line, or the element and the ranges on two.
    fn table(&mut self, element: &Expr, ranges: &[TableRange]) -> Doc {
        let open = self.word();
        let mut inside = vec![Doc::SoftLine];
        inside.extend(self.line(Gap::None, |printer| printer.expr(element)));
        inside.extend([Doc::Line, self.word()]);
        for (index, range) in ranges.iter().enumerate() {
            inside.extend([space(), self.word(), space(), self.word(), space(), self.expr(&range.from), self.word()]);
            inside.push(self.expr(&range.to));
            match index + 1 == ranges.len() {
                true => self.skip_comma(),
                false => inside.push(self.word()),
            }
        }
        let below = self.own_lines(Gap::None);
        if !below.is_empty() {
            inside.push(Doc::HardLine);
            inside.extend(below);
        }
        Doc::group(vec![open, Doc::Indent(inside), Doc::SoftLine, self.word()])
    }

    fn branches(&mut self, expr: &Expr, parts: &mut Vec<Doc>) {
        let ExprKind::If { condition, then, otherwise } = &expr.kind else { return };
        parts.extend([self.word(), space(), self.expr(condition), space(), self.braces(then, Doc::Line)]);
        let Some(otherwise) = otherwise else { return };
        parts.extend([space(), self.word(), space()]);
        match &otherwise.value {
            // `else if`: the block is the `if` itself, without braces.
            Some(value) if value.span == otherwise.span => self.branches(value, parts),
            _ => parts.push(self.braces(otherwise, Doc::Line)),
        }
    }

    fn subscript(&mut self, subscript: &Subscript) -> Doc {
        match subscript {
            Subscript::All(_) => self.word(),
            Subscript::At(at) => self.expr(at),
            Subscript::Range { start, end, .. } => {
                let mut parts: Vec<Doc> = start.iter().map(|start| self.expr(start)).collect();
                parts.push(self.word());
                parts.extend(end.iter().map(|end| self.expr(end)));
                Doc::Seq(parts)
            }
        }
    }

    /// `real[.., D] fixed<40, 14>`
    pub fn tensor_type(&mut self, ty: &TensorType) -> Doc {
        let leading = usize::from(ty.any_leading);
        let mut parts = vec![self.word()];
        if self.peek() == Some(crate::token::Token::OpenBracket) {
            parts.push(self.list(leading + ty.sizes.len(), |printer, index| match index.checked_sub(leading) {
                Some(index) => printer.expr(&ty.sizes[index]),
                None => printer.word(),
            }));
        }
        if let Some((bits, fraction)) = &ty.fixed {
            parts.extend([space(), self.word(), self.word(), self.expr(bits), self.word(), space()]);
            parts.extend([self.expr(fraction), self.word()]);
        }
        Doc::Seq(parts)
    }
}

fn tier(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Or => 0,
        BinaryOp::And => 1,
        BinaryOp::Less | BinaryOp::LessEqual | BinaryOp::Greater | BinaryOp::GreaterEqual => 2,
        BinaryOp::Equal | BinaryOp::NotEqual => 2,
        BinaryOp::Add | BinaryOp::Subtract => 3,
        BinaryOp::Multiply | BinaryOp::Divide => 4,
    }
}
