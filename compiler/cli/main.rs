//! The program `ptc`.

use std::process::ExitCode;

/// A query takes and gives back hundreds of megabytes in a moment; the system's allocator returns each to the kernel and
/// faults it in again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ptc::main()
}
