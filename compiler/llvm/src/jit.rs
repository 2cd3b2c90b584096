//! Objects to callable addresses, through ORC's LLJIT.

use std::ffi::{CStr, CString, c_char};
use std::ptr::null_mut;
use std::sync::Mutex;

use inkwell::llvm_sys::core::LLVMCreateMemoryBufferWithMemoryRangeCopy;
use inkwell::llvm_sys::error::{LLVMDisposeErrorMessage, LLVMErrorRef, LLVMGetErrorMessage};
use inkwell::llvm_sys::orc2::lljit::{
    LLVMOrcCreateLLJIT, LLVMOrcDisposeLLJIT, LLVMOrcLLJITAddObjectFile, LLVMOrcLLJITGetMainJITDylib,
    LLVMOrcLLJITLookup, LLVMOrcLLJITRef,
};

use crate::LlvmError;

/// Owns the code: an address is valid as long as the `Jit` lives.
pub struct Jit {
    raw: Mutex<Raw>,
}

struct Raw(LLVMOrcLLJITRef);

// SAFETY: an LLJIT may be used from any thread; the mutex lets one use it at a time.
unsafe impl Send for Raw {}

impl Jit {
    pub fn new() -> Result<Jit, LlvmError> {
        let mut raw = null_mut();
        // SAFETY: a null builder asks for the host's defaults; the native target was initialised by `Host::detect`.
        check(unsafe { LLVMOrcCreateLLJIT(&mut raw, null_mut()) })?;
        Ok(Jit { raw: Mutex::new(Raw(raw)) })
    }

    /// Adds an object whose symbols are new to this `Jit`, and finds one of them after another.
    ///
    /// # Safety
    /// The object becomes executable code: it must come from this machine's compiler, for this processor.
    pub unsafe fn load(&self, object: &[u8], symbols: &[String]) -> Result<Vec<u64>, LlvmError> {
        let raw = self.raw.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        // SAFETY: the buffer is a copy that the call below takes over.
        let buffer = unsafe {
            LLVMCreateMemoryBufferWithMemoryRangeCopy(object.as_ptr().cast(), object.len(), c"kernel".as_ptr())
        };
        // SAFETY: `raw` is a living LLJIT, the library is its own.
        check(unsafe { LLVMOrcLLJITAddObjectFile(raw.0, LLVMOrcLLJITGetMainJITDylib(raw.0), buffer) })?;
        let find = |symbol: &String| {
            let name = CString::new(symbol.as_str()).map_err(|_| LlvmError::Load(format!("symbol `{symbol}`")))?;
            let mut address = 0;
            // SAFETY: `raw` is a living LLJIT, `name` a terminated string.
            check(unsafe { LLVMOrcLLJITLookup(raw.0, &mut address, name.as_ptr()) })?;
            Ok(address)
        };
        symbols.iter().map(find).collect()
    }
}

impl Drop for Jit {
    fn drop(&mut self) {
        let raw = self.raw.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner());
        // SAFETY: created in `new`, disposed of once. What it cannot free is left to the end of the process.
        let _ = check(unsafe { LLVMOrcDisposeLLJIT(raw.0) });
    }
}

fn check(error: LLVMErrorRef) -> Result<(), LlvmError> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: `error` is not null and is consumed here; its message is a terminated string of ours until disposed of.
    unsafe {
        let message: *mut c_char = LLVMGetErrorMessage(error);
        let text = CStr::from_ptr(message).to_string_lossy().into_owned();
        LLVMDisposeErrorMessage(message);
        Err(LlvmError::Load(text))
    }
}
