//! What can be done to a frame on its way.

/// The ten mutations, a flip as of a bit, of a byte and of all, and a link that breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// The payload is shorter; its header tells so, or not.
    Truncate,
    Extend,
    /// A frame without a payload.
    Empty,
    FlipBit,
    FlipByte,
    /// Other bytes altogether: random ones, zeros or ones.
    Garble,
    /// The next frame comes first; they are numbered anew, or not.
    Reorder,
    /// It comes twice; what follows is numbered anew, or not.
    Duplicate,
    /// The frame of the same number of another session.
    Replay,
    /// What the receiver sent itself under this number.
    WrongParty,
    /// The header announces up to four gigabytes.
    Oversize,
    /// It comes when nobody waits any more.
    Delay,
    /// Nothing comes any more.
    Leave,
}

/// Each of the ten, a flip in three forms.
pub const CHANGES: [Change; 12] = [
    Change::Truncate,
    Change::Extend,
    Change::Empty,
    Change::FlipBit,
    Change::FlipByte,
    Change::Garble,
    Change::Reorder,
    Change::Duplicate,
    Change::Replay,
    Change::WrongParty,
    Change::Oversize,
    Change::Delay,
];

/// As `ptc_net` writes it: length and number, then the payload.
#[derive(Clone)]
pub struct Frame {
    pub header: [u8; 8],
    pub payload: Vec<u8>,
}

impl Frame {
    pub fn bytes(&self) -> Vec<u8> {
        [&self.header[..], &self.payload].concat()
    }

    fn announce(&mut self, length: u32) {
        self.header[..4].copy_from_slice(&length.to_le_bytes());
    }

    /// Moves its number by `by`.
    pub fn number(&mut self, by: u32) {
        let [_, _, _, _, a, b, c, d] = self.header;
        let number = u32::from_le_bytes([a, b, c, d]).wrapping_add(by);
        self.header[4..].copy_from_slice(&number.to_le_bytes());
    }

    fn with(&self, payload: Vec<u8>) -> Frame {
        let mut frame = Frame { header: self.header, payload };
        frame.announce(frame.payload.len() as u32);
        frame
    }

    /// Two frames that follow each other, the second first.
    pub fn swapped(first: Frame, second: Frame, seed: u64) -> Vec<u8> {
        match seed % 2 {
            0 => [second.bytes(), first.bytes()].concat(),
            _ => [first.with(second.payload.clone()).bytes(), second.with(first.payload.clone()).bytes()].concat(),
        }
    }
}

/// The bytes that take the place of `frame`. `added` are the frames by which those behind it are moved.
pub fn alter(
    frame: &Frame,
    change: Change,
    seed: u64,
    replayed: Vec<u8>,
    opposite: Vec<u8>,
    added: &mut u32,
) -> Vec<u8> {
    let (told, random) = (seed.is_multiple_of(2), mix(seed));
    let mut changed = frame.clone();
    let length = frame.payload.len();
    let place = random as usize % length.max(1);
    match change {
        Change::Truncate => changed.payload.truncate(place),
        Change::Extend => changed.payload.extend((0..=random % 64).map(|at| mix(seed ^ at) as u8)),
        Change::Empty => changed.payload.clear(),
        Change::FlipBit => changed.payload.iter_mut().skip(place).take(1).for_each(|byte| *byte ^= 1 << (random >> 61)),
        // Never by zero.
        Change::FlipByte => {
            changed.payload.iter_mut().skip(place).take(1).for_each(|byte| *byte ^= (1 + (random >> 32) % 255) as u8)
        }
        Change::Garble => changed.payload.iter_mut().enumerate().for_each(|(at, byte)| {
            *byte = match random % 3 {
                0 => 0,
                1 => u8::MAX,
                _ => mix(random ^ at as u64) as u8,
            }
        }),
        Change::Duplicate => {
            let mut again = frame.clone();
            if told {
                again.number(1);
                *added = 1;
            }
            return [frame.bytes(), again.bytes()].concat();
        }
        Change::Replay => return frame.with(replayed).bytes(),
        Change::WrongParty => return frame.with(opposite).bytes(),
        Change::Oversize => {
            changed.announce(if told { u32::MAX } else { length as u32 | 1 << 31 });
            return changed.bytes();
        }
        Change::Reorder | Change::Delay | Change::Leave => {}
    }
    if told || change == Change::Empty {
        changed.announce(changed.payload.len() as u32);
    }
    changed.bytes()
}

/// Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014.
pub fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
