//! `ptc doctor`: what this machine lacks, and the command that mends it.

use serde::Serialize;

use crate::backend::BackendArguments;
use crate::doctor;
use crate::failure::Failure;

/// Check this machine: processor, kernels, memory, folders, keys, loopback, and a whole session in one process
///
/// Each line says ok, warn or fail, and below it what mends it. A warning costs speed or a convenience; a failure keeps
/// `ptc` from running, and the exit code is 1.
#[derive(clap::Args)]
pub struct Arguments {
    /// One JSON object on standard output: {"checks": [{"name", "verdict", "found", "fix"}]}.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub backend: BackendArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Ok,
    Warn,
    Fail,
}

#[derive(Debug, PartialEq, Serialize)]
pub struct Check {
    pub name: &'static str,
    pub verdict: Verdict,
    pub found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Check {
    pub fn ok(name: &'static str, found: impl Into<String>) -> Check {
        Check { name, verdict: Verdict::Ok, found: found.into(), fix: None }
    }

    pub fn warn(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Check {
        Check { name, verdict: Verdict::Warn, found: found.into(), fix: Some(fix.into()) }
    }

    pub fn fail(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Check {
        Check { name, verdict: Verdict::Fail, found: found.into(), fix: Some(fix.into()) }
    }
}

#[derive(Serialize)]
struct Report {
    version: &'static str,
    checks: Vec<Check>,
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let cache = arguments.backend.cache.as_deref();
    let mut checks = doctor::machine::checks();
    checks.extend(doctor::folders::checks(cache));
    checks.extend(doctor::work::checks(&arguments.backend));
    let failed = checks.iter().filter(|check| check.verdict == Verdict::Fail).count();
    match arguments.json {
        true => println!("{}", serde_json::to_string(&Report { version: env!("CARGO_PKG_VERSION"), checks })?),
        false => print!("{}", text(&checks)),
    }
    match failed {
        0 => Ok(()),
        _ => Err(Failure::new(format!("{failed} of the checks failed"), "the lines marked `fail` say what mends them")),
    }
}

fn text(checks: &[Check]) -> String {
    let mut text = format!("ptc {}\n", env!("CARGO_PKG_VERSION"));
    for Check { name, verdict, found, fix } in checks {
        let verdict = match verdict {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Fail => "fail",
        };
        text += &format!("{verdict:<5} {name:<14} {found}\n");
        if let Some(fix) = fix {
            text += &format!("{:20} fix: {fix}\n", "");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_has_its_verdict_and_its_fix() {
        let checks = [Check::ok("memory", "8 GB"), Check::fail("loopback", "no", "ip link set lo up")];
        let expected = format!(
            "ptc {}\nok    memory         8 GB\nfail  loopback       no\n                     fix: ip link set lo up\n",
            env!("CARGO_PKG_VERSION")
        );
        assert_eq!(text(&checks), expected);
        let json = serde_json::to_value(&checks[1]).unwrap();
        assert_eq!((&json["verdict"], &json["fix"]), (&"fail".into(), &"ip link set lo up".into()));
        assert_eq!(serde_json::to_value(&checks[0]).unwrap().get("fix"), None);
    }
}
