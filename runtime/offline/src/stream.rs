//! Long messages in bounded pieces: every piece has `CHUNK_BYTES`, the last has what is left.

use ptc_net::{Channel, PeerError};
use ptc_plan::bill::CHUNK_BYTES;

const CHUNK: usize = CHUNK_BYTES as usize;

/// Cuts what is written into chunks; `send` takes each.
pub struct ChunkWriter<S> {
    send: S,
    rest: Vec<u8>,
}

impl<S: FnMut(Vec<u8>) -> Result<(), PeerError>> ChunkWriter<S> {
    pub fn new(send: S) -> ChunkWriter<S> {
        ChunkWriter { send, rest: vec![] }
    }

    pub fn write(&mut self, mut bytes: &[u8]) -> Result<(), PeerError> {
        while self.rest.len() + bytes.len() >= CHUNK {
            let (now, later) = bytes.split_at(CHUNK - self.rest.len());
            self.rest.extend_from_slice(now);
            (self.send)(std::mem::take(&mut self.rest))?;
            bytes = later;
        }
        self.rest.extend_from_slice(bytes);
        Ok(())
    }

    /// Sends what is left.
    pub fn finish(mut self) -> Result<(), PeerError> {
        if self.rest.is_empty() { Ok(()) } else { (self.send)(self.rest) }
    }
}

/// Reads `total` bytes that a [`ChunkWriter`] sent.
pub struct ChunkReader<'a> {
    channel: &'a mut dyn Channel,
    /// Not yet received.
    left: u64,
    chunk: Vec<u8>,
    read: usize,
}

impl<'a> ChunkReader<'a> {
    pub fn new(channel: &'a mut dyn Channel, total: u64) -> ChunkReader<'a> {
        ChunkReader { channel, left: total, chunk: vec![], read: 0 }
    }

    /// The next `count` bytes. Panics beyond `total`.
    pub fn read(&mut self, count: usize) -> Result<Vec<u8>, PeerError> {
        let mut bytes = Vec::with_capacity(count);
        while bytes.len() < count {
            if self.read == self.chunk.len() {
                self.receive()?;
            }
            let end = self.chunk.len().min(self.read + count - bytes.len());
            bytes.extend_from_slice(&self.chunk[self.read..end]);
            self.read = end;
        }
        Ok(bytes)
    }

    fn receive(&mut self) -> Result<(), PeerError> {
        assert!(self.left > 0, "read beyond the end of a stream");
        let expected = self.left.min(CHUNK_BYTES) as usize;
        self.chunk = self.channel.receive(expected)?;
        if self.chunk.len() != expected {
            return Err(PeerError::WrongLength { expected, found: self.chunk.len() });
        }
        self.left -= expected as u64;
        self.read = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ptc_net::memory;

    #[test]
    fn any_cut_comes_back() {
        let sizes = [0, 1, CHUNK - 1, 5, CHUNK, 2 * CHUNK + 3, 7];
        let total: usize = sizes.iter().sum();
        let (mut a, mut b) = memory::pair();
        let mut writer = ChunkWriter::new(|chunk| a.send(chunk));
        for (at, size) in sizes.iter().enumerate() {
            writer.write(&vec![at as u8; *size]).unwrap();
        }
        writer.finish().unwrap();
        let mut reader = ChunkReader::new(&mut b, total as u64);
        for (at, size) in sizes.iter().enumerate() {
            assert!(reader.read(*size).unwrap() == vec![at as u8; *size], "piece {at}");
        }
        assert_eq!(a.counters().sent, total as u64 + 8 * total.div_ceil(CHUNK) as u64);
    }

    #[test]
    fn a_short_chunk_is_refused() {
        let (mut a, mut b) = memory::pair();
        a.send(vec![0; 9]).unwrap();
        assert!(matches!(
            ChunkReader::new(&mut b, 10).read(10),
            Err(PeerError::WrongLength { expected: 10, found: 9 })
        ));
    }
}
