//! 32 bytes as 43 characters (RFC 4648, section 4, without padding). What is read may be a secret: no branch and no index
//! depends on it, but for the one answer whether it can be read.

use zeroize::Zeroizing;

/// Characters of 32 bytes.
const LENGTH: usize = 43;

pub(crate) fn encode(bytes: &[u8; 32]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(LENGTH));
    for at in 0..LENGTH {
        text.push(char::from(character(digit(bytes, at))));
    }
    text
}

/// None where the text is not exactly what [`encode`] makes.
pub(crate) fn decode(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let characters: &[u8; LENGTH] = text.as_bytes().as_array()?;
    let mut bytes = Zeroizing::new([0u8; 32]);
    let (mut wrong, mut left, mut bits) = (0u8, 0u32, 0);
    let mut filled = 0;
    for &character in characters {
        let digit = value(character);
        wrong |= digit & 0x80;
        left = left << 6 | u32::from(digit & 0x3f);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes[filled] = (left >> bits) as u8;
            filled += 1;
            left &= (1 << bits) - 1;
        }
    }
    // The last character has two bits beyond the 32 bytes.
    (wrong == 0 && left == 0).then_some(bytes)
}

/// Six bits from bit `6 · at` on.
fn digit(bytes: &[u8; 32], at: usize) -> u8 {
    let (byte, shift) = (6 * at / 8, 6 * at % 8);
    let next = bytes.get(byte + 1).copied().unwrap_or(0);
    let pair = u16::from_be_bytes([bytes[byte], next]);
    (pair >> (10 - shift)) as u8 & 0x3f
}

/// All ones where `low <= x <= high`, else zero.
fn within(x: u8, low: u8, high: u8) -> u8 {
    let (x, low, high) = (i16::from(x), i16::from(low), i16::from(high));
    !(((x - low) | (high - x)) >> 15) as u8
}

fn character(digit: u8) -> u8 {
    within(digit, 0, 25) & (digit.wrapping_add(b'A'))
        | within(digit, 26, 51) & (digit.wrapping_sub(26).wrapping_add(b'a'))
        | within(digit, 52, 61) & (digit.wrapping_sub(52).wrapping_add(b'0'))
        | within(digit, 62, 62) & b'+'
        | within(digit, 63, 63) & b'/'
}

/// The six bits of a character; the top bit where it is none.
fn value(character: u8) -> u8 {
    let (upper, lower) = (within(character, b'A', b'Z'), within(character, b'a', b'z'));
    let (number, plus, slash) =
        (within(character, b'0', b'9'), within(character, b'+', b'+'), within(character, b'/', b'/'));
    let known = upper | lower | number | plus | slash;
    upper & character.wrapping_sub(b'A')
        | lower & character.wrapping_sub(b'a').wrapping_add(26)
        | number & character.wrapping_sub(b'0').wrapping_add(52)
        | plus & 62
        | slash & 63
        | !known & 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(encode(&[0; 32]).as_str(), "A".repeat(43));
        assert_eq!(encode(&[0xff; 32]).as_str(), "/".repeat(42) + "8");
        for seed in 0..50u8 {
            let bytes: [u8; 32] =
                std::array::from_fn(|at| (at as u8).wrapping_mul(37).wrapping_add(seed.wrapping_mul(91)));
            assert_eq!(decode(&encode(&bytes)).as_deref(), Some(&bytes));
        }
    }

    #[test]
    fn characters_are_those_of_the_standard() {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        for (digit, &letter) in (0..64u8).zip(alphabet) {
            assert_eq!((character(digit), value(letter)), (letter, digit));
        }
        for other in (0..=255u8).filter(|other| !alphabet.contains(other)) {
            assert_eq!(value(other), 0x80);
        }
    }

    #[test]
    fn another_text_of_the_same_bytes_is_refused() {
        let text = "A".repeat(42);
        assert!(decode(&(text.clone() + "B")).is_none());
        assert!(decode(&(text.clone() + "=")).is_none());
        assert!(decode(&text).is_none());
    }
}
