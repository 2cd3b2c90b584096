//! The members of modules and models; fields without an empty line between them are aligned in columns.

use super::{Gap, Printer, space};
use crate::layout::{Doc, flat, too_wide};
use crate::token::Token;
use crate::tree::*;

/// Name, type, visibility, path.
type Cells = [String; 4];

const INDENT: usize = 4;

enum Member<'t> {
    Field(&'t Field),
    Function(&'t Function),
}

/// A line of the body; a field's cells are laid out when its neighbours are known.
enum Row {
    Parts(Vec<Doc>),
    Field(Cells),
}

impl Printer<'_> {
    /// `{ fields, functions }` in the order of the source.
    pub fn members(&mut self, fields: &[Field], functions: &[&[Function]]) -> Doc {
        let mut members: Vec<(u32, Member)> =
            fields.iter().map(|field| (field.span.start, Member::Field(field))).collect();
        let functions = functions.iter().flat_map(|functions| functions.iter());
        members.extend(functions.map(|function| (function.span.start, Member::Function(function))));
        members.sort_by_key(|(start, _)| *start);

        let open = self.word();
        let mut rows: Vec<Row> = Vec::new();
        let mut after_function = false;
        for (_, member) in &members {
            let is_function = matches!(member, Member::Function(_));
            let gap = match rows.is_empty() {
                true => Gap::None,
                false if is_function || after_function => Gap::One,
                false => Gap::AsWritten,
            };
            rows.push(Row::Parts(vec![Doc::HardLine]));
            match member {
                Member::Function(function) => {
                    rows.push(Row::Parts(self.line(gap, |printer| printer.function(function))))
                }
                Member::Field(field) => self.field(gap, field, &mut rows),
            }
            after_function = is_function;
        }
        let below = self.own_lines(if rows.is_empty() { Gap::None } else { Gap::AsWritten });
        if !below.is_empty() {
            rows.push(Row::Parts(vec![Doc::HardLine]));
            rows.push(Row::Parts(below));
        }
        if rows.is_empty() {
            return Doc::Seq(vec![open, self.word()]);
        }
        Doc::Seq(vec![open, Doc::Indent(aligned(rows)), Doc::HardLine, self.word()])
    }

    fn field(&mut self, gap: Gap, field: &Field, rows: &mut Vec<Row>) {
        let mut cells = Cells::default();
        let mut parts = self.line(gap, |printer| {
            let docs = printer.head(&field.docs, &[]);
            printer.move_comments_before(field.span.end as usize);
            cells[0] = flat(&Doc::Seq(vec![printer.word(), printer.word()]));
            cells[1] = flat(&printer.field_type(&field.ty));
            while matches!(printer.peek(), Some(Token::Visibility(_) | Token::At)) {
                match printer.peek() {
                    Some(Token::At) => cells[3] = flat(&Doc::Seq(vec![printer.word(), space(), printer.word()])),
                    _ => cells[2] = flat(&printer.word()),
                }
            }
            printer.skip_comma();
            Doc::Seq(docs)
        });
        let behind = parts.pop_if(|part| matches!(part, Doc::Trailing(_)));
        rows.extend([Row::Parts(parts), Row::Field(cells), Row::Parts(behind.into_iter().collect())]);
    }

    fn field_type(&mut self, ty: &FieldType) -> Doc {
        match ty {
            FieldType::Tensor(tensor) => self.tensor_type(tensor),
            FieldType::Module { arguments, .. } => {
                let name = self.word();
                if self.peek() != Some(Token::Less) {
                    return name;
                }
                Doc::Seq(vec![name, self.list(arguments.len(), |printer, index| printer.expr(&arguments[index]))])
            }
            FieldType::Array { element, length } => {
                let open = vec![self.word(), self.field_type(element), self.word(), space()];
                Doc::Seq(open.into_iter().chain([self.expr(length), self.word()]).collect())
            }
            FieldType::Error(_) => Doc::Seq(Vec::new()),
        }
    }

    /// A field stands on one line, so the comments inside it go above.
    fn move_comments_before(&mut self, end: usize) {
        while let Some((start, last)) = self.comments.get(self.next_comment).filter(|(start, _)| *start < end) {
            self.moved.push(self.text.get(*start..*last).unwrap_or("").trim_end().to_string());
            self.next_comment += 1;
        }
    }
}

/// The rows with the fields between two empty lines or functions in columns.
fn aligned(rows: Vec<Row>) -> Vec<Doc> {
    let ends_table = |row: &Row| match row {
        Row::Parts(parts) => parts.iter().any(|part| matches!(part, Doc::Blank)),
        Row::Field(_) => false,
    };
    let mut out = Vec::new();
    for table in rows.chunk_by(|_, next| !ends_table(next)) {
        let cells: Vec<&Cells> =
            table.iter().filter_map(|row| if let Row::Field(cells) = row { Some(cells) } else { None }).collect();
        let mut widths = [0, 1, 2, 3].map(|column| cells.iter().map(|cells| cells[column].chars().count()).max());
        if cells.iter().any(|cells| too_wide(INDENT + joined(cells, widths).chars().count())) {
            widths = [None; 4];
        }
        for row in table {
            match row {
                Row::Parts(parts) => out.extend(parts.iter().cloned()),
                Row::Field(cells) => out.push(Doc::text(joined(cells, widths))),
            }
        }
    }
    out
}

fn joined(cells: &Cells, widths: [Option<usize>; 4]) -> String {
    let mut row = String::new();
    let mut owed = 0;
    for (cell, width) in cells.iter().zip(widths) {
        let width = width.unwrap_or(cell.chars().count());
        if !cell.is_empty() {
            row.extend(std::iter::repeat_n(' ', owed));
            row.push_str(cell);
            owed = 0;
        }
        if width > 0 {
            owed += width - cell.chars().count() + 1;
        }
    }
    row.push(',');
    row
}
