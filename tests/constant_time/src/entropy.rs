//! The system's randomness, which is where most secrets come from. The rooms draw it with `getrandom`; this process answers
//! in the system's place, and marks what it gives as secret while it is told to.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use crate::valgrind::{public, secret};

/// Draws that stay public before the others are secret; none are while it is this.
const NEVER: usize = usize::MAX;
static PUBLIC_DRAWS: AtomicUsize = AtomicUsize::new(NEVER);

/// While `work` runs, all draws but the first `public` are secret.
pub fn secret_after<T>(public: usize, work: impl FnOnce() -> T) -> T {
    PUBLIC_DRAWS.store(public, SeqCst);
    let done = work();
    PUBLIC_DRAWS.store(NEVER, SeqCst);
    done
}

fn is_secret() -> bool {
    let left = PUBLIC_DRAWS.load(SeqCst);
    if left == NEVER || left == 0 {
        return left == 0;
    }
    PUBLIC_DRAWS.store(left - 1, SeqCst);
    false
}

/// In the place of the C library's. The standard library asks with flags, for its tables of hashes; the rooms ask without.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
extern "C" fn getrandom(buffer: *mut u8, length: usize, flags: u32) -> isize {
    const GETRANDOM: i64 = 318;
    let mut answer = GETRANDOM;
    // SAFETY: the system call of that number and these three arguments, which writes `length` bytes at most to `buffer`.
    unsafe {
        std::arch::asm!(
            "syscall",
            inout("rax") answer,
            in("rdi") buffer,
            in("rsi") length,
            in("rdx") u64::from(flags),
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    if flags == 0 && answer > 0 {
        // SAFETY: the call has written so many bytes there.
        let drawn = unsafe { std::slice::from_raw_parts_mut(buffer, answer as usize) };
        if is_secret() { secret(drawn) } else { public(drawn) }
    }
    answer as isize
}
