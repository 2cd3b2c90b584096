//! The `.npy` format of numpy, versions 1 to 3 (numpy.lib.format).

use half::f16;
use ptc_plan::float::FloatTensor;

use super::{elements, single};

pub const MAGIC: &[u8] = b"\x93NUMPY";

pub const HINT: &str = "write it with `numpy.save(file, x.astype('float32'))`";

/// Headers of plain arrays have about a hundred bytes.
const MAX_HEADER: usize = 1 << 16;

pub fn parse(bytes: &[u8]) -> Result<FloatTensor, String> {
    let rest = bytes.strip_prefix(MAGIC).ok_or("it does not start as a `.npy` file does")?;
    let cut = || "it is cut short".to_string();
    let (&[major, _], rest) = rest.split_first_chunk().ok_or_else(cut)?;
    let (length, rest) = match major {
        1 => rest.split_first_chunk().map(|(&length, rest)| (u16::from_le_bytes(length) as usize, rest)),
        2 | 3 => rest.split_first_chunk().map(|(&length, rest)| (u32::from_le_bytes(length) as usize, rest)),
        _ => return Err(format!("its format version is {major}; 1, 2 and 3 can be read")),
    }
    .ok_or_else(cut)?;
    if length > MAX_HEADER {
        return Err(format!("its header has {length} bytes, more than {MAX_HEADER}"));
    }
    let (header, data) = rest.split_at_checked(length).ok_or_else(cut)?;
    let header = Header::parse(std::str::from_utf8(header).map_err(|_| "its header is not text")?)?;
    let count = elements(&header.shape)?;
    let number = Number::of(&header.descr)?;
    // At most 8 bytes for each of at most `MAX_ELEMENTS`.
    let expected = count * number.bytes();
    if data.len() != expected {
        return Err(format!(
            "shape {:?} of `{}` takes {expected} bytes, and {} follow its header",
            header.shape,
            header.descr,
            data.len()
        ));
    }
    let values = data.chunks_exact(number.bytes()).enumerate().map(|(at, bytes)| number.value(at, bytes));
    let values = values.collect::<Result<Vec<f32>, String>>()?;
    Ok(match header.fortran_order {
        true => row_major(header.shape, &values),
        false => FloatTensor::new(header.shape, values),
    })
}

/// Little-endian single precision, row major.
pub fn bytes(array: &FloatTensor) -> Vec<u8> {
    let sizes: Vec<String> = array.shape.iter().map(usize::to_string).collect();
    let comma = if sizes.len() == 1 { "," } else { "" };
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}{comma}), }}", sizes.join(", "));
    // The data starts at a multiple of 64; the header's last byte ends its line.
    let before = MAGIC.len() + 4;
    let padding = 63 - (before + header.len()) % 64;
    header.extend(std::iter::repeat_n(' ', padding));
    header.push('\n');
    let mut bytes = MAGIC.to_vec();
    bytes.extend([1, 0]);
    let length = u16::try_from(header.len()).expect("a tensor's few axes make a short header");
    bytes.extend(length.to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(array.data.iter().flat_map(|x| x.to_le_bytes()));
    bytes
}

/// From first-axis-fastest to last-axis-fastest.
fn row_major(shape: Vec<usize>, values: &[f32]) -> FloatTensor {
    let mut strides = vec![1; shape.len()];
    for axis in 1..shape.len() {
        strides[axis] = strides[axis - 1] * shape[axis - 1];
    }
    let mut data = Vec::with_capacity(values.len());
    let mut index = vec![0; shape.len()];
    for _ in 0..values.len() {
        data.push(values[index.iter().zip(&strides).map(|(i, stride)| i * stride).sum::<usize>()]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    FloatTensor::new(shape, data)
}

#[derive(Clone, Copy)]
enum Number {
    Bool,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    F16,
    F32,
    F64,
}

impl Number {
    fn of(descr: &str) -> Result<Number, String> {
        Ok(match descr {
            "|b1" => Number::Bool,
            "|i1" => Number::I8,
            "<i2" => Number::I16,
            "<i4" => Number::I32,
            "<i8" => Number::I64,
            "|u1" => Number::U8,
            "<u2" => Number::U16,
            "<u4" => Number::U32,
            "<f2" => Number::F16,
            "<f4" => Number::F32,
            "<f8" => Number::F64,
            _ if descr.starts_with('>') => return Err(format!("its numbers (`{descr}`) are big-endian")),
            _ => return Err(format!("its numbers (`{descr}`) are neither floats, nor integers, nor bool")),
        })
    }

    fn bytes(self) -> usize {
        match self {
            Number::Bool | Number::I8 | Number::U8 => 1,
            Number::I16 | Number::U16 | Number::F16 => 2,
            Number::I32 | Number::U32 | Number::F32 => 4,
            Number::I64 | Number::F64 => 8,
        }
    }

    /// `bytes` has exactly [`Number::bytes`] of them.
    fn value(self, at: usize, bytes: &[u8]) -> Result<f32, String> {
        match self {
            Number::Bool => match bytes[0] {
                truth @ (0 | 1) => Ok(truth.into()),
                other => Err(format!("element {at} is {other}, not a bool")),
            },
            Number::I8 => Ok(i8::from_le_bytes([bytes[0]]).into()),
            Number::U8 => Ok(bytes[0].into()),
            Number::I16 => Ok(i16::from_le_bytes([bytes[0], bytes[1]]).into()),
            Number::U16 => Ok(u16::from_le_bytes([bytes[0], bytes[1]]).into()),
            Number::F16 => single(at, f16::from_le_bytes([bytes[0], bytes[1]]).to_f64()),
            Number::I32 => whole(at, i32::from_le_bytes(word(bytes)).into()),
            Number::U32 => whole(at, u32::from_le_bytes(word(bytes)).into()),
            Number::F32 => single(at, f32::from_le_bytes(word(bytes)).into()),
            Number::I64 => whole(at, i64::from_le_bytes(word(bytes))),
            Number::F64 => single(at, f64::from_le_bytes(word(bytes))),
        }
    }
}

fn word<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("chunks of a number's size")
}

/// Whole numbers stay exact: a token's neighbour is another token.
fn whole(at: usize, x: i64) -> Result<f32, String> {
    const EXACT: u64 = 1 << f32::MANTISSA_DIGITS;
    match x.unsigned_abs() <= EXACT {
        true => Ok(x as f32),
        false => Err(format!("element {at} is {x}; whole numbers are exact up to {EXACT}")),
    }
}

/// The header is a Python dictionary of three entries.
struct Header {
    descr: String,
    fortran_order: bool,
    shape: Vec<usize>,
}

impl Header {
    fn parse(text: &str) -> Result<Header, String> {
        let mut scanner = Scanner { rest: text.trim() };
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        scanner.expect('{')?;
        while !scanner.take('}') {
            let key = scanner.string()?;
            scanner.expect(':')?;
            match key {
                "descr" => descr = Some(scanner.string()?.to_string()),
                "fortran_order" => fortran_order = Some(scanner.truth()?),
                "shape" => shape = Some(scanner.sizes()?),
                _ => return Err(format!("its header has an entry `{}`", key.escape_debug())),
            }
            if !scanner.take(',') {
                scanner.expect('}')?;
                break;
            }
        }
        match (descr, fortran_order, shape, scanner.rest) {
            (Some(descr), Some(fortran_order), Some(shape), "") => Ok(Header { descr, fortran_order, shape }),
            _ => Err("its header is not `descr`, `fortran_order` and `shape`".into()),
        }
    }
}

struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    fn take(&mut self, wanted: char) -> bool {
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, wanted: char) -> Result<(), String> {
        match self.take(wanted) {
            true => Ok(()),
            false => Err(format!("its header has no `{wanted}` where one belongs")),
        }
    }

    fn string(&mut self) -> Result<&'a str, String> {
        let quote = self.rest.chars().next().filter(|c| matches!(c, '\'' | '"'));
        let closed = quote.and_then(|quote| self.rest[1..].split_once(quote));
        let (string, rest) = closed.ok_or("its numbers are not of one plain type")?;
        self.rest = rest.trim_start();
        Ok(string)
    }

    fn truth(&mut self) -> Result<bool, String> {
        for (word, truth) in [("True", true), ("False", false)] {
            if let Some(rest) = self.rest.strip_prefix(word) {
                self.rest = rest.trim_start();
                return Ok(truth);
            }
        }
        Err("`fortran_order` is neither True nor False".into())
    }

    fn sizes(&mut self) -> Result<Vec<usize>, String> {
        let mut sizes = vec![];
        self.expect('(')?;
        while !self.take(')') {
            let digits = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
            let (size, rest) = self.rest.split_at(digits);
            sizes.push(size.parse().map_err(|_| "its `shape` is not a tuple of sizes")?);
            // Python 2 wrote `3L`.
            self.rest = rest.strip_prefix('L').unwrap_or(rest).trim_start();
            if !self.take(',') {
                self.expect(')')?;
                break;
            }
        }
        Ok(sizes)
    }
}
