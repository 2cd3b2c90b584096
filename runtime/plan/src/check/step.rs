//! What each step may be given and may yield: number, form, ring and shape of its inputs and outputs.

use crate::bill::rescale_growth;
use crate::file::{Plan, Trust};
use crate::kernel::{Access, Elementwise, Kernel};
use crate::operator::Operator;
use crate::step::{Exp2, Fixed, Form, Levels, Owner, Party, Step, StepOp, Value};
use crate::two_party::feasible;

const MAX_INDEX_BITS: u32 = 16;
const MAX_TABLE_OUTPUTS: usize = 64;

/// Elements of all rotated tables of one look-up.
const MAX_TABLE_ELEMENTS: usize = 1 << 34;

/// The step's own rule; that its inputs are defined has been checked.
pub(super) fn check(plan: &Plan, step: &Step) -> Result<(), String> {
    check_kind(plan, step)?;
    if let Some(reason) = feasible::refused(plan, step) {
        return Err(reason.into());
    }
    match feasible::too_large(plan, step) {
        Some(product) => Err(feasible::describe(&product)),
        None => Ok(()),
    }
}

fn check_kind(plan: &Plan, step: &Step) -> Result<(), String> {
    let values = |ids: &[crate::step::ValueId]| -> Result<Vec<&Value>, String> {
        ids.iter().map(|&id| super::get(plan, id)).collect()
    };
    let inputs = values(&step.inputs)?;
    let outputs = values(&step.outputs)?;
    let (inputs, outputs) = (&inputs[..], &outputs[..]);
    match &step.op {
        StepOp::Clear(op) => clear(op, inputs, outputs),
        StepOp::Encode => encode(one(inputs)?, one(outputs)?),
        StepOp::Share => share(one(inputs)?, one(outputs)?),
        StepOp::Local { kernel } => local(plan, *kernel, inputs, outputs),
        StepOp::Layout(op) => layout(op, inputs, one(outputs)?),
        StepOp::SumAxis { axis } => sum_axis(*axis, one(inputs)?, one(outputs)?),
        StepOp::PublicMatMul => known_matmul(Owner::Both, inputs, one(outputs)?),
        StepOp::StaticMatMul { owner, factor_bits } => {
            check_factor(*factor_bits, one(outputs)?)?;
            known_matmul(owner_of(*owner), inputs, one(outputs)?)
        }
        StepOp::EncryptedMatMul { factor_bits, making } => {
            if plan.trust != (Trust::TwoParty { making: *making }) {
                return Err(format!("it is encrypted for {making:?} in a plan for {:?}", plan.trust));
            }
            check_factor(*factor_bits, one(outputs)?)?;
            known_matmul(Owner::Server, inputs, one(outputs)?)
        }
        StepOp::StaticMul { owner, factor_bits } => {
            check_factor(*factor_bits, one(outputs)?)?;
            static_mul(owner_of(*owner), inputs, one(outputs)?)
        }
        StepOp::MatMul { transpose_b } => matmul(*transpose_b, inputs, one(outputs)?),
        StepOp::Mul => mul(inputs, one(outputs)?),
        StepOp::Square => square(one(inputs)?, one(outputs)?),
        StepOp::Rescale => rescale(one(inputs)?, one(outputs)?),
        StepOp::Compare { threshold } => compare(*threshold, one(inputs)?, one(outputs)?),
        StepOp::Not => bits(&[one(inputs)?, one(outputs)?]),
        StepOp::Xor | StepOp::And => {
            let [x, y] = two(inputs)?;
            bits(&[x, y, one(outputs)?])
        }
        StepOp::BitToShare => bit_to_share(one(inputs)?, one(outputs)?),
        StepOp::Gate => gate(inputs, one(outputs)?),
        StepOp::Table { index_bits, shift, values } => table(*index_bits, *shift, values, one(inputs)?, outputs),
        StepOp::Rest { shift } => rest(*shift, one(inputs)?, one(outputs)?),
        StepOp::Exp2(exp) => exp2(exp, one(inputs)?, one(outputs)?),
        StepOp::Max => max(one(inputs)?, one(outputs)?),
        StepOp::Levels(scale) => levels(scale, one(inputs)?, one(outputs)?),
        StepOp::Reveal { to } => reveal(*to, one(inputs)?, one(outputs)?),
    }
}

fn one<'a>(values: &[&'a Value]) -> Result<&'a Value, String> {
    match values {
        [value] => Ok(value),
        _ => Err(format!("{} values stand where one is needed", values.len())),
    }
}

fn two<'a>(values: &[&'a Value]) -> Result<[&'a Value; 2], String> {
    match values {
        [x, y] => Ok([x, y]),
        _ => Err(format!("{} values stand where two are needed", values.len())),
    }
}

fn owner_of(party: Party) -> Owner {
    match party {
        Party::Server => Owner::Server,
        Party::Client => Owner::Client,
    }
}

fn describe(value: &Value) -> String {
    format!("`{}` {:?} {:?}", value.name, value.form, value.shape)
}

fn wrong(value: &Value, wanted: &str) -> String {
    format!("{} is not {wanted}", describe(value))
}

fn shared(value: &Value) -> Result<Fixed, String> {
    match value.form {
        Form::Share(fixed) => Ok(fixed),
        _ => Err(wrong(value, "shared")),
    }
}

fn clear_owner(value: &Value) -> Result<Owner, String> {
    match value.form {
        Form::Clear(owner) => Ok(owner),
        _ => Err(wrong(value, "clear")),
    }
}

fn shaped(value: &Value, shape: &[usize]) -> Result<(), String> {
    if value.shape == shape { Ok(()) } else { Err(wrong(value, &format!("of shape {shape:?}"))) }
}

fn formed(value: &Value, form: Form) -> Result<(), String> {
    if value.form == form { Ok(()) } else { Err(wrong(value, &format!("{form:?}"))) }
}

/// Whoever knows `to` knows `from`.
fn told(from: Owner, to: Owner) -> bool {
    [Party::Server, Party::Client].into_iter().all(|party| from.knows(party) || !to.knows(party))
}

/// A product in `out`'s ring needs factors of at least its width; fraction bits add up.
fn product(x: Fixed, y: Fixed, out: Fixed) -> Result<(), String> {
    if x.bits < out.bits || y.bits < out.bits {
        return Err(format!("a product in a ring of {} bits of factors in {} and {} bits", out.bits, x.bits, y.bits));
    }
    if x.frac + y.frac != out.frac {
        return Err(format!("a product of {} and {} fraction bits has not {}", x.frac, y.frac, out.frac));
    }
    Ok(())
}

fn clear(op: &Operator, inputs: &[&Value], outputs: &[&Value]) -> Result<(), String> {
    let out = one(outputs)?;
    let owner = clear_owner(out)?;
    for input in inputs {
        if !told(clear_owner(input)?, owner) {
            return Err(format!("{} cannot be computed from {}", describe(out), describe(input)));
        }
    }
    let shapes: Vec<&[usize]> = inputs.iter().map(|input| input.shape.as_slice()).collect();
    shaped(out, &op.shape(&shapes)?)
}

fn encode(x: &Value, out: &Value) -> Result<(), String> {
    let Form::Encoded(owner, _) = out.form else { return Err(wrong(out, "encoded")) };
    if !told(clear_owner(x)?, owner) {
        return Err(format!("{} cannot be made from {}", describe(out), describe(x)));
    }
    shaped(out, &x.shape)
}

fn share(x: &Value, out: &Value) -> Result<(), String> {
    clear_owner(x)?;
    match out.form {
        Form::Share(_) | Form::Bits => shaped(out, &x.shape),
        _ => Err(wrong(out, "shared")),
    }
}

fn local(plan: &Plan, kernel: u32, inputs: &[&Value], outputs: &[&Value]) -> Result<(), String> {
    let Some(Kernel::Elementwise(kernel)) = plan.kernels.get(kernel as usize) else {
        return Err(format!("kernel {kernel} is not an elementwise one of the plan"));
    };
    let Elementwise { inputs: accesses, outputs: registers, .. } = kernel;
    if accesses.len() != inputs.len() || registers.len() != outputs.len() {
        return Err(format!(
            "a kernel of {} inputs and {} outputs stands on {} and {}",
            accesses.len(),
            registers.len(),
            inputs.len(),
            outputs.len()
        ));
    }
    let length = outputs.first().map_or(0, |out| out.len());
    for out in outputs {
        shared(out)?;
        if out.len() != length {
            return Err(wrong(out, &format!("of {length} elements")));
        }
    }
    for (input, access) in inputs.iter().zip(accesses) {
        if !matches!(input.form, Form::Share(_) | Form::Encoded(Owner::Both, _)) {
            return Err(wrong(input, "shared, or encoded by both"));
        }
        let expected = match *access {
            Access::Full => length,
            Access::Cycle { period } => period as usize,
            Access::Each { period } => length.div_ceil((period as usize).max(1)),
            Access::Single => 1,
        };
        if input.len() != expected {
            return Err(wrong(input, &format!("of {expected} elements, as the kernel reads it")));
        }
    }
    Ok(())
}

fn layout(op: &Operator, inputs: &[&Value], out: &Value) -> Result<(), String> {
    use Operator::*;
    if !matches!(op, Reshape { .. } | Permute { .. } | Slice { .. } | Concat { .. } | Broadcast { .. }) {
        return Err(format!("`{}` is not a matter of layout", op.name()));
    }
    if matches!(out.form, Form::Clear(_)) {
        return Err(wrong(out, "shared, encoded or bits"));
    }
    for input in inputs {
        formed(input, out.form)?;
    }
    let shapes: Vec<&[usize]> = inputs.iter().map(|input| input.shape.as_slice()).collect();
    shaped(out, &op.shape(&shapes)?)
}

fn sum_axis(axis: usize, x: &Value, out: &Value) -> Result<(), String> {
    let (from, to) = (shared(x)?, shared(out)?);
    if to.bits > from.bits || to.frac != from.frac {
        return Err(format!("{} is no sum of {}", describe(out), describe(x)));
    }
    shaped(out, &Operator::Sum { axis }.shape(&[&x.shape])?)
}

fn known_matmul(owner: Owner, inputs: &[&Value], out: &Value) -> Result<(), String> {
    let [x, w] = two(inputs)?;
    let factor = known(owner, w)?;
    product(shared(x)?, factor, shared(out)?)?;
    let ([.., inner], &[rows, columns]) = (&x.shape[..], &w.shape[..]) else {
        return Err(format!("no product of {} and {}", describe(x), describe(w)));
    };
    if *inner != rows {
        return Err(format!("the inner sizes of {} and {} differ", describe(x), describe(w)));
    }
    let mut shape = x.shape.clone();
    shape.pop();
    shape.push(columns);
    shaped(out, &shape)
}

fn known(owner: Owner, w: &Value) -> Result<Fixed, String> {
    match w.form {
        Form::Encoded(found, fixed) if found == owner => Ok(fixed),
        _ => Err(wrong(w, &format!("encoded by {owner:?}"))),
    }
}

fn check_factor(bits: u32, output: &Value) -> Result<(), String> {
    let ring = crate::price::ring(output);
    if (1..=ring).contains(&bits) { Ok(()) } else { Err(format!("a factor of {bits} bits in a ring of {ring}")) }
}

fn static_mul(owner: Owner, inputs: &[&Value], out: &Value) -> Result<(), String> {
    let [x, w] = two(inputs)?;
    let factor = known(owner, w)?;
    product(shared(x)?, factor, shared(out)?)?;
    if !x.shape.ends_with(&w.shape) {
        return Err(format!("{} does not repeat along {}", describe(w), describe(x)));
    }
    shaped(out, &x.shape)
}

fn matmul(transpose_b: bool, inputs: &[&Value], out: &Value) -> Result<(), String> {
    let [x, y] = two(inputs)?;
    product(shared(x)?, shared(y)?, shared(out)?)?;
    let shape = Operator::MatMul { transpose_b }.shape(&[&x.shape, &y.shape])?;
    let lead = x.shape.len() - 2;
    if x.shape.len() != y.shape.len() || x.shape[..lead] != y.shape[..lead] {
        return Err(format!("the leading sizes of {} and {} differ", describe(x), describe(y)));
    }
    shaped(out, &shape)
}

fn mul(inputs: &[&Value], out: &Value) -> Result<(), String> {
    let [x, y] = two(inputs)?;
    product(shared(x)?, shared(y)?, shared(out)?)?;
    let row = x.shape.last().copied().unwrap_or(1);
    if y.shape != x.shape && Some(y.len()) != x.len().checked_div(row) {
        return Err(format!("{} is neither as large as {} nor one for each of its rows", describe(y), describe(x)));
    }
    shaped(out, &x.shape)
}

fn square(x: &Value, out: &Value) -> Result<(), String> {
    let from = shared(x)?;
    product(from, from, shared(out)?)?;
    shaped(out, &x.shape)
}

fn rescale(x: &Value, out: &Value) -> Result<(), String> {
    let (from, to) = (shared(x)?, shared(out)?);
    let Some(shift) = from.frac.checked_sub(to.frac) else {
        return Err(format!("{} has more fraction bits than {}", describe(out), describe(x)));
    };
    let spare = if rescale_growth(from, to) > 0 { 2 } else { 1 };
    if shift + spare > from.bits {
        return Err(format!("a shift by {shift} leaves nothing of {}", describe(x)));
    }
    shaped(out, &x.shape)
}

fn compare(threshold: i64, x: &Value, out: &Value) -> Result<(), String> {
    let fixed = shared(x)?;
    if threshold.unsigned_abs() >> (fixed.bits - 1) > 1 {
        return Err(format!("the threshold {threshold} lies outside the ring of {}", describe(x)));
    }
    formed(out, Form::Bits)?;
    shaped(out, &x.shape)
}

fn bits(values: &[&Value]) -> Result<(), String> {
    let Some(first) = values.first() else { return Ok(()) };
    for value in values {
        formed(value, Form::Bits)?;
        shaped(value, &first.shape)?;
    }
    Ok(())
}

fn bit_to_share(x: &Value, out: &Value) -> Result<(), String> {
    formed(x, Form::Bits)?;
    let to = shared(out)?;
    if to.frac >= to.bits {
        return Err(format!("{} cannot hold a one", describe(out)));
    }
    shaped(out, &x.shape)
}

fn gate(inputs: &[&Value], out: &Value) -> Result<(), String> {
    let [bit, x] = two(inputs)?;
    formed(bit, Form::Bits)?;
    let (from, to) = (shared(x)?, shared(out)?);
    if to.bits > from.bits || to.frac != from.frac {
        return Err(format!("{} is not in the ring of {}", describe(out), describe(x)));
    }
    shaped(bit, &x.shape)?;
    shaped(out, &x.shape)
}

fn table(index_bits: u32, shift: u32, rows: &[Vec<u64>], x: &Value, outputs: &[&Value]) -> Result<(), String> {
    let from = shared(x)?;
    if !(1..=MAX_INDEX_BITS).contains(&index_bits) || shift > 63 || shift + index_bits > from.bits {
        return Err(format!("an index of {index_bits} bits above {shift} is not in {}", describe(x)));
    }
    if rows.len() != outputs.len() || rows.is_empty() || rows.len() > MAX_TABLE_OUTPUTS {
        return Err(format!("{} tables for {} outputs", rows.len(), outputs.len()));
    }
    // Sizes of values are limited, so that these products are far from the end of a word.
    if (x.len() << index_bits) > MAX_TABLE_ELEMENTS / rows.len() {
        return Err(format!("look-ups of {} in {} tables of 2^{index_bits} entries", describe(x), rows.len()));
    }
    for (row, out) in rows.iter().zip(outputs) {
        let ring = if out.form == Form::Bits { 1 } else { shared(out)?.bits };
        if row.len() != 1 << index_bits {
            return Err(format!("a table of {} entries for an index of {index_bits} bits", row.len()));
        }
        if ring < 64 && row.iter().any(|entry| entry >> ring != 0) {
            return Err(format!("a table has entries beyond the ring of {}", describe(out)));
        }
        shaped(out, &x.shape)?;
    }
    Ok(())
}

fn rest(shift: u32, x: &Value, out: &Value) -> Result<(), String> {
    let (from, to) = (shared(x)?, shared(out)?);
    if shift == 0 || shift >= from.bits || from.frac != to.frac {
        return Err(format!("the low {shift} bits of {} are not {}", describe(x), describe(out)));
    }
    shaped(out, &x.shape)
}

fn exp2(exp: &Exp2, x: &Value, out: &Value) -> Result<(), String> {
    let from = shared(x)?;
    let limits = (1..=MAX_INDEX_BITS).contains(&exp.index_bits)
        && (1..=4).contains(&exp.step_bits)
        && (1..=24).contains(&exp.factor_frac)
        && (1..=2 * exp.factor_frac).contains(&exp.result_frac)
        && (1..=64).contains(&exp.ring)
        && (2..=3).contains(&exp.rounds);
    if !limits {
        return Err(format!("{exp:?} is outside the limits"));
    }
    // A private factor and its polynomial are computed in words.
    if exp.factor_frac + (1 << exp.step_bits) > 29 || from.frac > 32 {
        return Err(format!("{exp:?} asks for more than 29 bits of a factor of {}", describe(x)));
    }
    // `2^x` is at most 2, and signed.
    if exp.result_frac + 3 > exp.ring {
        return Err(format!("a ring of {} bits cannot hold {} fraction bits", exp.ring, exp.result_frac));
    }
    let (product, unshifted) = (exp.product(), exp.unshifted());
    let rounds = if rescale_growth(product, unshifted) == 0 { 2 } else { 3 };
    if unshifted.bits > 64 || product.bits > 64 || rounds != exp.rounds {
        return Err(format!("{exp:?} shifts in a ring of {} bits", unshifted.bits));
    }
    if exp.input_bits(from.frac) > from.bits {
        return Err(format!("{} has not the {} bits that are read", describe(x), exp.input_bits(from.frac)));
    }
    if (x.len() << exp.index_bits) > MAX_TABLE_ELEMENTS {
        return Err(format!("look-ups of {} in tables of 2^{} entries", describe(x), exp.index_bits));
    }
    formed(out, Form::Share(Fixed { bits: exp.ring, frac: exp.result_frac }))?;
    shaped(out, &x.shape)
}

fn max(x: &Value, out: &Value) -> Result<(), String> {
    shared(x)?;
    formed(out, x.form)?;
    let Some(axis) = x.shape.len().checked_sub(1) else { return Err(wrong(x, "of at least one axis")) };
    shaped(out, &Operator::Max { axis }.shape(&[&x.shape])?)
}

fn levels(scale: &Levels, x: &Value, out: &Value) -> Result<(), String> {
    let (from, to) = (shared(x)?, shared(out)?);
    let Some((&width, lead)) = x.shape.split_last() else { return Err(wrong(x, "of at least one axis")) };
    let Levels { index_bits, shift, first, count } = *scale;
    let entries = if (1..=MAX_INDEX_BITS).contains(&index_bits) { 1u32 << index_bits } else { 0 };
    if first >= entries || !(1..=entries).contains(&count) || shift > 63 || shift + index_bits > from.bits {
        return Err(format!("{scale:?} is no scale for {}", describe(x)));
    }
    if !(0..i64::from(to.bits)).contains(&scale.place(from, to)) {
        return Err(format!("{} cannot hold a level of {scale:?}", describe(out)));
    }
    let count_bits = Levels::count_bits(width);
    let rows = x.len() / width.max(1);
    let looked_up = (rows.saturating_mul(count as usize)).saturating_mul(1 << count_bits);
    if width == 0 || count_bits > MAX_INDEX_BITS || looked_up.max(x.len() << index_bits) > MAX_TABLE_ELEMENTS {
        return Err(format!("{count} levels of {}", describe(x)));
    }
    shaped(out, &[lead, &[1]].concat())
}

fn reveal(to: Party, x: &Value, out: &Value) -> Result<(), String> {
    if !matches!(x.form, Form::Share(_) | Form::Bits) {
        return Err(wrong(x, "shared"));
    }
    formed(out, Form::Clear(owner_of(to)))?;
    shaped(out, &x.shape)
}
