//! Words on a cache line's boundary, as vector instructions like them.

use ptc_ring::tensor::wipe;

const LINE: usize = 8;

/// A slice inside an allocation that is a little longer.
pub struct Aligned {
    words: Vec<u64>,
    start: usize,
    len: usize,
}

impl Aligned {
    /// `len` words, all zero.
    pub fn zeros(len: usize) -> Aligned {
        let words = vec![0; len + LINE - 1];
        // An offset that cannot be found leaves the words where they are: slower, not wrong.
        let start = Some(words.as_ptr().align_offset(8 * LINE)).filter(|start| *start < LINE).unwrap_or(0);
        Aligned { words, start, len }
    }

    pub fn words(&self) -> &[u64] {
        &self.words[self.start..][..self.len]
    }

    pub fn words_mut(&mut self) -> &mut [u64] {
        &mut self.words[self.start..][..self.len]
    }

    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    pub fn wipe(&mut self) {
        wipe(&mut self.words);
    }
}

impl Clone for Aligned {
    fn clone(&self) -> Aligned {
        let mut copy = Aligned::zeros(self.len);
        copy.words_mut().copy_from_slice(self.words());
        copy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_start_on_a_line() {
        for len in [0, 1, 8, 4096, 12345] {
            let mut aligned = Aligned::zeros(len);
            assert!(aligned.words().len() == len && aligned.words().iter().all(|word| *word == 0));
            assert_eq!(aligned.words().as_ptr() as usize % 64, 0);
            aligned.words_mut().iter_mut().zip(1..).for_each(|(word, at)| *word = at);
            let copy = aligned.clone();
            assert!(copy.words() == aligned.words() && (copy.words().as_ptr() as usize).is_multiple_of(64));
            aligned.truncate(len / 2);
            assert_eq!(aligned.words(), &copy.words()[..len / 2]);
            aligned.wipe();
            assert!(aligned.words.iter().all(|word| *word == 0));
        }
    }
}
