//! Requests to memcheck, as `valgrind.h` and `memcheck.h` define them for amd64: four rotations that together do nothing,
//! and an exchange of a register with itself, which valgrind takes for a call.

use std::arch::asm;

const RUNNING_ON_VALGRIND: u64 = 0x1001;
const COUNT_ERRORS: u64 = 0x1201;
/// Memcheck's own requests follow 'M' and 'C'.
const MEMCHECK: u64 = (b'M' as u64) << 24 | (b'C' as u64) << 16;
const MAKE_MEM_UNDEFINED: u64 = MEMCHECK + 1;
const MAKE_MEM_DEFINED: u64 = MEMCHECK + 2;

/// Whether valgrind runs this process.
pub fn is_here() -> bool {
    request(RUNNING_ON_VALGRIND, 0, 0) != 0
}

/// Errors that valgrind has found so far.
pub fn errors() -> u64 {
    request(COUNT_ERRORS, 0, 0)
}

/// From here on a branch or an address that depends on `data` is an error.
pub fn secret<T: Copy>(data: &mut [T]) {
    request(MAKE_MEM_UNDEFINED, data.as_mut_ptr() as u64, size_of_val(data) as u64);
}

/// A secret of its own.
pub fn secret_of<T: Copy>(value: T) -> T {
    let mut held = [value];
    secret(&mut held);
    held[0]
}

/// Everybody may know it: every use says why.
pub fn public<T: Copy>(data: &mut [T]) {
    request(MAKE_MEM_DEFINED, data.as_mut_ptr() as u64, size_of_val(data) as u64);
}

/// Zero where no valgrind hears it.
#[allow(unsafe_code)]
fn request(kind: u64, first: u64, second: u64) -> u64 {
    let arguments = [kind, first, second, 0, 0, 0];
    let mut answer = 0u64;
    // SAFETY: without valgrind the sequence changes nothing: `rdi` turns by 3 + 13 + 61 + 51 = 128 bits. With it, the answer
    // comes in `rdx`, and the memory that `first` names only has its definedness changed, which the program cannot see.
    unsafe {
        asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") arguments.as_ptr(),
            inout("rdx") answer,
            in("rdi") 0u64,
        );
    }
    answer
}
