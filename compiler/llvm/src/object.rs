//! A kernel's text to an object file for the host.

use inkwell::OptimizationLevel;
use inkwell::context::Context;
use inkwell::memory_buffer::MemoryBuffer;
use inkwell::targets::{CodeModel, FileType, RelocMode, Target, TargetTriple};

use crate::LlvmError;
use crate::host::Host;

/// What is compiled: the functions, and around them what ties them to the host. Equal text, equal object.
pub fn module_text(functions: &str, host: &Host) -> String {
    // The generic compiler would rather split wide vectors in two on some processors that have them.
    let (bits, Host { cpu, features, .. }) = (host.vector_bits, host);
    format!(
        "{functions}
declare void @llvm.prefetch.p0(ptr, i32, i32, i32)
attributes #0 = {{ nounwind \"target-cpu\"=\"{cpu}\" \"target-features\"=\"{features}\" \
         \"prefer-vector-width\"=\"{bits}\" \"min-legal-vector-width\"=\"{bits}\" }}
"
    )
}

pub fn compile(text: &str, host: &Host) -> Result<Vec<u8>, LlvmError> {
    let failed = |what: &str, reason: String| LlvmError::Compile(format!("{what}: {reason}"));
    let context = Context::create();
    let buffer = MemoryBuffer::create_from_memory_range_copy(text.as_bytes(), "kernel");
    let module = context.create_module_from_ir(buffer).map_err(|reason| failed("text", reason.to_string()))?;
    module.verify().map_err(|reason| failed("module", reason.to_string()))?;
    let triple = TargetTriple::create(&host.triple);
    let machine = Target::from_triple(&triple)
        .map_err(|reason| failed("target", reason.to_string()))?
        .create_target_machine(
            &triple,
            &host.cpu,
            &host.features,
            OptimizationLevel::Aggressive,
            RelocMode::PIC,
            CodeModel::Default,
        )
        .ok_or_else(|| failed("target", format!("no machine for `{}`", host.triple)))?;
    module.set_triple(&triple);
    module.set_data_layout(&machine.get_target_data().get_data_layout());
    let object = machine.write_to_memory_buffer(&module, FileType::Object);
    Ok(object.map_err(|reason| failed("object", reason.to_string()))?.as_slice().to_vec())
}
