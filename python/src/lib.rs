//! The Python package's native half: the calls of the library `ptc`, with arrays as the bytes of `.npy` files.
//!
//! What is easier said in Python stands in the package `ptc` beside it: options, exceptions, arrays.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use ptc::library::{self, Kind, Trouble};
use ptc_exec::tensors::Tensors;
use ptc_plan::Plan;
use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// How long an interrupt waits at the most.
const SLICE: Duration = Duration::from_millis(50);

/// As deep as the program's own main thread.
const STACK_BYTES: usize = 16 << 20;

/// Results of each query, by name, and statistics as JSON.
type Answers<'py> = (Vec<Vec<(String, Bound<'py, PyBytes>)>>, String);

/// Results, the same in floating point, warnings, and statistics as JSON.
type Simulated<'py> =
    (Vec<Vec<(String, Bound<'py, PyBytes>)>>, Vec<Vec<(String, Bound<'py, PyBytes>)>>, Vec<String>, String);

/// A plan in memory.
#[pyclass(frozen, module = "ptc._ptc")]
struct NativePlan {
    plan: Arc<Plan>,
}

#[pymethods]
impl NativePlan {
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        library::save(&self.plan, &path).map_err(|trouble| raised(py, trouble))
    }

    /// SHA-256 of the plan, which opens every session.
    fn hash(&self) -> PyResult<String> {
        let hash = self.plan.hash().map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
        Ok(hash.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// As text, and as JSON.
    fn explain(&self, py: Python<'_>, profile: &str) -> PyResult<(String, String)> {
        let report = library::explain(&self.plan, profile).map_err(|trouble| raised(py, trouble))?;
        Ok((report.text(), report.json()))
    }
}

#[pyfunction]
fn compile(py: Python<'_>, options: Vec<String>) -> PyResult<(NativePlan, String)> {
    let stopped = Arc::new(AtomicBool::new(false));
    let of_work = stopped.clone();
    let made = beside(py, move || library::compile(&options, of_work), || stopped.store(true, Ordering::Relaxed))?;
    let compiled = made.map_err(|trouble| raised(py, trouble))?;
    Ok((NativePlan { plan: compiled.plan }, compiled.warnings))
}

#[pyfunction]
fn load(py: Python<'_>, path: PathBuf) -> PyResult<NativePlan> {
    let plan = library::load(&path).map_err(|trouble| raised(py, trouble))?;
    Ok(NativePlan { plan: Arc::new(plan) })
}

#[pyfunction]
fn run<'py>(
    py: Python<'py>,
    plan: &NativePlan,
    options: Vec<String>,
    inputs: Vec<(String, Vec<u8>)>,
) -> PyResult<Answers<'py>> {
    let (inputs, plan) = (tensors(py, inputs)?, plan.plan.clone());
    let done = beside(py, move || library::run(plan, &options, inputs), || {})?;
    let library::Answers { results, statistics } = done.map_err(|trouble| raised(py, trouble))?;
    Ok((arrays(py, &results), statistics))
}

#[pyfunction]
fn simulate<'py>(py: Python<'py>, options: Vec<String>, inputs: Vec<(String, Vec<u8>)>) -> PyResult<Simulated<'py>> {
    let inputs = tensors(py, inputs)?;
    let done = beside(py, move || library::simulate(&options, inputs), || {})?;
    let library::Simulated { results, float_results, warnings, statistics } =
        done.map_err(|trouble| raised(py, trouble))?;
    Ok((arrays(py, &results), arrays(py, &float_results), warnings, statistics))
}

/// `work` in a thread of its own, while Python goes on and hears interrupts. After one, `stop` is called and the thread is
/// left to itself: a session ends when its connection has been silent for as long as it may be.
fn beside<T: Send + 'static>(
    py: Python<'_>,
    work: impl FnOnce() -> T + Send + 'static,
    stop: impl FnOnce(),
) -> PyResult<T> {
    let (done, mut waiting) = channel();
    let worker = thread::Builder::new().name("ptc".into()).stack_size(STACK_BYTES);
    let work = move || {
        // Nobody waits after an interrupt.
        let _ = done.send(work());
    };
    worker.spawn(work).map_err(|error| PyOSError::new_err(error.to_string()))?;
    loop {
        let waiting = &mut waiting;
        match py.detach(move || waiting.recv_timeout(SLICE)) {
            Ok(result) => return Ok(result),
            Err(RecvTimeoutError::Timeout) => {
                if let Err(interrupt) = py.check_signals() {
                    stop();
                    return Err(interrupt);
                }
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(PyRuntimeError::new_err("ptc failed; this is a fault of ptc, told on standard error"));
            }
        }
    }
}

fn tensors(py: Python<'_>, arrays: Vec<(String, Vec<u8>)>) -> PyResult<Tensors> {
    let tensor = |(name, bytes): (String, Vec<u8>)| match library::array(&name, &bytes) {
        Ok(tensor) => Ok((name, tensor)),
        Err(trouble) => Err(raised(py, trouble)),
    };
    arrays.into_iter().map(tensor).collect()
}

fn arrays<'py>(py: Python<'py>, queries: &[Tensors]) -> Vec<Vec<(String, Bound<'py, PyBytes>)>> {
    let query = |query: &Tensors| {
        query.iter().map(|(name, tensor)| (name.clone(), PyBytes::new(py, &library::npy(tensor)))).collect()
    };
    queries.iter().map(query).collect()
}

/// The exception of the package that says it.
fn raised(py: Python<'_>, trouble: Trouble) -> PyErr {
    let kind = match trouble.kind {
        Kind::Source => "CompileError",
        Kind::Peer => "PeerError",
        Kind::Input => "InputError",
    };
    let described = serde_json::to_string(&trouble.diagnostics).unwrap_or_default();
    let made = || py.import("ptc._errors")?.getattr("of")?.call1((kind, trouble.text, described));
    match made() {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

#[pymodule]
fn _ptc(module: &Bound<'_, PyModule>) -> PyResult<()> {
    library::be_quiet();
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<NativePlan>()?;
    module.add_function(wrap_pyfunction!(compile, module)?)?;
    module.add_function(wrap_pyfunction!(load, module)?)?;
    module.add_function(wrap_pyfunction!(run, module)?)?;
    module.add_function(wrap_pyfunction!(simulate, module)?)?;
    Ok(())
}
