//! `ptc import`: a checkpoint of another format becomes a model's source.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ptc_driver::Request;
use ptc_import::problem::Problem;
use ptc_import::report::{self, Load};
use ptc_import::{Head, Imported, Input, MAX_CONFIG, Tensor, Tensors, Wish};
use ptc_ir::graph::Op;

use crate::failure::Failure;
use crate::weights::checkpoint::Checkpoint;
use crate::{files, messages};

/// Make a model's source of a checkpoint
///
/// Reads the configuration and the headers of the weights, writes a `.ptx` file, and says what of the checkpoint it uses and
/// what to do next. Whatever is not supported is told, all of it at once.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    pub format: Format,
}

#[derive(clap::Subcommand)]
pub enum Format {
    Hf(HuggingFace),
}

/// A folder as transformers saves it, with safetensors
///
/// BERT, RoBERTa, DistilBERT and MPNet with the heads classification, tokens, embedding (sentence-transformers) and encoder;
/// GPT-2, LLaMA, Mistral, Qwen2 and Qwen3 with next-token, next-tokens, classification and encoder; ViT with classification
/// and encoder.
#[derive(clap::Args)]
pub struct HuggingFace {
    /// The checkpoint's folder: `config.json` beside `model.safetensors`, or beside the index of several files.
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    /// Where to write the model's source.
    #[arg(short, long, value_name = "FILE.ptx", default_value = "model.ptx")]
    pub output: PathBuf,
    /// What the model gives. Default: what the configuration says.
    #[arg(long, value_parser = head)]
    pub head: Option<Head>,
    /// Write what is used, unused and to be done next here too, or what is in the way.
    #[arg(long, value_name = "FILE.json")]
    pub report: Option<PathBuf>,
}

fn head(text: &str) -> Result<Head, String> {
    let names: Vec<&str> = Head::ALL.iter().map(|head| head.name()).collect();
    let found = Head::ALL.into_iter().find(|head| head.name() == text);
    found.ok_or_else(|| format!("expected one of {}", names.join(", ")))
}

/// Tokens for which the source is read: its parameters do not depend on them.
const FEW_TOKENS: u64 = 8;

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let Format::Hf(arguments) = arguments.format;
    let HuggingFace { folder, output, head, report } = &arguments;
    let tensors = tensors(folder)?;
    let imported = ptc_import::import(&mut |name| read(folder, name), &tensors, Wish { head: *head });
    let found = imported.map_err(Fault::Problems).and_then(|imported| {
        let parameters = parameters(output, &imported).map_err(Fault::Source)?;
        let load = report::compare(&parameters, &tensors).map_err(Fault::Problems)?;
        Ok((imported, load))
    });
    let (imported, load) = match found {
        Ok(found) => found,
        Err(Fault::Source(failure)) => return Err(failure),
        Err(Fault::Problems(problems)) => {
            if let Some(path) = report {
                write_json(path, &report::failed(&problems))?;
            }
            for problem in &problems {
                let Problem { place, found, supported, fix } = problem;
                messages::error(None, &format!("{place}: {found}; supported: {supported}"), Some(fix));
            }
            return Err(Failure::Told);
        }
    };
    files::write(output, imported.source.as_bytes())?;
    let commands = commands(&arguments, &imported, &load);
    let source = output.display().to_string();
    let data = load.json(&imported, &tensors, &source, &commands);
    if let Some(path) = report {
        write_json(path, &data)?;
    }
    messages::table("import", &format!("{source}: {}", load.text(&imported)), || data);
    messages::note(match imported.input {
        Input::Text => "for `--samples`, write texts like those that will be asked: one a line, a few dozen",
        Input::Pixels => {
            "for `--samples`, write images like those that will be asked: one a line, as `ptc calibrate` says"
        }
    });
    commands.iter().for_each(|command| println!("{command}"));
    Ok(())
}

enum Fault {
    Problems(Vec<Problem>),
    Source(Failure),
}

fn tensors(folder: &Path) -> Result<Tensors, Failure> {
    let checkpoint = Checkpoint::open(folder)?;
    let tensor = |info: &safetensors::tensor::TensorInfo| Tensor {
        dtype: format!("{:?}", info.dtype),
        shape: info.shape.clone(),
    };
    Ok(checkpoint.tensors.iter().map(|(name, place)| (name.clone(), tensor(&place.info))).collect())
}

/// A small file of the folder.
fn read(folder: &Path, name: &str) -> Result<Option<String>, Problem> {
    let path = folder.join(name);
    if !path.exists() {
        return Ok(None);
    }
    let problem = |error: files::FileError| {
        let text = error.to_string();
        let (found, fix) = text.split_once("\nhint: ").unwrap_or((&text, "copy the checkpoint again"));
        Problem::new(name, found, "a small JSON file", fix)
    };
    files::read_text(&path, MAX_CONFIG).map(Some).map_err(problem)
}

/// What the source declares, by path in the checkpoint and shape.
fn parameters(path: &Path, imported: &Imported) -> Result<BTreeMap<String, Vec<usize>>, Failure> {
    let dims = imported.length.map(|length| ("S".to_string(), length.default.min(FEW_TOKENS)));
    let request = Request { dims: dims.into_iter().collect(), ..Request::default() };
    let graph = ptc_driver::graph(path, &imported.source, &request, None).map_err(Failure::source)?;
    let parameters = graph.nodes.iter().filter_map(|node| match &node.op {
        Op::Parameter { path } => Some((path.clone(), node.shape.clone())),
        _ => None,
    });
    Ok(parameters.collect())
}

/// What to do next, ready to be copied.
fn commands(arguments: &HuggingFace, imported: &Imported, load: &Load) -> Vec<String> {
    let source = quoted(&arguments.output);
    let plan = quoted(&arguments.output.with_extension("plan"));
    let weights = quoted(&arguments.folder);
    let tokenizer = arguments.folder.join("tokenizer.json");
    let unused: String = load.flags.iter().map(|flag| format!(" --unused {}", quoted(Path::new(flag)))).collect();
    let (samples, with_tokenizer, given) = match imported.input {
        Input::Text if tokenizer.is_file() => {
            let tokenizer = format!(" --tokenizer {}", quoted(&tokenizer));
            let given = format!("{tokenizer} --text \"...\"");
            ("texts.txt", tokenizer, given)
        }
        Input::Text => ("samples.jsonl", String::new(), " --inputs inputs.jsonl".to_string()),
        Input::Pixels => ("samples.jsonl", String::new(), " --input pixels=image.npy".to_string()),
    };
    let labels = match imported.has_labels && matches!(imported.head, Head::Classification | Head::Tokens) {
        true => format!(" --labels {}", quoted(&arguments.folder.join("config.json"))),
        false => String::new(),
    };
    vec![
        format!("ptc calibrate {source} --weights {weights}{with_tokenizer} --samples {samples}"),
        format!("ptc build {source} -o {plan}"),
        format!("ptc run {plan} --party 0 --listen 127.0.0.1:7001 --weights {weights}{unused}"),
        format!("ptc run {plan} --party 1 --connect 127.0.0.1:7001{given}{labels}"),
    ]
}

/// A word as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:@%+=,".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

fn write_json(path: &Path, value: &serde_json::Value) -> Result<(), Failure> {
    Ok(files::write(path, format!("{value:#}\n").as_bytes())?)
}
