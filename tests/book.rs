//! The book is true: every console block of every page runs, in order, and prints what the page says; every `.ptx` block is
//! a model that `ptc check` accepts.
//!
//! A page's commands share one shell and one folder. `<!-- files: PATH ... -->` copies files of the repository into it.
//! In what a page shows, `[..]` stands for anything within a line and a line `...` for any lines. A command without output
//! below it may print what it likes. Ports are replaced by free ones.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A page that hangs is a failure.
const SECONDS: &str = "240";
const MARK: &str = "----- end of command";

struct Block {
    language: String,
    line: usize,
    text: String,
}

/// A command of a console block, and what it prints.
struct Step {
    line: usize,
    command: String,
    expected: Vec<String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn pages() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("docs/book/src")).expect("the book's pages");
    let mut pages: Vec<PathBuf> = entries.map(|entry| entry.expect("a page").path()).collect();
    pages.retain(|page| page.extension().is_some_and(|extension| extension == "md"));
    pages.sort();
    pages
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = vec![];
    let mut open: Option<Block> = None;
    for (at, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(language), None) => {
                open = Some(Block { language: language.trim().into(), line: at + 2, text: String::new() });
            }
            (Some(_), Some(block)) => blocks.push(block),
            (None, Some(mut block)) => {
                block.text += line;
                block.text.push('\n');
                open = Some(block);
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block without its end");
    blocks
}

fn steps(block: &Block) -> Vec<Step> {
    let mut steps: Vec<Step> = vec![];
    let mut continued = false;
    for (at, line) in block.text.lines().enumerate() {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { line: block.line + at, command: command.into(), expected: vec![] });
        } else if let Some(step) = steps.last_mut() {
            match continued {
                true => step.command += &format!("\n{line}"),
                false => step.expected.push(line.to_string()),
            }
        }
        continued = (continued || line.starts_with("$ ")) && line.ends_with('\\');
    }
    steps
}

/// A line of a page, `[..]` within it standing for anything.
fn line_fits(expected: &str, found: &str) -> bool {
    let mut parts = expected.trim_end().split("[..]");
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = found.trim_end().strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

fn fits(expected: &[String], found: &[&str]) -> bool {
    match (expected.split_first(), found.split_first()) {
        (None, None) => true,
        (Some((wanted, later)), _) if wanted == "..." => {
            (0..=found.len()).any(|skipped| fits(later, &found[skipped..]))
        }
        (Some((wanted, later)), Some((line, rest))) => line_fits(wanted, line) && fits(later, rest),
        _ => false,
    }
}

/// Each port of the page, and a free one; all are held until all are known.
fn ports(text: &str) -> BTreeMap<String, String> {
    let mut held = vec![];
    let mut ports = BTreeMap::new();
    for part in text.split("127.0.0.1:").skip(1) {
        let port: String = part.chars().take_while(char::is_ascii_digit).collect();
        if !port.is_empty() && !ports.contains_key(&port) {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            let free = listener.local_addr().expect("its address").port().to_string();
            held.push(listener);
            ports.insert(port, free);
        }
    }
    ports
}

fn with_ports(text: &str, ports: &BTreeMap<String, String>) -> String {
    let mut parts = text.split("127.0.0.1:");
    let mut replaced = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let digits = part.chars().take_while(char::is_ascii_digit).count();
        let (port, rest) = part.split_at(digits);
        replaced += "127.0.0.1:";
        replaced += ports.get(port).map_or(port, String::as_str);
        replaced += rest;
    }
    replaced
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).expect("a folder");
        for entry in fs::read_dir(from).expect("a folder of the repository") {
            let entry = entry.expect("a file");
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::copy(from, to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    }
}

fn prepare_folder(text: &str, folder: &Path) {
    for line in text.lines() {
        let Some(list) = line.strip_prefix("<!-- files: ").and_then(|rest| rest.strip_suffix(" -->")) else { continue };
        for path in list.split(' ') {
            let from = root().join(path);
            copy(&from, &folder.join(from.file_name().expect("a name")));
        }
    }
}

/// Runs a page in one shell; what each command printed.
fn run(steps: &[Step], folder: &Path) -> Vec<String> {
    let program = Path::new(env!("CARGO_BIN_EXE_ptc"));
    let programs = program.parent().expect("a folder of programs");
    let mut script = String::from("exec 2>&1\n");
    for step in steps {
        script += &format!("{}\necho '{MARK}'\n", step.command);
    }
    // What still runs in the background ends with the page.
    script += "kill $(jobs -p) 2>/dev/null\nwait\n";
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
    let output = Command::new("timeout")
        .args([SECONDS, "bash", "-c", &script])
        .current_dir(folder)
        .env("PATH", path)
        .env("HOME", folder)
        .env("XDG_CONFIG_HOME", folder.join(".config"))
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .expect("bash and timeout");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut printed: Vec<String> = text.split(&format!("{MARK}\n")).map(String::from).collect();
    // Behind the last mark, background commands may say their last words.
    printed.truncate(steps.len());
    printed
}

fn check_models(page: &Path, blocks: &[Block], folder: &Path) {
    for block in blocks.iter().filter(|block| block.language == "ptx") {
        let file = folder.join("block.ptx");
        fs::write(&file, &block.text).expect("a model");
        let output = Command::new(env!("CARGO_BIN_EXE_ptc")).arg("check").arg(&file).output().expect("ptc");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}:{}: this model is refused:\n{said}", page.display(), block.line);
    }
}

fn check_page(page: &Path) {
    let source = fs::read_to_string(page).expect("a page");
    let ports = ports(&source);
    let text = with_ports(&source, &ports);
    let blocks = blocks(&text);
    let folder = tempfile::tempdir().expect("a folder");
    check_models(page, &blocks, folder.path());
    let steps: Vec<Step> = blocks.iter().filter(|block| block.language == "console").flat_map(steps).collect();
    if steps.is_empty() {
        return;
    }
    prepare_folder(&text, folder.path());
    let printed = run(&steps, folder.path());
    for (at, step) in steps.iter().enumerate() {
        let place = format!("{}:{}: `{}`", page.display(), step.line, step.command);
        let Some(printed) = printed.get(at) else { panic!("{place} was not reached in {SECONDS} s") };
        let found: Vec<&str> = printed.lines().collect();
        let wanted = !step.expected.is_empty();
        let right = !wanted || fits(&step.expected, &found);
        assert!(right, "{place} should print\n\n{}\n\nand prints\n\n{printed}", step.expected.join("\n"));
    }
}

#[test]
fn every_block_of_the_book_does_what_it_says() {
    let pages = pages();
    assert!(pages.len() > 5, "the book has pages");
    for page in pages {
        check_page(&page);
    }
}

/// A page that nobody finds is no page.
#[test]
fn the_contents_name_every_page() {
    let summary = fs::read_to_string(root().join("docs/book/src/SUMMARY.md")).expect("the contents");
    for page in pages() {
        let name = page.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(name == "SUMMARY.md" || summary.contains(&format!("({name})")), "`{name}` is not in the contents");
    }
}

#[test]
fn lines_are_compared_with_gaps() {
    assert!(line_fits("a [..] c", "a b c"));
    assert!(line_fits("[..]", ""));
    assert!(!line_fits("a [..] c", "a b d"));
    assert!(!line_fits("a", "ab"));
    let lines = |text: &str| text.lines().map(String::from).collect::<Vec<_>>();
    assert!(fits(&lines("a\n...\nd"), &["a", "b", "c", "d"]));
    assert!(fits(&lines("..."), &[]));
    assert!(!fits(&lines("a\n...\nd"), &["a", "b"]));
}
