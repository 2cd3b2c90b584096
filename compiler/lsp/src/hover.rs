//! What the editor shows at the cursor: type and visibility, and where a plan is known ring, bound, error and price.

use std::collections::BTreeSet;
use std::path::Path;

use lsp_types::{Hover, HoverContents, MarkupContent, MarkupKind, Position};
use ptc_report::report::{Cost, Line, Report, StepRow};
use ptc_report::units::{counted, error, interval, number, size};
use ptc_syntax::span::{FileId, Span};
use ptc_typeck::places::{self, Declaration, Kind, Target};

use crate::analysis::Analysis;
use crate::position::Lines;
use crate::prices::Prices;

/// Steps of one line that are shown one by one.
const MOST_GROUPS: usize = 6;

/// A model that uses the file, with its prices where they are known.
pub struct Model<'a> {
    pub analysis: &'a Analysis,
    pub prices: Option<&'a Prices>,
    /// Its plan is being built.
    pub busy: bool,
    /// Why none is.
    pub problem: Option<&'a str>,
}

/// The first of `models` is the file's own.
pub fn hover(models: &[Model], path: &Path, position: Position) -> Option<Hover> {
    let own = models.first()?;
    let file = own.analysis.file(path)?;
    let lines = Lines::of(own.analysis.sources.text(file));
    let at = lines.offset(position);
    let place = own.analysis.place(file, at);
    let mut parts = vec![];
    let mut range = place.map(|place| place.span);
    if let Some(place) = place {
        parts.extend(name(models, path, place.span, &place.target));
    }
    if let Some((span, text)) = expression(models, path, at, range) {
        range = range.or(Some(span));
        parts.push(text);
    }
    let line = position.line + 1;
    match prices(models, path, line, place.map(|place| &place.target)) {
        // A line that costs nothing has no price to be told of, except where something stands.
        Some(text) => parts.push(text),
        None if parts.is_empty() => return None,
        None if own.busy => parts.push("*its price is being computed*".into()),
        None => parts.extend(own.problem.map(|problem| format!("no price: {problem}"))),
    }
    let contents = MarkupContent { kind: MarkupKind::Markdown, value: parts.join("\n\n---\n\n") };
    let range = range.map(|span| lines.range(span.start as usize, span.end as usize));
    Some(Hover { contents: HoverContents::Markup(contents), range })
}

fn fenced(text: &str) -> String {
    format!("```ptx\n{text}\n```")
}

/// What the name under the cursor stands for.
fn name(models: &[Model], path: &Path, span: Span, target: &Target) -> Option<String> {
    let own = models.first()?.analysis;
    Some(match target {
        Target::Core(name, parameters) => {
            let text = format!("{name}({})", parameters.join(", "));
            format!("{}\n\nan operator of the language", fenced(&text))
        }
        Target::File(file) => {
            let docs = own.tree(*file).map(|tree| tree.docs.join("\n")).unwrap_or_default();
            format!("{}\n\n{docs}", fenced(own.sources.name(*file)))
        }
        Target::Declared(declared) => {
            let mut text = declaration(models, path, span, declared);
            if !declared.docs.is_empty() {
                text += &format!("\n\n{}", declared.docs.join("\n"));
            }
            text
        }
    })
}

fn declaration(models: &[Model], path: &Path, span: Span, declared: &Declaration) -> String {
    let Some(own) = models.first().map(|model| model.analysis) else { return String::new() };
    let header = own.header(declared);
    let here = types(models, path, span);
    let found = match here.is_empty() {
        true => own.path(declared.name.span.file).map(|path| types(models, path, declared.name.span)),
        false => Some(here),
    };
    let found = found.unwrap_or_default();
    let name = &declared.name.text;
    match declared.kind {
        Kind::Local | Kind::Parameter | Kind::Generic if !found.is_empty() => {
            let is = |ty: &String| match ty.parse::<f64>() {
                Ok(_) => format!("{name} = {ty}"),
                Err(_) => format!("{name}: {ty}"),
            };
            fenced(&found.iter().map(is).collect::<Vec<_>>().join("\n"))
        }
        Kind::Generic => format!("{}\n\na size that its user gives", fenced(name)),
        Kind::Field => {
            let is = |ty: &String| format!("{name}: {ty}");
            let is: Vec<String> = found.iter().map(is).filter(|text| *text != header).collect();
            fenced(&std::iter::once(header).chain(is).collect::<Vec<_>>().join("\n"))
        }
        Kind::Dim | Kind::Const => {
            let value = found.first().filter(|value| !header.ends_with(&format!("= {value};")));
            fenced(&format!("{header}{}", value.map(|value| format!("  // {value}")).unwrap_or_default()))
        }
        _ => fenced(&header),
    }
}

/// Types of a place in every model that uses its file.
fn types(models: &[Model], path: &Path, span: Span) -> Vec<String> {
    let mut found: Vec<String> = vec![];
    for model in models {
        let Some(file) = model.analysis.file(path) else { continue };
        for ty in model.analysis.seen.of(Span { file, ..span }) {
            if !found.contains(ty) {
                found.push(ty.clone());
            }
        }
    }
    found
}

/// The innermost expression around the cursor, unless it is the name that is shown already.
fn expression(models: &[Model], path: &Path, at: usize, shown: Option<Span>) -> Option<(Span, String)> {
    let around = models.iter().find_map(|model| {
        let file: FileId = model.analysis.file(path)?;
        let (span, _) = model.analysis.seen.at(file, at as u32)?;
        Some((span, model.analysis))
    });
    let (span, analysis) = around?;
    if shown.is_some_and(|shown| (shown.start, shown.end) == (span.start, span.end)) {
        return None;
    }
    let types = types(models, path, span);
    let text = ptc_report::units::shorten(analysis.sources.slice(span), 60);
    // Numbers say themselves.
    if types.is_empty() || types.iter().all(|ty| *ty == text) {
        return None;
    }
    let is: Vec<String> = types.iter().map(|ty| format!("{text}: {ty}")).collect();
    Some((span, fenced(&is.join("\n"))))
}

fn prices(models: &[Model], path: &Path, line: u32, target: Option<&Target>) -> Option<String> {
    let own = models.first()?.analysis;
    let mut parts = vec![];
    for model in models {
        let (Some(prices), Some(file)) = (model.prices, model.analysis.file(path)) else { continue };
        let name = model.analysis.sources.name(file);
        for priced in &prices.entries {
            let report = &priced.report;
            let found = report.lines.iter().enumerate().find(|(_, other)| {
                other.place.as_ref().is_some_and(|place| place.line == line && is_file(name, &place.file))
            });
            let told = [
                target.and_then(|target| value(report, found.map(|(at, _)| at), target)),
                target.and_then(|target| below(own, model.analysis, report, target)),
                found.map(|(_, found)| of_line(found)),
            ];
            let told: Vec<String> = told.into_iter().flatten().collect();
            if !told.is_empty() {
                let title = format!("in `{}.{}`", report.model, priced.entry);
                parts.push(format!("{title}\n\n{}", told.join("\n\n")));
            }
        }
    }
    (!parts.is_empty()).then(|| parts.join("\n\n"))
}

/// Plans name files from the model's folder on.
fn is_file(name: &str, place: &str) -> bool {
    Path::new(name).ends_with(place)
}

/// The value of this name that the line computes: its ring, bound and error in all its uses.
fn value(report: &Report, line: Option<usize>, target: &Target) -> Option<String> {
    let Target::Declared(Declaration { kind: Kind::Local, name, .. }) = target else { return None };
    let is_named = |row: &&StepRow| row.value.rsplit('.').next() == Some(&name.text) && Some(row.line) == line;
    let rows: Vec<&StepRow> = report.steps.iter().filter(is_named).filter(|row| row.ring.is_some()).collect();
    let rings: BTreeSet<_> = rows.iter().filter_map(|row| row.ring).collect();
    let ring = rings.iter().map(|ring| format!("`<{}, {}>`", ring.bits, ring.frac)).collect::<Vec<_>>().join(", ");
    let row = rows.first()?;
    let mut text = format!("`{}`: ring {ring}", name.text);
    if let Some(range) = rows.iter().filter_map(|row| row.range).max_by(|a, b| reach(a).total_cmp(&reach(b))) {
        text += &format!(", {} ({})", interval(&range), range.grade);
    }
    if let Some(most) = rows.iter().filter_map(|row| row.error).max_by(f64::total_cmp).or(row.error) {
        text += &format!(", errs by at most {}", error(most));
    }
    Some(text)
}

fn reach(range: &ptc_report::report::Range) -> f64 {
    range.high.abs().max(range.low.abs())
}

/// Everything that a field's module computes, in all its uses. The target is `own`'s, the report that of `analysis`, where
/// the same file has another number.
fn below(own: &Analysis, analysis: &Analysis, report: &Report, target: &Target) -> Option<String> {
    let Target::Declared(declared @ Declaration { kind: Kind::Field, .. }) = target else { return None };
    let name = declared.name.span;
    let name = Span { file: analysis.file(own.path(name.file)?)?, ..name };
    let mut rounds = BTreeSet::new();
    let mut cost = Cost::default();
    let mut steps = 0;
    for row in &report.steps {
        if places::fields_along(&analysis.program, &row.value).contains(&name) {
            steps += 1;
            rounds.extend((0..row.each_round.len()).map(|at| row.round as usize + at));
            cost.server_bytes += row.cost.server_bytes;
            cost.client_bytes += row.cost.client_bytes;
            cost.offline_bytes += row.cost.offline_bytes;
        }
    }
    cost.rounds = rounds.len() as u64;
    (steps > 0).then(|| format!("all of `{}`: {}", declared.name.text, price(&cost)))
}

/// `14 rounds, 1.23 MB, 5.10 MB before the query`
fn price(cost: &Cost) -> String {
    let mut parts = vec![];
    match (cost.rounds, cost.online_bytes()) {
        (0, 0) => parts.push("no message".to_string()),
        (rounds, bytes) => parts.push(format!("{}, {}", counted(rounds, "round"), size(bytes))),
    }
    if cost.offline_bytes > 0 {
        parts.push(format!("{} before the query", size(cost.offline_bytes)));
    }
    parts.join(", ")
}

fn of_line(line: &Line) -> String {
    let mut text = format!("this line: {}", price(&line.cost));
    if let Some(range) = &line.range {
        text += &format!("; values {} ({})", interval(range), range.grade);
    }
    if let Some(most) = line.error {
        text += &format!("; errs by at most {}", error(most));
    }
    text += "\n";
    for group in line.steps.iter().take(MOST_GROUPS) {
        let count = if group.count > 1 { format!("{} x ", number(group.count)) } else { String::new() };
        let ring = group.ring.map(|ring| format!(" in `<{}, {}>`", ring.bits, ring.frac)).unwrap_or_default();
        text += &format!("\n- {count}{}{ring}: {}, {}", group.step, group.scheme.describe(), price(&group.cost));
    }
    if line.steps.len() > MOST_GROUPS {
        text += &format!("\n- and {} more", line.steps.len() - MOST_GROUPS);
    }
    for note in line.notes.iter().take(2) {
        let off = ptc_report::units::off(note.bound, note.relative);
        text += &format!("\n- {} ({off})", note.recipe);
    }
    text
}
