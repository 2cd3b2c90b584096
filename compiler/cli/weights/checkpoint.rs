//! The files of a checkpoint: one `.safetensors` file, several with an index, or the folder that holds them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use ptc_import::header::{self, Header, MAX_HEADER, MAX_INDEX};
use ptc_plan::check::MAX_ELEMENTS;
use ptc_plan::float::FloatTensor;
use safetensors::Dtype;
use safetensors::tensor::TensorInfo;

use super::WeightsError;
use crate::files;

const ONE_FILE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

pub struct Checkpoint {
    files: Vec<Part>,
    pub tensors: BTreeMap<String, Place>,
}

/// One file.
struct Part {
    path: PathBuf,
    file: File,
    /// Where the data of its tensors starts.
    data: u64,
}

/// Where a tensor lies.
#[derive(Clone)]
pub struct Place {
    file: usize,
    pub info: TensorInfo,
}

/// The files that hold the tensors of what `path` names.
pub fn files(path: &Path) -> Result<Vec<PathBuf>, WeightsError> {
    let path = match path.is_dir() {
        false => path.to_path_buf(),
        true => match [INDEX, ONE_FILE].map(|name| path.join(name)).into_iter().find(|file| file.is_file()) {
            Some(file) => file,
            None => return Err(WeightsError::NoCheckpoint { path: path.into() }),
        },
    };
    if path.extension().is_none_or(|extension| extension != "json") {
        return Ok(vec![path]);
    }
    let index = read_index(&path)?;
    Ok(index.files.iter().map(|name| path.with_file_name(name)).collect())
}

fn read_index(path: &Path) -> Result<header::Index, WeightsError> {
    let text = files::read_text(path, MAX_INDEX)?;
    let malformed = |problem| WeightsError::Index { path: path.into(), problem };
    header::parse_index(&text).map_err(malformed)
}

impl Checkpoint {
    pub fn open(path: &Path) -> Result<Checkpoint, WeightsError> {
        let mut checkpoint = Checkpoint { files: vec![], tensors: BTreeMap::new() };
        for (at, file) in files(path)?.into_iter().enumerate() {
            let (part, header) = open(&file)?;
            for (name, info) in header.tensors {
                if let Some(before) = checkpoint.tensors.get(&name) {
                    let other = checkpoint.files.get(before.file).map_or(file.as_path(), |part| &part.path);
                    let problem = format!("`{name}` is in `{}` too", other.display());
                    return Err(WeightsError::Malformed { path: file, problem });
                }
                checkpoint.tensors.insert(name, Place { file: at, info });
            }
            checkpoint.files.push(part);
        }
        Ok(checkpoint)
    }

    /// The inner result is about the tensor, the outer one about its file.
    pub fn tensor(&mut self, name: &str, place: &Place) -> Result<Result<FloatTensor, String>, WeightsError> {
        let info = &place.info;
        let (start, end) = info.data_offsets;
        let Some(part) = self.files.get_mut(place.file) else {
            return Ok(Err("is in no file".into()));
        };
        let failed = |error| WeightsError::Read { path: part.path.clone(), error };
        let count: usize = info.shape.iter().product();
        if count > MAX_ELEMENTS {
            return Ok(Err(format!("has {count} elements, more than the limit of {MAX_ELEMENTS}")));
        }
        let mut bytes = vec![];
        part.file.seek(SeekFrom::Start(part.data + start as u64)).map_err(failed)?;
        (&mut part.file).take((end - start) as u64).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() != end - start {
            let problem = format!("it became shorter while `{name}` was read");
            return Err(WeightsError::Malformed { path: part.path.clone(), problem });
        }
        let data = match floats(info.dtype, &bytes) {
            Some(data) => data,
            None => return Ok(Err(format!("holds {}; F32, F64, F16 and BF16 can be read", info.dtype))),
        };
        Ok(match data.iter().position(|x| !x.is_finite()) {
            None => Ok(FloatTensor::new(info.shape.clone(), data)),
            Some(at) => {
                let bad = data.iter().filter(|x| !x.is_finite()).count();
                let index = index(at, &info.shape);
                Err(format!("has {} at {index:?}; {bad} of its {count} values are not finite numbers", data[at]))
            }
        })
    }
}

/// A file and its header; the data stay where they are.
fn open(path: &Path) -> Result<(Part, Header), WeightsError> {
    let failed = |error| WeightsError::Read { path: path.into(), error };
    let malformed = |problem: String| WeightsError::Malformed { path: path.into(), problem };
    let mut file = File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let mut size = [0; 8];
    file.read_exact(&mut size).map_err(|_| malformed("it has fewer than 8 bytes".into()))?;
    let size = u64::from_le_bytes(size);
    if size > MAX_HEADER || size.saturating_add(8) > length {
        return Err(malformed(format!("it says that its header has {size} bytes, and has {length} in all")));
    }
    let mut bytes = vec![];
    (&mut file).take(size).read_to_end(&mut bytes).map_err(failed)?;
    let header = header::parse(&bytes).map_err(malformed)?;
    let expected = header.data.saturating_add(8 + size);
    if expected != length {
        return Err(malformed(format!("its header describes {expected} bytes, and it has {length}")));
    }
    Ok((Part { path: path.into(), file, data: 8 + size }, header))
}

fn index(mut at: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (i, &size) in index.iter_mut().zip(shape).rev() {
        *i = at % size;
        at /= size;
    }
    index
}

/// `None` for what are no floats. The bytes fill whole numbers: the header's check says so.
fn floats(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    fn each<const N: usize>(bytes: &[u8], float: fn([u8; N]) -> f32) -> Vec<f32> {
        bytes.as_chunks().0.iter().map(|&chunk| float(chunk)).collect()
    }
    match dtype {
        Dtype::F32 => Some(each(bytes, f32::from_le_bytes)),
        // Beyond single precision it becomes infinite, and is refused.
        Dtype::F64 => Some(each(bytes, |chunk| f64::from_le_bytes(chunk) as f32)),
        Dtype::F16 => Some(each(bytes, |chunk| f16::from_le_bytes(chunk).to_f32())),
        Dtype::BF16 => Some(each(bytes, |chunk| bf16::from_le_bytes(chunk).to_f32())),
        _ => None,
    }
}
