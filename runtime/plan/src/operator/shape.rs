//! Shape rules of the operators. Their errors become the user's diagnostics.

use super::Operator;

/// A larger tensor is refused: no product of sizes overflows after this check.
const MAX_ELEMENTS: usize = 1 << 36;

pub(super) fn shape(op: &Operator, inputs: &[&[usize]]) -> Result<Vec<usize>, String> {
    let result = match inputs {
        [] => Err(format!("`{}` of nothing", op.name())),
        [x] => of_one(op, x),
        [a, b] => of_two(op, a, b),
        _ => of_many(op, inputs),
    }?;
    match elements(&result) {
        Some(_) => Ok(result),
        None => Err(format!("the result of `{}` would have shape {result:?}, more than 2^36 elements", op.name())),
    }
}

fn of_one(op: &Operator, x: &[usize]) -> Result<Vec<usize>, String> {
    use Operator::*;
    let name = op.name();
    match op {
        Negate
        | Scale { .. }
        | Offset { .. }
        | Square
        | Relu
        | Gelu
        | GeluTanh
        | Silu
        | Tanh
        | Sigmoid
        | Exp
        | Sqrt
        | Rsqrt
        | Reciprocal
        | Not
        | Rescale
        | Rest { .. }
        | Compare { .. }
        | BitToReal
        | Exp2 { .. } => Ok(x.to_vec()),
        Softmax | Softmax2 | Normalize { .. } | RmsNormalize { .. } | L2Normalize { .. } => match x.last() {
            Some(_) => Ok(x.to_vec()),
            None => Err(format!("`{name}` works along the last axis; a single number has none")),
        },
        Reshape { shape } => match (elements(x), elements(shape)) {
            (Some(from), Some(to)) if from == to => Ok(shape.clone()),
            (Some(from), Some(to)) => {
                Err(format!("`reshape` of {x:?} to {shape:?}: {from} elements cannot become {to}"))
            }
            _ => Err(format!("`reshape` of {x:?} to {shape:?}: more than 2^36 elements")),
        },
        Permute { axes } => permute(x, axes),
        Slice { axis, start, length } => {
            let size = size_of_axis(name, x, *axis)?;
            match start.checked_add(*length) {
                Some(end) if end <= size && *length > 0 => Ok(with_axis(x, *axis, *length)),
                _ if *length == 0 => Err(format!("`slice` of axis {axis} of {x:?} takes no element")),
                _ => Err(format!(
                    "`slice` of axis {axis} of {x:?} takes {length} elements from {start}, but the axis has {size}"
                )),
            }
        }
        Concat { axis } => size_of_axis(name, x, *axis).map(|_| x.to_vec()),
        Broadcast { shape } => match broadcast(x, shape) {
            Some(result) if result == *shape => Ok(result),
            _ => Err(format!("`broadcast` of {x:?} to {shape:?}: sizes must be equal or 1, from the last axis on")),
        },
        Sum { axis } => size_of_axis(name, x, *axis).map(|_| with_axis(x, *axis, 1)),
        Max { axis } => match size_of_axis(name, x, *axis)? {
            0 => Err(format!("`max` along axis {axis} of {x:?}: the axis is empty")),
            _ => Ok(with_axis(x, *axis, 1)),
        },
        Levels { .. } => match x.last() {
            Some(1..) => Ok(with_axis(x, x.len() - 1, 1)),
            _ => Err(format!("`levels` works along the last axis; {x:?} has none that is not empty")),
        },
        Table { values, .. } => table(values, x),
        BitTable { values, .. } => table(values, x),
        _ => Err(wrong_count(op, 1)),
    }
}

/// One result of shape `x` for each row of cells.
fn table<T>(values: &[Vec<T>], x: &[usize]) -> Result<Vec<usize>, String> {
    match values.first() {
        Some(first) if !first.is_empty() && values.iter().all(|row| row.len() == first.len()) => {
            Ok([&[values.len()], x].concat())
        }
        _ => Err("`table` needs at least one output, and as many cells, at least one, for each".into()),
    }
}

fn of_two(op: &Operator, a: &[usize], b: &[usize]) -> Result<Vec<usize>, String> {
    use Operator::*;
    match op {
        Add | Subtract | Multiply | Divide | Less | And | Or | Xor | Gate => broadcast(a, b).ok_or_else(|| {
            format!("`{}` of {a:?} and {b:?}: sizes must be equal or 1, from the last axis on", op.name())
        }),
        MatMul { transpose_b } => matmul(a, b, *transpose_b),
        Concat { axis } => concat(&[a, b], *axis),
        Gather => match a {
            [_, row @ ..] => Ok([b, row].concat()),
            [] => Err("`gather` from a single number: the table needs rows".into()),
        },
        Softmax | Softmax2 if a.is_empty() => of_one(op, a),
        Softmax | Softmax2 => match broadcast(a, b) {
            Some(result) if result == a => Ok(result),
            _ => Err(format!(
                "`{}` of {a:?} with a mask of {b:?}: the mask must broadcast to the first shape",
                op.name()
            )),
        },
        _ => Err(wrong_count(op, 2)),
    }
}

fn of_many(op: &Operator, inputs: &[&[usize]]) -> Result<Vec<usize>, String> {
    match (op, inputs) {
        (Operator::Concat { axis }, _) => concat(inputs, *axis),
        (Operator::Select, [bit, a, b]) => {
            broadcast(a, b).and_then(|result| broadcast(&result, bit)).ok_or_else(|| {
                format!("`select` of {bit:?}, {a:?} and {b:?}: sizes must be equal or 1, from the last axis on")
            })
        }
        _ => Err(wrong_count(op, inputs.len())),
    }
}

fn permute(x: &[usize], axes: &[usize]) -> Result<Vec<usize>, String> {
    let mut seen = vec![false; x.len()];
    let valid = axes.len() == x.len()
        && axes.iter().all(|&axis| match seen.get_mut(axis) {
            Some(seen) => !std::mem::replace(seen, true),
            None => false,
        });
    match valid {
        true => Ok(axes.iter().map(|&axis| x[axis]).collect()),
        false => Err(format!("`permute` of {x:?} by {axes:?}: every axis must be named once")),
    }
}

fn matmul(a: &[usize], b: &[usize], transpose_b: bool) -> Result<Vec<usize>, String> {
    let turned = if transpose_b { " transposed" } else { "" };
    let (&[ref lead_a @ .., n, m], &[ref lead_b @ .., rows, columns]) = (a, b) else {
        return Err(format!("`matmul` of {a:?} and {b:?}{turned}: both need at least two axes"));
    };
    let (inner, l) = if transpose_b { (columns, rows) } else { (rows, columns) };
    if m != inner {
        return Err(format!("`matmul` of {a:?} and {b:?}{turned}: the inner sizes {m} and {inner} differ"));
    }
    let Some(lead) = broadcast(lead_a, lead_b) else {
        return Err(format!("`matmul` of {a:?} and {b:?}{turned}: the leading sizes {lead_a:?} and {lead_b:?} differ"));
    };
    Ok([lead, vec![n, l]].concat())
}

fn concat(inputs: &[&[usize]], axis: usize) -> Result<Vec<usize>, String> {
    let first = inputs[0];
    let mut total = 0usize;
    for x in inputs {
        let size = size_of_axis("concat", x, axis)?;
        if with_axis(x, axis, 0) != with_axis(first, axis, 0) {
            return Err(format!("`concat` along axis {axis} of {first:?} and {x:?}: the other sizes differ"));
        }
        total = total.checked_add(size).ok_or_else(|| format!("`concat` along axis {axis}: too many elements"))?;
    }
    Ok(with_axis(first, axis, total))
}

/// The common shape of two operands, as numpy aligns them: from the last axis on, sizes equal or 1.
fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let (long, short) = if a.len() >= b.len() { (a, b) } else { (b, a) };
    let mut result = long.to_vec();
    for (size, &other) in result.iter_mut().rev().zip(short.iter().rev()) {
        match (*size, other) {
            (1, _) => *size = other,
            (_, 1) => {}
            (x, y) if x == y => {}
            _ => return None,
        }
    }
    Some(result)
}

fn elements(shape: &[usize]) -> Option<usize> {
    // An empty axis must not hide that the others overflow.
    shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size.max(1)).filter(|&p| p <= MAX_ELEMENTS))?;
    Some(shape.iter().product())
}

fn size_of_axis(name: &str, x: &[usize], axis: usize) -> Result<usize, String> {
    x.get(axis).copied().ok_or_else(|| format!("`{name}` along axis {axis} of {x:?}: there is no such axis"))
}

fn with_axis(x: &[usize], axis: usize, size: usize) -> Vec<usize> {
    let mut shape = x.to_vec();
    shape[axis] = size;
    shape
}

fn wrong_count(op: &Operator, given: usize) -> String {
    let wanted = match op {
        Operator::Select => "three operands",
        Operator::Softmax | Operator::Softmax2 => "one operand and perhaps a mask",
        Operator::Concat { .. } => "at least one operand",
        Operator::Add
        | Operator::Subtract
        | Operator::Multiply
        | Operator::Divide
        | Operator::MatMul { .. }
        | Operator::Gather
        | Operator::Less
        | Operator::And
        | Operator::Or
        | Operator::Xor
        | Operator::Gate => "two operands",
        _ => "one operand",
    };
    format!("`{}` takes {wanted}, not {given}", op.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(op: Operator, inputs: &[&[usize]], expected: &[usize]) {
        assert_eq!(op.shape(inputs).as_deref(), Ok(expected), "{op:?} of {inputs:?}");
    }

    fn check_error(op: Operator, inputs: &[&[usize]], part: &str) {
        let error = op.shape(inputs).expect_err("the shapes do not fit");
        assert!(error.contains(part), "`{error}` lacks `{part}`");
    }

    #[test]
    fn elementwise_operators_broadcast_as_numpy() {
        check(Operator::Add, &[&[4, 1, 3], &[5, 1]], &[4, 5, 3]);
        check(Operator::Multiply, &[&[], &[2, 3]], &[2, 3]);
        check(Operator::Select, &[&[3, 1], &[4], &[]], &[3, 4]);
        check(Operator::Add, &[&[1], &[0]], &[0]);
        check_error(Operator::Add, &[&[2, 3], &[2]], "`add` of [2, 3] and [2]");
        check_error(Operator::Add, &[&[2, 3]], "takes two operands, not 1");
        check_error(Operator::Relu, &[&[2], &[2]], "takes one operand, not 2");
        check_error(Operator::Relu, &[], "`relu` of nothing");
    }

    #[test]
    fn matmul_names_what_differs() {
        check(Operator::MatMul { transpose_b: false }, &[&[12, 8, 4], &[4, 5]], &[12, 8, 5]);
        check(Operator::MatMul { transpose_b: true }, &[&[12, 8, 4], &[12, 9, 4]], &[12, 8, 9]);
        check_error(Operator::MatMul { transpose_b: false }, &[&[2, 3], &[4, 5]], "inner sizes 3 and 4");
        check_error(Operator::MatMul { transpose_b: true }, &[&[3, 2, 3], &[2, 5, 3]], "leading sizes [3] and [2]");
        check_error(Operator::MatMul { transpose_b: true }, &[&[3], &[5, 3]], "at least two axes");
    }

    #[test]
    fn structure_is_checked() {
        check(Operator::Reshape { shape: vec![3, 2] }, &[&[6]], &[3, 2]);
        check_error(Operator::Reshape { shape: vec![4] }, &[&[6]], "6 elements cannot become 4");
        check(Operator::Permute { axes: vec![2, 0, 1] }, &[&[4, 5, 6]], &[6, 4, 5]);
        check_error(Operator::Permute { axes: vec![0, 0] }, &[&[4, 5]], "every axis must be named once");
        check_error(Operator::Permute { axes: vec![0, 7] }, &[&[4, 5]], "every axis must be named once");
        check(Operator::Slice { axis: 1, start: 2, length: 3 }, &[&[4, 5]], &[4, 3]);
        check_error(Operator::Slice { axis: 1, start: 3, length: 3 }, &[&[4, 5]], "the axis has 5");
        check_error(Operator::Slice { axis: 1, start: usize::MAX, length: 3 }, &[&[4, 5]], "the axis has 5");
        check_error(Operator::Slice { axis: 2, start: 0, length: 1 }, &[&[4, 5]], "no such axis");
        check(Operator::Concat { axis: 0 }, &[&[1, 5], &[2, 5], &[3, 5]], &[6, 5]);
        check_error(Operator::Concat { axis: 1 }, &[&[1, 5], &[2, 5]], "the other sizes differ");
        check_error(Operator::Concat { axis: 1 }, &[&[5], &[2, 5]], "no such axis");
        check_error(Operator::Concat { axis: 1 }, &[&[2, 5], &[5]], "no such axis");
        check(Operator::Broadcast { shape: vec![2, 3] }, &[&[3]], &[2, 3]);
        check_error(Operator::Broadcast { shape: vec![3] }, &[&[2, 3]], "`broadcast` of [2, 3] to [3]");
        check(Operator::Gather, &[&[100, 8], &[4, 5]], &[4, 5, 8]);
    }

    #[test]
    fn a_huge_tensor_is_refused() {
        check_error(Operator::Add, &[&[1 << 20, 1], &[1 << 20]], "more than 2^36");
        check_error(Operator::Reshape { shape: vec![usize::MAX, 2] }, &[&[4]], "more than 2^36");
        check_error(Operator::Reshape { shape: vec![0, usize::MAX, 2] }, &[&[0]], "more than 2^36");
    }
}
