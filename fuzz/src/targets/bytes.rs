//! Bytes of the fuzzer as choices.

pub struct Bytes<'a> {
    left: &'a [u8],
    /// What goes on when the bytes are used up, so that choices do not become all the same.
    state: u64,
}

impl<'a> Bytes<'a> {
    pub fn new(bytes: &'a [u8]) -> Bytes<'a> {
        Bytes { left: bytes, state: 0x9e37_79b9_7f4a_7c15 }
    }

    pub fn byte(&mut self) -> u8 {
        if let Some((first, rest)) = self.left.split_first() {
            self.left = rest;
            return *first;
        }
        // Knuth's MMIX generator.
        self.state = self.state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.state >> 56) as u8
    }

    pub fn below(&mut self, bound: usize) -> usize {
        let wide = if bound > 256 { usize::from(self.byte()) << 8 } else { 0 };
        (wide | usize::from(self.byte())) % bound
    }

    /// Up to so many of the bytes that are left.
    pub fn take(&mut self, most: usize) -> &'a [u8] {
        let (now, later) = self.left.split_at(most.min(self.left.len()));
        self.left = later;
        now
    }

    pub fn rest(&mut self) -> &'a [u8] {
        self.take(usize::MAX)
    }

    pub fn is_empty(&self) -> bool {
        self.left.is_empty()
    }
}
