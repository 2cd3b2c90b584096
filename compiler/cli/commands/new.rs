//! `ptc new`: a folder that builds and runs at once.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::failure::Failure;
use crate::{files, messages};

/// Start a project: a model with its weights, queries, and a script that runs both parties
///
/// `ptc new demo && sh demo/run.sh` calibrates, builds and runs the model as two processes on this machine. The README in the
/// folder says what each file is, whose it is, and how to go on.
#[derive(clap::Args)]
pub struct Arguments {
    /// The folder, which must not be there yet; its last part is the project's name.
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    /// What the model is.
    #[arg(long, value_enum, default_value_t = Template::Mlp)]
    pub template: Template,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Template {
    /// Two layers over two numbers: is a point inside a circle?
    Mlp,
    /// A small encoder over text: does a sentence praise or complain?
    Bert,
    /// A small decoder over text: which word comes next?
    Gpt,
}

macro_rules! files {
    ($folder:literal: $($name:literal),*) => {
        &[$(($name, include_bytes!(concat!("../templates/", $folder, "/", $name)))),*]
    };
}

const RUN: &str = include_str!("../templates/run.sh");

impl Template {
    /// Each file by its name.
    fn files(self) -> &'static [(&'static str, &'static [u8])] {
        match self {
            Template::Mlp => {
                files!("mlp": "model.ptx", "README.md", "model.safetensors", "labels.json", "queries.jsonl",
                                    "samples.jsonl")
            }
            Template::Bert => {
                files!("bert": "model.ptx", "README.md", "model.safetensors", "labels.json", "queries.jsonl",
                                     "samples.txt", "tokenizer.json")
            }
            Template::Gpt => {
                files!("gpt": "model.ptx", "README.md", "model.safetensors", "labels.json", "queries.jsonl",
                                    "samples.txt", "tokenizer.json")
            }
        }
    }

    /// What calibrates, builds and runs it.
    fn script(self) -> String {
        let [samples, tokenizer] = match self {
            Template::Mlp => ["samples.jsonl", ""],
            Template::Bert | Template::Gpt => ["samples.txt --tokenizer tokenizer.json", "--tokenizer tokenizer.json"],
        };
        RUN.replace("SAMPLES", samples).replace(" TOKENIZER", &format!(" {tokenizer}")).replace(" \n", "\n")
    }
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { folder, template } = arguments;
    let Some(name) = folder.file_name().and_then(|name| name.to_str()).filter(|name| !name.contains(char::is_control))
    else {
        return Err(Failure::new(
            format!("`{}` names no folder", folder.display()),
            "give a name, e.g. `ptc new demo`",
        ));
    };
    fs::create_dir(&folder).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Failure::new(format!("`{}` is there already", folder.display()), "choose another name, or remove it")
        }
        _ => Failure::new(
            format!("`{}` cannot be made: {error}", folder.display()),
            "check that the folder around it exists, and its rights",
        ),
    })?;
    for (file, bytes) in template.files() {
        match std::str::from_utf8(bytes) {
            Ok(text) if *file == "README.md" => {
                files::write(&folder.join(file), text.replace("NAME", name).as_bytes())?
            }
            _ => files::write(&folder.join(file), bytes)?,
        }
    }
    let script = folder.join("run.sh");
    files::write(&script, template.script().replace("NAME", name).as_bytes())?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    messages::say(&format!(
        "{}: a project of {} files; `sh {}` runs both parties",
        folder.display(),
        template.files().len() + 1,
        script.display()
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;
    use ptc_driver::Request;
    use ptc_ir::graph::Op;

    use super::*;

    #[test]
    fn every_template_is_whole() {
        let base = tempfile::tempdir().unwrap();
        for template in Template::value_variants() {
            let folder = base.path().join(format!("{template:?}"));
            run(Arguments { folder: folder.clone(), template: *template }).map_err(|_| "no folder").unwrap();
            let path = folder.join("model.ptx");
            let text = fs::read_to_string(&path).unwrap();
            // Without its ranges a plan of text is refused; the script measures them first, and other tests run it.
            let graph =
                ptc_driver::graph(&path, &text, &Request::default(), None).map_err(|_| "a wrong source").unwrap();
            let paths = graph.nodes.iter().filter_map(|node| match &node.op {
                Op::Parameter { path } => Some(path.clone()),
                _ => None,
            });
            let found = crate::weights::read(&folder.join("model.safetensors"), paths.collect());
            assert!(found.is_ok(), "{template:?}: {}", found.err().unwrap());
            let script = fs::read_to_string(folder.join("run.sh")).unwrap();
            assert!(
                !script.contains("SAMPLES") && !script.contains("TOKENIZER") && !script.contains("NAME"),
                "{script}"
            );
            let readme = fs::read_to_string(folder.join("README.md")).unwrap();
            assert!(readme.starts_with(&format!("# {template:?}\n")), "{readme}");
            for (file, _) in template.files().iter().filter(|(file, _)| *file != "README.md") {
                assert!(readme.contains(&format!("`{file}`")), "{template:?} does not explain {file}");
            }
        }
    }

    #[test]
    fn what_is_there_is_not_touched() {
        let base = tempfile::tempdir().unwrap();
        let arguments = |folder| Arguments { folder, template: Template::Mlp };
        let Err(Failure::Message { message, .. }) = run(arguments(base.path().to_path_buf())) else { panic!("made") };
        assert!(message.contains("is there already"), "{message}");
        let Err(Failure::Message { message, .. }) = run(arguments(base.path().join("no/demo"))) else { panic!("made") };
        assert!(message.contains("cannot be made"), "{message}");
    }
}
