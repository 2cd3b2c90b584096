//! Whether given arrays are what an entry takes.

use std::collections::BTreeMap;

use ptc_plan::file::{Input, InputKind};
use ptc_plan::float::FloatTensor;
use ptc_syntax::suggest::nearest;

#[derive(Debug, thiserror::Error)]
pub enum InputError {
    #[error("the inputs do not fit the plan:{}", list(.0))]
    DoNotFit(Vec<String>),
}

/// `inputs` are those of the plan that this process gives. All problems at once.
pub fn check(inputs: &[&Input], given: &BTreeMap<String, FloatTensor>) -> Result<(), InputError> {
    let mut problems = vec![];
    for input in inputs {
        match given.get(&input.name) {
            Some(array) => problems.extend(problem(input, array).map(|problem| format!("`{}` {problem}", input.name))),
            None => problems.push(format!(
                "`{}` ({}) is missing\nhint: add `--input {}=FILE`{}",
                input.name,
                describe(input),
                input.name,
                if input.kind == InputKind::Real { "" } else { ", or `--text` with `--tokenizer`" }
            )),
        }
    }
    for name in given.keys().filter(|name| inputs.iter().all(|input| input.name != **name)) {
        let names: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
        let hint = match nearest(name, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if names.is_empty() => "this party gives no input".into(),
            None => format!("this party gives: {}", names.join(", ")),
        };
        problems.push(format!("`{name}` is not an input of this party\nhint: {hint}"));
    }
    if problems.is_empty() { Ok(()) } else { Err(InputError::DoNotFit(problems)) }
}

fn problem(input: &Input, array: &FloatTensor) -> Option<String> {
    if array.shape != input.shape {
        return Some(format!("has shape {:?}, the plan takes {}", array.shape, describe(input)));
    }
    let fits = |x: f32| match input.kind {
        InputKind::Real => x.is_finite() && x.abs() <= input.limit,
        InputKind::Token => x.fract() == 0.0 && x >= 0.0 && x < input.limit,
        InputKind::Bit => x == 0.0 || x == 1.0,
    };
    let at = array.data.iter().position(|&x| !fits(x))?;
    Some(format!("has {} as element {at}, the plan takes {}", array.data[at], describe(input)))
}

fn describe(input: &Input) -> String {
    let (shape, limit) = (&input.shape, input.limit);
    match input.kind {
        InputKind::Real => format!("{shape:?} numbers of at most {limit} in size"),
        InputKind::Token => format!("{shape:?} tokens below {limit}"),
        InputKind::Bit => format!("{shape:?} of 0 and 1"),
    }
}

fn list(problems: &[String]) -> String {
    problems.iter().map(|problem| format!("\n  {}", problem.replace('\n', "\n    "))).collect()
}

#[cfg(test)]
mod tests {
    use ptc_plan::step::{Owner, ValueId};

    use super::*;

    fn input(name: &str, kind: InputKind, shape: &[usize], limit: f32) -> Input {
        Input { name: name.into(), kind, shape: shape.to_vec(), owner: Owner::Client, value: ValueId(0), limit }
    }

    fn check_message(given: &[(&str, &[usize], &[f32])], expected: &[&str]) {
        let inputs = [
            input("x", InputKind::Real, &[2], 8.0),
            input("ids", InputKind::Token, &[2], 100.0),
            input("mask", InputKind::Bit, &[2], 1.0),
        ];
        let inputs: Vec<&Input> = inputs.iter().collect();
        let given =
            given.iter().map(|(name, shape, data)| (name.to_string(), FloatTensor::new(shape.to_vec(), data.to_vec())));
        let message = check(&inputs, &given.collect()).err().map_or(String::new(), |error| error.to_string());
        for part in expected {
            assert!(message.contains(part), "{message:?} lacks {part:?}");
        }
        assert_eq!(message.lines().filter(|line| line.starts_with("  `")).count(), expected.len(), "{message}");
    }

    #[test]
    fn every_misfit_is_named_at_once() {
        let (ids, mask): ((_, &[usize], &[f32]), (_, &[usize], &[f32])) =
            (("ids", &[2], &[0.0, 99.0]), ("mask", &[2], &[1.0, 0.0]));
        check_message(&[("x", &[2], &[8.0, -8.0]), ids, mask], &[]);
        check_message(
            &[("x", &[2], &[9.0, 0.0]), ("ids", &[2], &[0.5, 0.0]), ("mask", &[2], &[0.0, 2.0])],
            &["`x` has 9 as element 0", "`ids` has 0.5 as element 0", "`mask` has 2 as element 1"],
        );
        check_message(&[("x", &[1, 2], &[0.0, 0.0]), ids, mask], &["`x` has shape [1, 2], the plan takes [2] numbers"]);
        check_message(&[("x", &[2], &[0.0, 0.0]), ("ids", &[2], &[100.0, 0.0]), mask], &["tokens below 100"]);
        check_message(
            &[("idz", &[2], &[0.0, 0.0]), ("x", &[2], &[0.0, 0.0])],
            &["`ids` ([2] tokens", "`mask` ([2] of 0 and 1) is missing", "`idz` is not an input of this party"],
        );
    }
}
