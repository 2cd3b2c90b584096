//! Which argument is which parameter: by place first, then by name.

use ptc_syntax::codes;
use ptc_syntax::diagnostic::Diagnostic;
use ptc_syntax::span::Span;
use ptc_syntax::suggest::nearest;
use ptc_syntax::tree::{Argument, Expr};

use crate::load::listed;

/// The argument of each parameter. `required` parameters come first. `of` names the function, `span` the call.
pub(crate) fn bind<'p>(
    of: &str,
    parameters: &[&str],
    required: usize,
    arguments: &'p [Argument],
    span: Span,
) -> Result<Vec<Option<&'p Expr>>, Box<Diagnostic>> {
    let mut bound: Vec<Option<&'p Expr>> = vec![None; parameters.len()];
    let mut place = 0;
    for argument in arguments {
        let at = match &argument.name {
            None => {
                place += 1;
                place - 1
            }
            Some(name) => match parameters.iter().position(|parameter| *parameter == name.text) {
                Some(at) => at,
                None => {
                    let message = format!("`{of}` has no parameter `{}`", name.text);
                    let diagnostic = Diagnostic::new(codes::E0207, name.span, message);
                    return Err(Box::new(match nearest(&name.text, parameters.iter().copied()) {
                        Some(near) => diagnostic.hint(format!("did you mean `{near}`?")).suggest(name.span, near),
                        None => diagnostic.hint(format!("it has {}", listed(parameters.iter().copied()))),
                    }));
                }
            },
        };
        match bound.get_mut(at) {
            Some(free @ None) => *free = Some(&argument.value),
            Some(Some(_)) => {
                let message = format!("`{}` is given twice", parameters[at]);
                return Err(Box::new(Diagnostic::new(codes::E0207, argument.value.span, message)));
            }
            None => return Err(Box::new(wrong_count(of, parameters, required, arguments.len(), span))),
        }
    }
    if bound.iter().take(required).any(Option::is_none) {
        return Err(Box::new(wrong_count(of, parameters, required, arguments.len(), span)));
    }
    Ok(bound)
}

fn wrong_count(of: &str, parameters: &[&str], required: usize, given: usize, span: Span) -> Diagnostic {
    let count = match (required, parameters.len()) {
        (least, most) if least == most => format!("{most} argument{}", if most == 1 { "" } else { "s" }),
        (least, most) => format!("{least} to {most} arguments"),
    };
    let message = format!("`{of}` takes {count}, {given} given");
    Diagnostic::new(codes::E0206, span, message).hint(format!("write `{of}({})`", parameters.join(", ")))
}
