//! The text of one elementwise program.
//!
//! Arguments: arrays of the inputs' and outputs' addresses, the number of words, one for the server and zero for the
//! client. A loop of vectors does all but the last few words, a loop of single words does those.

use ptc_plan::kernel::{Access, Elementwise, Instruction};

use crate::text::Body;

pub fn text(symbol: &str, kernel: &Elementwise, lanes: usize) -> String {
    let mut body = Body::default();
    body.label("entry");
    let inputs: Vec<String> = (0..kernel.inputs.len()).map(|at| pointer(&mut body, "%inputs", at)).collect();
    let outputs: Vec<String> = (0..kernel.outputs.len()).map(|at| pointer(&mut body, "%outputs", at)).collect();
    let singles: Vec<Option<[String; 2]>> = kernel
        .inputs
        .iter()
        .zip(&inputs)
        .map(|(access, pointer)| {
            (*access == Access::Single).then(|| {
                let word = body.value(format_args!("load i64, ptr {pointer}"));
                [body.splat("i64", lanes, &word), word]
            })
        })
        .collect();
    let server = [body.splat("i64", lanes, "%is_server"), "%is_server".into()];
    let whole = body.value(format_args!("and i64 %len, {}", -(lanes as i64)));

    let mut before = "entry".to_string();
    for (form, lanes) in [lanes, 1].into_iter().enumerate() {
        let (test, work, done) = (format!("test{lanes}"), format!("work{lanes}"), format!("done{lanes}"));
        let end = [&whole, "%len"][form];
        let start = ["0", &whole][form];
        body.line(format_args!("br label %{test}"));
        body.label(&test);
        body.line(format_args!("%at{lanes} = phi i64 [ {start}, %{before} ], [ %next{lanes}, %{work} ]"));
        body.line(format_args!("%more{lanes} = icmp ult i64 %at{lanes}, {end}"));
        body.line(format_args!("br i1 %more{lanes}, label %{work}, label %{done}"));
        body.label(&work);
        let form = Form { lanes, at: format!("%at{lanes}") };
        let mut registers = vec![];
        for (single, input) in singles.iter().zip(&inputs) {
            registers.push(match single {
                Some([vector, word]) => {
                    if lanes == 1 {
                        word.clone()
                    } else {
                        vector.clone()
                    }
                }
                None => form.load(&mut body, input),
            });
        }
        for instruction in &kernel.code {
            let result = match instruction {
                Instruction::IsServer => server[usize::from(lanes == 1)].clone(),
                _ => form.result(&mut body, *instruction, &registers),
            };
            registers.push(result);
        }
        for (output, &register) in outputs.iter().zip(&kernel.outputs) {
            form.store(&mut body, output, &registers[register as usize]);
        }
        body.line(format_args!("%next{lanes} = add nuw i64 %at{lanes}, {lanes}"));
        body.line(format_args!("br label %{test}"));
        body.label(&done);
        before = done;
    }
    body.into_function(&format!("@{symbol}(ptr readonly %inputs, ptr readonly %outputs, i64 %len, i64 %is_server)"))
}

fn pointer(body: &mut Body, array: &str, at: usize) -> String {
    let place = body.value(format_args!("getelementptr ptr, ptr {array}, i64 {at}"));
    body.value(format_args!("load ptr, ptr {place}"))
}

/// One of the two loops: how many words at a time, and the index of the first.
struct Form {
    lanes: usize,
    at: String,
}

impl Form {
    fn type_name(&self) -> String {
        if self.lanes == 1 { "i64".into() } else { format!("<{} x i64>", self.lanes) }
    }

    fn constant(&self, value: u64) -> String {
        // LLVM's whole numbers are written with a sign.
        let word = value as i64;
        match self.lanes {
            1 => word.to_string(),
            lanes => format!("<{}>", vec![format!("i64 {word}"); lanes].join(", ")),
        }
    }

    fn load(&self, body: &mut Body, pointer: &str) -> String {
        let place = body.value(format_args!("getelementptr i64, ptr {pointer}, i64 {}", self.at));
        body.value(format_args!("load {}, ptr {place}, align 8", self.type_name()))
    }

    fn store(&self, body: &mut Body, pointer: &str, value: &str) {
        let place = body.value(format_args!("getelementptr i64, ptr {pointer}, i64 {}", self.at));
        body.line(format_args!("store {} {value}, ptr {place}, align 8", self.type_name()));
    }

    fn result(&self, body: &mut Body, instruction: Instruction, registers: &[String]) -> String {
        let register = |at: u16| &registers[at as usize];
        let (operation, left, right) = match instruction {
            Instruction::Const(value) => return self.constant(value),
            Instruction::IsServer => unreachable!("an argument, not a result"),
            Instruction::Add(a, b) => ("add", register(a), register(b).clone()),
            Instruction::Subtract(a, b) => ("sub", register(a), register(b).clone()),
            Instruction::Multiply(a, b) => ("mul", register(a), register(b).clone()),
            Instruction::And(a, b) => ("and", register(a), register(b).clone()),
            Instruction::ShiftLeft(a, by) => ("shl", register(a), self.constant(by.into())),
            Instruction::ShiftRight(a, by) => ("lshr", register(a), self.constant(by.into())),
            Instruction::Low(a, bits) => ("and", register(a), self.constant(u64::MAX >> (64 - bits))),
        };
        body.value(format_args!("{operation} {} {left}, {right}", self.type_name()))
    }
}
