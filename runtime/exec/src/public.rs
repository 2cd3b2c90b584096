//! Public parameters go from the server, which has the checkpoint, to the client, once: the client keeps them by hash.

use ptc_net::{Channel, PeerError};
use ptc_offline::stream::{ChunkReader, ChunkWriter};
use ptc_plan::Plan;
use ptc_plan::file::Parameter;
use ptc_plan::float::FloatTensor;
use ptc_plan::step::Owner;
use sha2::{Digest, Sha256};

use crate::error::RunError;
use crate::tensors::{Tensors, parameter_fault};

pub type Hash = [u8; 32];

/// Where a client keeps what it was sent. Whoever implements it may lose entries, and need not check them.
pub trait Cache {
    fn get(&self, hash: &Hash) -> Option<Vec<u8>>;
    fn put(&self, hash: &Hash, bytes: &[u8]);
}

/// Keeps nothing.
pub struct NoCache;

impl Cache for NoCache {
    fn get(&self, _: &Hash) -> Option<Vec<u8>> {
        None
    }

    fn put(&self, _: &Hash, _: &[u8]) {}
}

fn parameters(plan: &Plan) -> impl Iterator<Item = &Parameter> {
    plan.parameters.iter().filter(|parameter| parameter.owner == Owner::Both)
}

/// The public tensors among `tensors`.
pub fn select(plan: &Plan, tensors: &Tensors) -> Tensors {
    let own = |parameter: &Parameter| Some((parameter.path.clone(), tensors.get(&parameter.path)?.clone()));
    parameters(plan).filter_map(own).collect()
}

/// The server's side: all hashes, then what the client asks for. `tensors` have been checked.
pub fn send(plan: &Plan, tensors: &Tensors, client: &mut dyn Channel) -> Result<(), RunError> {
    let bytes: Vec<Vec<u8>> = parameters(plan).filter_map(|p| tensors.get(&p.path)).map(to_bytes).collect();
    if bytes.is_empty() {
        return Ok(());
    }
    client.send(bytes.iter().flat_map(|bytes| hash(bytes)).collect())?;
    let wanted = client.receive(bytes.len())?;
    if wanted.len() != bytes.len() {
        return Err(PeerError::WrongLength { expected: bytes.len(), found: wanted.len() }.into());
    }
    let mut writer = ChunkWriter::new(|chunk| client.send(chunk));
    for (bytes, _) in bytes.iter().zip(wanted).filter(|(_, wanted)| *wanted != 0) {
        writer.write(bytes)?;
    }
    Ok(writer.finish()?)
}

/// The client's side.
pub fn receive(plan: &Plan, cache: &dyn Cache, server: &mut dyn Channel) -> Result<Tensors, RunError> {
    let parameters: Vec<&Parameter> = parameters(plan).collect();
    if parameters.is_empty() {
        return Ok(Tensors::new());
    }
    let length = parameters.len() * size_of::<Hash>();
    let hashes = server.receive(length)?;
    if hashes.len() != length {
        return Err(PeerError::WrongLength { expected: length, found: hashes.len() }.into());
    }
    let (hashes, _) = hashes.as_chunks::<{ size_of::<Hash>() }>();
    let sizes: Vec<usize> = parameters.iter().map(|p| 4 * p.shape.iter().product::<usize>()).collect();
    let kept = |(wanted, &size): (&Hash, &usize)| {
        cache.get(wanted).filter(|bytes| bytes.len() == size && hash(bytes) == *wanted)
    };
    let mut all: Vec<Option<Vec<u8>>> = hashes.iter().zip(&sizes).map(kept).collect();
    server.send(all.iter().map(|bytes| u8::from(bytes.is_none())).collect())?;
    let total = all.iter().zip(&sizes).filter(|(bytes, _)| bytes.is_none()).map(|(_, &size)| size as u64).sum();
    let mut reader = ChunkReader::new(server, total);
    let mut tensors = Tensors::new();
    for (((parameter, expected), size), bytes) in parameters.into_iter().zip(hashes).zip(sizes).zip(&mut all) {
        let bytes = match bytes.take() {
            Some(bytes) => bytes,
            None => {
                let bytes = reader.read(size)?;
                if hash(&bytes) != *expected {
                    return Err(
                        PeerError::Malformed(format!("`{}` with another hash than announced", parameter.path)).into()
                    );
                }
                cache.put(expected, &bytes);
                bytes
            }
        };
        let tensor = FloatTensor::new(parameter.shape.clone(), from_bytes(&bytes));
        if let Some(fault) = parameter_fault(parameter, &tensor) {
            return Err(PeerError::Malformed(format!("a public parameter that does not fit: {fault}")).into());
        }
        tensors.insert(parameter.path.clone(), tensor);
    }
    Ok(tensors)
}

fn hash(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

fn to_bytes(tensor: &FloatTensor) -> Vec<u8> {
    tensor.data.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn from_bytes(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect()
}
