//! A model file and what a build may be asked about it: the arguments that `build`, `check`, `explain` and `calibrate`
//! share.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ptc_driver::Request;
use ptc_passes::options::Options;

use crate::calibration;
use crate::failure::Failure;

#[derive(clap::Args)]
pub struct ModelArguments {
    /// The model's source.
    pub model: PathBuf,
    /// Sets a `dim` of the source, e.g. `--dim S=32`. May be given several times.
    #[arg(long = "dim", value_name = "NAME=SIZE", value_parser = dim)]
    pub dims: Vec<(String, u64)>,
    /// The entry to build, where the model has several.
    #[arg(long)]
    pub entry: Option<String>,
    /// Ranges that `ptc calibrate` measured. Default: `MODEL.ranges.json` beside the model, where it exists.
    #[arg(long, value_name = "FILE")]
    pub ranges: Option<PathBuf>,
    /// Largest error that one approximated function may add, where the source declares none: the cheapest recipe within
    /// it is taken. Default: the recipe that suits activations of 12 fraction bits.
    #[arg(long, value_name = "ERROR")]
    pub tolerance: Option<f64>,
}

pub fn dim(text: &str) -> Result<(String, u64), String> {
    let (name, size) = text.split_once('=').ok_or("expected NAME=SIZE, for example S=32")?;
    let size =
        size.parse().map_err(|_| format!("`{size}` is not a size; expected a whole number, for example {name}=32"))?;
    Ok((name.to_string(), size))
}

impl ModelArguments {
    pub fn text(&self) -> Result<String, Failure> {
        read_text(&self.model)
    }

    /// The request, with the calibrated ranges where there are any.
    pub fn request(&self) -> Result<Request, Failure> {
        let mut passes = Options { tolerance: self.tolerance, ..Options::default() };
        let beside = self.model.with_extension("ranges.json");
        if let Some(file) = self.ranges.as_deref().or_else(|| beside.exists().then_some(beside.as_path())) {
            passes.calibration = calibration::read(file)?;
        }
        let dims = self.dims.iter().cloned().collect::<BTreeMap<_, _>>();
        Ok(Request { entry: self.entry.clone(), dims, passes, ..Request::default() })
    }
}

pub fn read_text(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| {
        Failure::new(format!("`{}` cannot be read: {error}", path.display()), "give the path of a `.ptx` file")
    })
}

pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, bytes).map_err(|error| {
        Failure::new(format!("`{}` cannot be written: {error}", path.display()), "check the folder and its rights")
    })
}
