//! Whether work gets done: kernels compile and load, and both parties of a small model come to its result.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use ptc_driver::Request;
use ptc_exec::simulate::{World, simulate};
use ptc_exec::tensors::Tensors;
use ptc_kernels::{Backend, Portable};
use ptc_llvm::Llvm;
use ptc_plan::file::Trust;
use ptc_plan::float::FloatTensor;

use crate::backend::{BackendArguments, Choice};
use crate::cache;
use crate::commands::doctor::Check;

pub fn checks(arguments: &BackendArguments) -> Vec<Check> {
    let (kernels, backend) = kernels(arguments);
    vec![kernels, session(backend), python()]
}

fn kernels(arguments: &BackendArguments) -> (Check, Arc<dyn Backend>) {
    const NAME: &str = "kernels";
    let portable = || -> Arc<dyn Backend> { Arc::new(Portable) };
    if arguments.backend == Some(Choice::Portable) {
        return (Check::ok(NAME, "portable, as chosen"), portable());
    }
    let base = match arguments.cache.clone().map(Ok).unwrap_or_else(cache::place) {
        Ok(base) => base,
        Err(error) => return (Check::warn(NAME, error.to_string(), "name a folder with `--cache`"), portable()),
    };
    let start = Instant::now();
    match Llvm::new(&base.join("kernels")) {
        Ok(llvm) => {
            let seconds = start.elapsed().as_secs_f64();
            (Check::ok(NAME, format!("LLVM compiles and loads them, {seconds:.2} s")), Arc::new(llvm))
        }
        Err(error) => {
            let fix = "portable ones compute instead, several times slower; see that the cache folder is yours, or install \
                       LLVM again: sudo apt-get install llvm-19";
            (Check::warn(NAME, error.to_string(), fix), portable())
        }
    }
}

/// The server multiplies by its weight, the client learns the sum.
const MODEL: &str = "model Doctor {
    weight: real[2] @server,

    entry answer(x: real[2] @client) -> real @client {
        sum(x * weight, axis: 0)
    }
}
";

/// Both parties and what lies between them, with nobody else.
fn session(backend: Arc<dyn Backend>) -> Check {
    const NAME: &str = "session";
    let start = Instant::now();
    let fix = "this is a fault of `ptc` or of the processor: tell its makers, with this output";
    let answer = answer(backend);
    let seconds = start.elapsed().as_secs_f64();
    match answer {
        Ok(answer) if (answer - 8.0).abs() < 0.01 => Check::ok(
            NAME,
            format!("both parties in this process agree on 3 * 2 + 2 * 1 = {answer:.2}, {seconds:.2} s"),
        ),
        Ok(answer) => Check::fail(NAME, format!("3 * 2 + 2 * 1 comes out as {answer}"), fix),
        Err(problem) => Check::fail(NAME, problem, fix),
    }
}

fn answer(backend: Arc<dyn Backend>) -> Result<f32, String> {
    let built = ptc_driver::build(Path::new("doctor.ptx"), MODEL, &Request::default(), Trust::default());
    let plan = Arc::new(built.map_err(|_| "the model does not build")?.generated.plan);
    let tensor = |name: &str, data: &[f32]| {
        Tensors::from([(name.to_string(), FloatTensor::new(vec![data.len()], data.to_vec()))])
    };
    let world = World { plan, backend, parameters: tensor("weight", &[3.0, 2.0]), inputs: tensor("x", &[2.0, 1.0]) };
    let simulated = simulate(world, &mut |_| {}).map_err(|error| error.to_string())?;
    let found = simulated.results.iter().flatten().find_map(|(_, tensor)| tensor.data.first().copied());
    found.ok_or_else(|| "nobody learns the result".to_string())
}

/// Only for those who use `ptc` from Python.
fn python() -> Check {
    const NAME: &str = "python";
    let asked = Command::new("python3")
        .args(["-c", "import ptc; print(getattr(ptc, '__version__', ''))"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    match asked {
        Err(_) => Check::ok(NAME, "there is none, and none is needed"),
        Ok(output) if output.status.success() => {
            let version: String =
                String::from_utf8_lossy(&output.stdout).trim().chars().filter(|c| !c.is_control()).collect();
            Check::ok(NAME, format!("`import ptc` works {version}").trim_end().to_string())
        }
        Ok(_) => Check::ok(NAME, "without the module `ptc`, which only Python programs need"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::Verdict;

    #[test]
    fn two_parties_come_to_the_right_answer() {
        let found = session(Arc::new(Portable));
        assert_eq!(found.verdict, Verdict::Ok, "{found:?}");
    }
}
