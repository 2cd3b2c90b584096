//! Processor, memory, limits, clock, loopback.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, SystemTime};

use crate::commands::doctor::Check;

/// Below it a model of BERT's size does not fit.
const LITTLE_MEMORY: u64 = 4_000_000_000;
/// Of a server with some dozens of clients.
const FEW_FILES: u64 = 1024;
/// 2025-01-01 in seconds of Unix time: no build of this program is older.
const PAST: u64 = 1_735_689_600;

pub fn checks() -> Vec<Check> {
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    vec![processor(), cores(), of_memory(&memory), files(&limits), clock(SystemTime::now()), loopback(), randomness()]
}

#[cfg(target_arch = "x86_64")]
fn processor() -> Check {
    let features = [
        ("AES", std::arch::is_x86_feature_detected!("aes")),
        ("AVX2", std::arch::is_x86_feature_detected!("avx2")),
        ("AVX-512", std::arch::is_x86_feature_detected!("avx512f") && std::arch::is_x86_feature_detected!("avx512dq")),
        ("IFMA", std::arch::is_x86_feature_detected!("avx512ifma")),
    ];
    let listed = |there: bool| {
        let names: Vec<&str> = features.iter().filter(|(_, has)| *has == there).map(|(name, _)| *name).collect();
        names.join(", ")
    };
    let (has, lacks) = (listed(true), listed(false));
    match (features[0].1 && features[1].1, lacks.is_empty()) {
        (true, true) => Check::ok("processor", format!("x86-64 with {has}")),
        (true, false) => Check::ok("processor", format!("x86-64 with {has}; without {lacks}, encryption takes longer")),
        (false, _) => Check::warn(
            "processor",
            format!("x86-64 without {lacks}"),
            "a processor with AES and AVX2 (since about 2013), or a virtual machine that passes them on, is several times faster",
        ),
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn processor() -> Check {
    Check::warn("processor", std::env::consts::ARCH, "kernels are compiled for x86-64 only; portable ones are slower")
}

fn cores() -> Check {
    match std::thread::available_parallelism().map_or(1, usize::from) {
        1 => Check::warn(
            "cores",
            "1",
            "preparing works on several threads side by side: give the machine two cores or more",
        ),
        cores => Check::ok("cores", cores.to_string()),
    }
}

fn of_memory(text: &str) -> Check {
    let bytes = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
        kibibytes.checked_mul(1024)
    };
    let gigabytes = |bytes: u64| bytes as f64 / 1e9;
    match (bytes("MemTotal:"), bytes("MemAvailable:")) {
        (Some(total), Some(free)) if free < LITTLE_MEMORY => Check::warn(
            "memory",
            format!("{:.1} GB, {:.1} GB of them free", gigabytes(total), gigabytes(free)),
            "models of BERT's size take 1 to 4 GB a party: end other programs, or use another machine for larger ones",
        ),
        (Some(total), Some(free)) => {
            Check::ok("memory", format!("{:.1} GB, {:.1} GB of them free", gigabytes(total), gigabytes(free)))
        }
        _ => Check::warn("memory", "the system does not tell", "mount /proc"),
    }
}

fn files(text: &str) -> Check {
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"));
    match line.and_then(|line| line.split_whitespace().next()) {
        Some("unlimited") => Check::ok("open files", "no limit"),
        Some(soft) => match soft.parse::<u64>() {
            Ok(files) if files >= FEW_FILES => Check::ok("open files", format!("up to {files}")),
            _ => Check::warn(
                "open files",
                format!("up to {soft}"),
                "a server of many clients needs more: ulimit -n 4096",
            ),
        },
        None => Check::warn("open files", "the system does not tell", "mount /proc"),
    }
}

fn clock(now: SystemTime) -> Check {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    match since > PAST {
        true => Check::ok("clock", "set"),
        false => Check::warn("clock", "it stands years back", "sudo timedatectl set-ntp true"),
    }
}

fn loopback() -> Check {
    let round = || -> std::io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let patience = Duration::from_secs(2);
        let mut own = TcpStream::connect_timeout(&address, patience)?;
        let (mut other, _) = listener.accept()?;
        other.set_read_timeout(Some(patience))?;
        own.write_all(b"ptc")?;
        let mut received = [0; 3];
        other.read_exact(&mut received)?;
        match &received {
            b"ptc" => Ok(()),
            _ => Err(std::io::ErrorKind::InvalidData.into()),
        }
    };
    match round() {
        Ok(()) => Check::ok("loopback", "sockets on 127.0.0.1 connect"),
        Err(error) => Check::fail(
            "loopback",
            format!("127.0.0.1 does not connect to itself: {error}"),
            "sudo ip link set lo up, or allow network sockets where a sandbox forbids them",
        ),
    }
}

fn randomness() -> Check {
    let mut bytes = [0; 16];
    match std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)) {
        Ok(()) => Check::ok("randomness", "from the system"),
        Err(error) => {
            Check::fail("randomness", format!("/dev/urandom: {error}"), "give the container or chroot its /dev/urandom")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::Verdict;

    #[test]
    fn what_the_system_tells_is_read() {
        let memory =
            |free: u64| of_memory(&format!("MemTotal:  16000000 kB\nMemFree: 1 kB\nMemAvailable: {free} kB\n"));
        assert_eq!(memory(8_000_000), Check::ok("memory", "16.4 GB, 8.2 GB of them free"));
        assert_eq!(memory(1_000_000).verdict, Verdict::Warn);
        assert_eq!(of_memory("").verdict, Verdict::Warn);
        let limit =
            |soft: &str| files(&format!("Max cpu time  9\nMax open files            {soft}     524288   files\n"));
        assert_eq!(limit("1024"), Check::ok("open files", "up to 1024"));
        assert_eq!(limit("256").verdict, Verdict::Warn);
        assert_eq!(limit("unlimited").verdict, Verdict::Ok);
        assert_eq!(clock(SystemTime::UNIX_EPOCH).verdict, Verdict::Warn);
    }

    #[test]
    fn this_machine_runs_the_tests_and_so_has_what_is_needed() {
        let found = checks();
        assert!(found.iter().all(|check| check.verdict != Verdict::Fail), "{found:?}");
    }
}
