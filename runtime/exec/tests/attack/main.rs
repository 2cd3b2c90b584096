//! Wires that change, hold back or repeat what goes over them, and peers that leave: whoever is honest ends soon, with an
//! error or with the right result.

use peak_alloc::PeakAlloc;

#[path = "../every/mod.rs"]
#[allow(dead_code)]
mod every;

mod cut;
mod labels;
mod mutations;
mod promises;
mod scenario;
mod tampering;
mod uniform;
mod wire;

/// Counts what is taken.
#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;
