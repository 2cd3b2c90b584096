//! Real processes of the program under test, on loopback, each with an end in sight.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Far more than any of these takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(120);

pub fn example(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(path)
}

/// A running `ptc`; it does not outlive the test.
pub struct Process {
    child: Child,
    lines: Receiver<String>,
    told: Vec<String>,
    stdout: Option<JoinHandle<String>>,
    name: String,
}

pub struct Ended {
    pub success: bool,
    pub stdout: String,
    pub stderr: String,
}

impl Process {
    pub fn start(arguments: &[&str]) -> Process {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ptc"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (stderr, mut stdout) = (child.stderr.take().unwrap(), child.stdout.take().unwrap());
        let (tell, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        let stdout = std::thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).unwrap();
            text
        });
        Process { child, lines, told: vec![], stdout: Some(stdout), name: arguments.join(" ") }
    }

    /// The rest of the first line on standard error that has `text`.
    pub fn says(&mut self, text: &str) -> String {
        let start = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(start.elapsed());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("`{}` did not say `{text}`, but:\n{}", self.name, self.told.join("\n"));
            };
            self.told.push(line.clone());
            if let Some(at) = line.find(text) {
                return line[at + text.len()..].trim().to_string();
            }
        }
    }

    /// Asks it to stop, as a terminal does.
    #[allow(dead_code, reason = "one of the programs that share this file needs it")]
    pub fn interrupt(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    }

    /// Ends it at once, as a fault would.
    #[allow(dead_code, reason = "one of the programs that share this file needs it")]
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end.
    pub fn end(mut self) -> Ended {
        let start = Instant::now();
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None if start.elapsed() > PATIENCE => panic!("`{}` does not end:\n{}", self.name, self.told.join("\n")),
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        self.told.extend(self.lines.iter());
        let stdout = self.stdout.take().unwrap().join().unwrap();
        Ended { success: status.success(), stdout, stderr: std::mem::take(&mut self.told).join("\n") }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended cannot be ended again.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `ptc` to its end.
pub fn ptc(arguments: &[&str]) -> Ended {
    Process::start(arguments).end()
}

/// It fails, says each of `parts` and prints no result.
pub fn check_failure(ended: &Ended, parts: &[&str]) {
    assert!(!ended.success, "it succeeded:\n{}\n{}", ended.stdout, ended.stderr);
    assert_eq!(ended.stdout, "", "results of a failed run");
    for part in parts {
        assert!(ended.stderr.contains(part), "`{part}` is not in:\n{}", ended.stderr);
    }
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
}

/// A folder of one test, with the kernels that all tests share.
pub struct Workshop {
    pub folder: tempfile::TempDir,
}

impl Workshop {
    pub fn new() -> Workshop {
        Workshop { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_string()
    }

    /// Builds a plan of an example.
    pub fn plan(&self, model: &str, name: &str, options: &[&str]) -> String {
        let (model, output) = (example(model), self.path(name));
        let mut arguments = vec!["build", model.to_str().unwrap(), "-o", &output];
        arguments.extend(options);
        let built = ptc(&arguments);
        assert!(built.success, "{}", built.stderr);
        output
    }

    pub fn cache(&self) -> String {
        self.path("cache")
    }

    pub fn dealer(&self, plan: &str) -> (Process, String) {
        let mut dealer = Process::start(&["deal", plan, "--listen", "127.0.0.1:0", "--cache", &self.cache()]);
        let address = dealer.says(" on ");
        (dealer, address)
    }

    /// A server and the address where it waits.
    pub fn server(&self, plan: &str, dealer: Option<&str>, weights: &str, options: &[&str]) -> (Process, String) {
        let cache = self.cache();
        let mut arguments = vec!["run", plan, "--party", "0", "--listen", "127.0.0.1:0"];
        arguments.extend(["--weights", weights, "--cache", &cache]);
        arguments.extend(dealer.iter().flat_map(|address| ["--dealer", address]));
        arguments.extend(options);
        let mut server = Process::start(&arguments);
        let address = server.says("waiting for the other party on ");
        (server, address)
    }

    pub fn client(&self, plan: &str, dealer: Option<&str>, server: &str, options: &[&str]) -> Process {
        let cache = self.cache();
        let mut arguments = vec!["run", plan, "--party", "1", "--connect", server, "--cache", &cache];
        arguments.extend(dealer.iter().flat_map(|address| ["--dealer", address]));
        arguments.extend(options);
        Process::start(&arguments)
    }
}
