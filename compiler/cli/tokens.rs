//! Texts to what an entry takes: token ids, the mask of those that are text, and which of two texts each belongs to.
//!
//! The tokenizer file's own truncation and padding are switched off: a long text is never cut in silence, and the length is
//! the entry's. What is cut, is cut as the file's library does it, so that a model sees what it was trained on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ptc_plan::file::InputKind;
use ptc_plan::float::FloatTensor;
use tokenizers::{Encoding, PostProcessor, Tokenizer, TruncationDirection, TruncationParams};

#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    #[error("`{}` is no tokenizer: {problem}\nhint: give the `tokenizer.json` of the checkpoint", path.display())]
    Malformed { path: PathBuf, problem: String },
    #[error("the text cannot be tokenized: {0}\nhint: check that it fits the tokenizer")]
    Text(String),
    #[error(
        "the text has {found} tokens, the plan takes {size}\n\
         hint: shorten it, add `--truncate`, or build for longer texts, e.g. `ptc build --dim S={found}`"
    )]
    TooLong { found: usize, size: usize },
    #[error("{size} tokens have no room for {special} special tokens and text\nhint: build with a larger size")]
    NoRoom { size: usize, special: usize },
    #[error(
        "the text has {found} tokens, the plan takes exactly {size}: without a mask, padding would be taken for text\n\
         hint: build for this length, e.g. `ptc build --dim S={found}`, or give the model a `mask: bit[S]`"
    )]
    TooShort { found: usize, size: usize },
    #[error(
        "a text fills one input of tokens, one of bits for its mask, and one of tokens named `{KINDS}` for pairs; this entry \
         has {0}\nhint: give them with `--input NAME=FILE`"
    )]
    Inputs(String),
}

/// The input that takes which of two texts a token belongs to. A tokenizer numbers them whether the model asks or not:
/// where there is no such input, it does not.
pub const KINDS: &str = "kinds";

/// A text, or two that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    pub text: String,
    pub pair: Option<String>,
}

impl Query {
    pub fn of(text: impl Into<String>) -> Query {
        Query { text: text.into(), pair: None }
    }
}

/// What becomes of a text with more tokens than the entry takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooLong {
    Refuse,
    /// Cut off, of a pair from the longer text first; special tokens stay.
    Cut,
}

/// Where padding goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Side {
    Left,
    /// Places are counted from the first token of the text, as models count them.
    #[default]
    Right,
}

/// A text as an entry takes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoded {
    pub arrays: BTreeMap<String, FloatTensor>,
    /// The tokens of the text itself, without special ones and padding.
    pub tokens: Vec<Token>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its place among the entry's.
    pub place: usize,
    pub text: String,
    /// Which of the texts, and where in it: characters, from 0.
    pub sequence: usize,
    pub start: usize,
    pub end: usize,
}

pub struct Tokens {
    tokenizer: Tokenizer,
    pad: u32,
    cut: TruncationDirection,
}

/// Name, kind and shape of an entry's input.
pub type Place = (String, InputKind, Vec<usize>);

impl Tokens {
    pub fn open(path: &Path) -> Result<Tokens, TokensError> {
        let malformed = |problem: String| TokensError::Malformed { path: path.into(), problem };
        let mut tokenizer = Tokenizer::from_file(path).map_err(|error| malformed(error.to_string()))?;
        // Where there is no such token the mask tells what is padding, and any id will do.
        let pad = match tokenizer.get_padding() {
            Some(padding) => padding.pad_id,
            None => ["[PAD]", "<pad>"].iter().find_map(|token| tokenizer.token_to_id(token)).unwrap_or(0),
        };
        let cut = tokenizer.get_truncation().map_or(TruncationDirection::Right, |truncation| truncation.direction);
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|error| malformed(error.to_string()))?;
        Ok(Tokens { tokenizer, pad, cut })
    }

    /// What fills the places behind a text.
    pub fn pad(&self) -> u32 {
        self.pad
    }

    /// The arrays for the entry's inputs of tokens and of bits; others are not this text's.
    pub fn inputs(
        &self,
        query: &Query,
        inputs: &[Place],
        too_long: TooLong,
        padding: Side,
    ) -> Result<Encoded, TokensError> {
        let places = places(inputs)?;
        let size = places.ids.2.iter().product();
        let mut encoding = encode(&self.tokenizer, query)?;
        let found = encoding.len();
        if found > size {
            match too_long {
                TooLong::Refuse => return Err(TokensError::TooLong { found, size }),
                TooLong::Cut => encoding = self.cut(query, size)?,
            }
        }
        let used = encoding.len();
        if places.mask.is_none() && used < size {
            return Err(TokensError::TooShort { found, size });
        }
        let before = match padding {
            Side::Left => size - used,
            Side::Right => 0,
        };
        // Ids stay below 2^24: that many rows no table has.
        let row = |values: &[u32], padding: u32| {
            let after = std::iter::repeat_n(padding, size - used - before);
            let all = std::iter::repeat_n(padding, before).chain(values.iter().copied()).chain(after);
            all.map(|value| value as f32).collect::<Vec<f32>>()
        };
        let mut arrays = BTreeMap::new();
        let mut put = |place: Option<&Place>, row: Vec<f32>| {
            if let Some((name, _, shape)) = place {
                arrays.insert(name.clone(), FloatTensor::new(shape.clone(), row));
            }
        };
        put(Some(places.ids), row(encoding.get_ids(), self.pad));
        put(places.kinds, row(encoding.get_type_ids(), 0));
        put(places.mask, row(&vec![1; used], 0));
        Ok(Encoded { arrays, tokens: tokens(&encoding, before) })
    }

    /// `size` tokens, special ones among them.
    fn cut(&self, query: &Query, size: usize) -> Result<Encoding, TokensError> {
        let processor = self.tokenizer.get_post_processor();
        let special = processor.map_or(0, |processor| processor.added_tokens(query.pair.is_some()));
        if size <= special {
            return Err(TokensError::NoRoom { size, special });
        }
        let mut cutting = self.tokenizer.clone();
        let truncation = TruncationParams { max_length: size, direction: self.cut, ..TruncationParams::default() };
        cutting.with_truncation(Some(truncation)).map_err(|error| TokensError::Text(error.to_string()))?;
        encode(&cutting, query)
    }
}

fn encode(tokenizer: &Tokenizer, query: &Query) -> Result<Encoding, TokensError> {
    let encoding = match &query.pair {
        Some(pair) => tokenizer.encode_char_offsets((query.text.as_str(), pair.as_str()), true),
        None => tokenizer.encode_char_offsets(query.text.as_str(), true),
    };
    encoding.map_err(|error| TokensError::Text(error.to_string()))
}

fn tokens(encoding: &Encoding, before: usize) -> Vec<Token> {
    let (special, sequences) = (encoding.get_special_tokens_mask(), encoding.get_sequence_ids());
    let all = encoding.get_tokens().iter().zip(encoding.get_offsets()).zip(special).zip(sequences).enumerate();
    let of_text = all.filter(|(_, ((_, special), _))| **special == 0);
    let token =
        |(at, (((text, offsets), _), sequence)): (usize, (((&String, &(usize, usize)), &u32), Option<usize>))| {
            let (start, end) = *offsets;
            Token { place: before + at, text: text.clone(), sequence: sequence.unwrap_or(0), start, end }
        };
    of_text.map(token).collect()
}

/// The inputs that a text fills.
struct Places<'a> {
    ids: &'a Place,
    kinds: Option<&'a Place>,
    mask: Option<&'a Place>,
}

fn places(inputs: &[Place]) -> Result<Places<'_>, TokensError> {
    let of = |kind| inputs.iter().filter(move |input| input.1 == kind);
    let (kinds, tokens): (Vec<_>, Vec<_>) = of(InputKind::Token).partition(|input| input.0 == KINDS);
    let (kinds, bits) = (kinds.first().copied(), of(InputKind::Bit).collect::<Vec<_>>());
    let (ids, mask) = match (&tokens[..], &bits[..]) {
        ([ids], []) => (*ids, None),
        ([ids], [mask]) => (*ids, Some(*mask)),
        (tokens, bits) => {
            let found = format!("{} of tokens and {} of bits", tokens.len(), bits.len());
            return Err(TokensError::Inputs(found));
        }
    };
    match [kinds, mask].into_iter().flatten().find(|other| other.2 != ids.2) {
        Some(other) => {
            Err(TokensError::Inputs(format!("`{}` of {:?} and `{}` of {:?}", ids.0, ids.2, other.0, other.2)))
        }
        None => Ok(Places { ids, kinds, mask }),
    }
}

#[cfg(test)]
mod tests;
