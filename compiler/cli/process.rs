//! What the system tells of this process, and how it is asked to stop.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::failure::Failure;

/// Becomes true with the first SIGTERM or SIGINT; the second ends the process at once.
pub fn stop_flag() -> Result<Arc<AtomicBool>, Failure> {
    /// As shells tell of SIGINT.
    const AT_ONCE: i32 = 130;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        // In this order: the first signal finds the flag unset.
        flag::register_conditional_shutdown(signal, AT_ONCE, stop.clone())?;
        flag::register(signal, stop.clone())?;
    }
    Ok(stop)
}

#[derive(Clone, Copy, Default)]
pub struct Process {
    pub resident_bytes: Option<u64>,
    pub peak_bytes: Option<u64>,
    pub threads: Option<u64>,
    pub open_files: Option<u64>,
}

pub fn look() -> Process {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let files = std::fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as u64);
    Process {
        resident_bytes: kibibytes(&status, "VmRSS:"),
        peak_bytes: kibibytes(&status, "VmHWM:"),
        threads: line(&status, "Threads:").and_then(|text| text.parse().ok()),
        // Without the one that is read here.
        open_files: files.map(|count| count.saturating_sub(1)),
    }
}

fn line<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

fn kibibytes(status: &str, name: &str) -> Option<u64> {
    let count: u64 = line(status, name)?.strip_suffix("kB")?.trim_end().parse().ok()?;
    count.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_seen() {
        let Process { resident_bytes, peak_bytes, threads, open_files } = look();
        assert!(resident_bytes.is_some_and(|bytes| bytes > 100_000) && peak_bytes >= resident_bytes);
        assert!(threads.is_some_and(|count| count > 0) && open_files.is_some_and(|count| count > 0));
        assert_eq!(kibibytes("VmRSS:\t  1234 kB\n", "VmRSS:"), Some(1234 * 1024));
        assert_eq!(kibibytes("VmRSS:\t many\n", "VmRSS:"), None);
    }
}
