//! An operator from its name and attributes.

use ptc_plan::operator::Operator;

use super::{MAX_AXES, scanner::Scanner};

const MAX_TABLES: usize = 64;

pub fn parse_operator(scanner: &mut Scanner, name: &str) -> Result<Operator, String> {
    use Operator::*;
    let plain = [
        Add, Subtract, Multiply, Divide, Negate, Square, Gather, Relu, Gelu, GeluTanh, Silu, Tanh, Sigmoid, Exp, Sqrt,
        Rsqrt, Reciprocal, Softmax, Softmax2, Less, Not, And, Or, Select, Rescale, Xor, Gate, BitToReal,
    ];
    if let Some(op) = plain.into_iter().find(|op| op.name() == name) {
        return Ok(op);
    }
    if name == "matmul" && !scanner.next_is("{") {
        return Ok(MatMul { transpose_b: false });
    }
    scanner.within("{", "}", |s| with_attributes(s, name))
}

fn with_attributes(scanner: &mut Scanner, name: &str) -> Result<Operator, String> {
    use Operator::*;
    Ok(match name {
        "scale" => Scale { by: scanner.key("by")?.number()? },
        "offset" => Offset { by: scanner.key("by")?.number()? },
        "matmul" => {
            scanner.expect_word("transpose_b")?;
            MatMul { transpose_b: true }
        }
        "reshape" => Reshape { shape: scanner.key("shape")?.sizes(MAX_AXES)? },
        "broadcast" => Broadcast { shape: scanner.key("shape")?.sizes(MAX_AXES)? },
        "permute" => Permute { axes: scanner.key("axes")?.sizes(MAX_AXES)? },
        "slice" => {
            let axis = scanner.key("axis")?.whole()?;
            scanner.expect(",")?;
            let start = scanner.key("start")?.whole()?;
            scanner.expect(",")?;
            Slice { axis, start, length: scanner.key("length")?.whole()? }
        }
        "concat" => Concat { axis: scanner.key("axis")?.whole()? },
        "sum" => Sum { axis: scanner.key("axis")?.whole()? },
        "max" => Max { axis: scanner.key("axis")?.whole()? },
        "normalize" => Normalize { eps: scanner.key("eps")?.number()? },
        "rms_normalize" => RmsNormalize { eps: scanner.key("eps")?.number()? },
        "l2_normalize" => L2Normalize { eps: scanner.key("eps")?.number()? },
        "compare" => Compare { threshold: scanner.key("threshold")?.number()? },
        "exp2" => {
            let octaves = scanner.key("octaves")?.whole()?;
            scanner.expect(",")?;
            Exp2 { octaves, rounds: scanner.key("rounds")?.whole()? }
        }
        "levels" => {
            let low = scanner.key("low")?.number()?;
            scanner.expect(",")?;
            let step = scanner.key("step")?.number()?;
            scanner.expect(",")?;
            Levels { low, step, count: scanner.key("count")?.whole()? }
        }
        "table" => {
            let low = scanner.key("low")?.number()?;
            scanner.expect(",")?;
            let step_bits = scanner.key("step_bits")?.whole()?;
            scanner.expect(",")?;
            let values = scanner.key("values")?.list(MAX_TABLES, |s| s.floats())?;
            Table { low, step_bits, values }
        }
        "bit_table" => {
            let low = scanner.key("low")?.number()?;
            scanner.expect(",")?;
            let step_bits = scanner.key("step_bits")?.whole()?;
            scanner.expect(",")?;
            let values = scanner.key("values")?.list(MAX_TABLES, |s| bits(&s.text()?))?;
            BitTable { low, step_bits, values }
        }
        "rest" => Rest { step_bits: scanner.key("step_bits")?.whole()? },
        _ => return Err(format!("there is no operator `{name}`")),
    })
}

fn bits(digits: &str) -> Result<Vec<bool>, String> {
    let bit = |digit| match digit {
        '0' => Ok(false),
        '1' => Ok(true),
        _ => Err(format!("`{digit}` is no bit")),
    };
    digits.chars().map(bit).collect()
}
