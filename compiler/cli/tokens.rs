//! Text to what an entry takes: token ids, and the mask of those that are text.
//!
//! The tokenizer file's own truncation and padding are switched off: a long text is never cut in silence, and the length is
//! the entry's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ptc_plan::file::InputKind;
use ptc_plan::float::FloatTensor;
use tokenizers::{Encoding, Tokenizer};

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
        "a text fills one input of tokens and one of bits, this entry has {0}\nhint: give them with `--input NAME=FILE`"
    )]
    Inputs(String),
}

/// What becomes of a text with more tokens than the entry takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooLong {
    Refuse,
    /// The end is cut off; closing special tokens stay.
    Cut,
}

pub struct Tokens {
    tokenizer: Tokenizer,
    pad: u32,
}

impl Tokens {
    pub fn open(path: &Path) -> Result<Tokens, TokensError> {
        let malformed = |problem: String| TokensError::Malformed { path: path.into(), problem };
        let mut tokenizer = Tokenizer::from_file(path).map_err(|error| malformed(error.to_string()))?;
        let pad = match tokenizer.get_padding() {
            Some(padding) => padding.pad_id,
            None => ["[PAD]", "<pad>"].iter().find_map(|token| tokenizer.token_to_id(token)).unwrap_or(0),
        };
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|error| malformed(error.to_string()))?;
        Ok(Tokens { tokenizer, pad })
    }

    /// What fills the places behind a text.
    pub fn pad(&self) -> u32 {
        self.pad
    }

    /// The arrays for the entry's inputs (name, kind, shape) of tokens and of bits; others are not this text's.
    pub fn inputs(
        &self,
        text: &str,
        inputs: &[(String, InputKind, Vec<usize>)],
        too_long: TooLong,
    ) -> Result<BTreeMap<String, FloatTensor>, TokensError> {
        let (ids, mask) = places(inputs)?;
        let size = ids.2.iter().product();
        let encoding = self.tokenizer.encode(text, true).map_err(|error| TokensError::Text(error.to_string()))?;
        let found = encoding.len();
        let mut tokens: Vec<u32> = encoding.get_ids().to_vec();
        match too_long {
            _ if found <= size => {}
            TooLong::Refuse => return Err(TokensError::TooLong { found, size }),
            TooLong::Cut => cut(&mut tokens, &encoding, size)?,
        }
        let used = tokens.len();
        tokens.resize(size, self.pad);
        // Ids stay below 2^24: that many rows no table has.
        let mut arrays = BTreeMap::new();
        arrays.insert(ids.0.clone(), FloatTensor::new(ids.2.clone(), tokens.iter().map(|&id| id as f32).collect()));
        match mask {
            Some(mask) => {
                let bits = (0..size).map(|at| if at < used { 1.0 } else { 0.0 });
                arrays.insert(mask.0.clone(), FloatTensor::new(mask.2.clone(), bits.collect()));
            }
            None if used < size => return Err(TokensError::TooShort { found, size }),
            None => {}
        }
        Ok(arrays)
    }
}

type Place = (String, InputKind, Vec<usize>);

/// The input for the ids, and the one for the mask if there is one.
fn places(inputs: &[Place]) -> Result<(&Place, Option<&Place>), TokensError> {
    let of = |kind| inputs.iter().filter(move |input| input.1 == kind).collect::<Vec<_>>();
    match (&of(InputKind::Token)[..], &of(InputKind::Bit)[..]) {
        ([ids], []) => Ok((ids, None)),
        ([ids], [mask]) if ids.2 == mask.2 => Ok((ids, Some(mask))),
        ([ids], [mask]) => {
            Err(TokensError::Inputs(format!("`{}` of {:?} and `{}` of {:?}", ids.0, ids.2, mask.0, mask.2)))
        }
        (tokens, bits) => Err(TokensError::Inputs(format!("{} of tokens and {} of bits", tokens.len(), bits.len()))),
    }
}

/// Leaves `size` tokens, the special ones at the end among them.
fn cut(tokens: &mut Vec<u32>, encoding: &Encoding, size: usize) -> Result<(), TokensError> {
    let special = encoding.get_special_tokens_mask();
    let closing = special.iter().rev().take_while(|&&special| special == 1).count();
    let opening = special.iter().take_while(|&&special| special == 1).count();
    if size <= opening + closing {
        return Err(TokensError::NoRoom { size, special: opening + closing });
    }
    tokens.drain(size - closing..tokens.len() - closing);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words, `[CLS]` before and `[SEP]` behind; truncation to 3 and padding to 8 with token 9 are switched on.
    const TOKENIZER: &str = r#"{
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0},
        "padding": {"strategy": {"Fixed": 8}, "direction": "Right", "pad_to_multiple_of": null,
                    "pad_id": 9, "pad_type_id": 0, "pad_token": "[PAD]"},
        "added_tokens": [
            {"id": 0, "content": "[CLS]", "single_word": false, "lstrip": false, "rstrip": false,
             "normalized": false, "special": true},
            {"id": 1, "content": "[SEP]", "single_word": false, "lstrip": false, "rstrip": false,
             "normalized": false, "special": true}],
        "normalizer": null,
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                       {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [0], "tokens": ["[CLS]"]},
                               "[SEP]": {"id": "[SEP]", "ids": [1], "tokens": ["[SEP]"]}}},
        "decoder": null,
        "model": {"type": "WordLevel", "unk_token": "?",
                  "vocab": {"[CLS]": 0, "[SEP]": 1, "?": 2, "a": 3, "b": 4, "c": 5, "d": 6, "[PAD]": 7}}
    }"#;

    fn open(text: &str) -> Result<Tokens, TokensError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        std::fs::write(&path, text).unwrap();
        Tokens::open(&path)
    }

    fn entry(size: usize, mask: bool) -> Vec<Place> {
        let mut inputs = vec![
            ("x".to_string(), InputKind::Real, vec![7]),
            ("ids".to_string(), InputKind::Token, vec![size]),
            ("mask".to_string(), InputKind::Bit, vec![size]),
        ];
        inputs.truncate(if mask { 3 } else { 2 });
        inputs
    }

    fn check(text: &str, size: usize, too_long: TooLong, expected: Result<(&[f32], usize), &str>) {
        let found = open(TOKENIZER).unwrap().inputs(text, &entry(size, true), too_long);
        match (found, expected) {
            (Ok(arrays), Ok((ids, used))) => {
                assert_eq!(arrays["ids"], FloatTensor::new(vec![size], ids.to_vec()), "{text}");
                let mask = &arrays["mask"].data;
                assert!(mask[..used].iter().all(|&bit| bit == 1.0) && mask[used..].iter().all(|&bit| bit == 0.0));
                assert_eq!(arrays.len(), 2);
            }
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (found, expected) => panic!("{:?} is not {expected:?}", found.map_err(|error| error.to_string())),
        }
    }

    #[test]
    fn a_text_is_padded_to_the_entry_and_never_cut_in_silence() {
        check("a b", 6, TooLong::Refuse, Ok((&[0.0, 3.0, 4.0, 1.0, 9.0, 9.0], 4)));
        check("a b c d", 6, TooLong::Refuse, Ok((&[0.0, 3.0, 4.0, 5.0, 6.0, 1.0], 6)));
        check("a b c d a", 6, TooLong::Refuse, Err("the text has 7 tokens, the plan takes 6"));
        check("", 3, TooLong::Refuse, Ok((&[0.0, 1.0, 9.0], 2)));
    }

    #[test]
    fn a_cut_text_keeps_its_closing_token() {
        check("a b c d a", 4, TooLong::Cut, Ok((&[0.0, 3.0, 4.0, 1.0], 4)));
        check("a b c d a", 3, TooLong::Cut, Ok((&[0.0, 3.0, 1.0], 3)));
        check("a b c d a", 2, TooLong::Cut, Err("2 tokens have no room for 2 special tokens"));
        check("a b", 6, TooLong::Cut, Ok((&[0.0, 3.0, 4.0, 1.0, 9.0, 9.0], 4)));
        // A closing token in the text is text.
        check("a b [SEP]", 4, TooLong::Cut, Ok((&[0.0, 3.0, 4.0, 1.0], 4)));
    }

    #[test]
    fn without_a_mask_the_length_must_fit() {
        let tokens = open(TOKENIZER).unwrap();
        assert_eq!(tokens.inputs("a b", &entry(4, false), TooLong::Refuse).unwrap().len(), 1);
        let error = tokens.inputs("a", &entry(4, false), TooLong::Refuse).unwrap_err();
        assert!(matches!(error, TokensError::TooShort { found: 3, size: 4 }), "{error}");
    }

    #[test]
    fn an_entry_without_a_place_for_text_is_named() {
        let tokens = open(TOKENIZER).unwrap();
        for (inputs, expected) in [
            (vec![], "0 of tokens and 0 of bits"),
            ([entry(4, true), entry(4, true)].concat(), "2 of tokens and 2 of bits"),
            ([entry(4, false), entry(5, true)[2..].to_vec()].concat(), "`ids` of [4] and `mask` of [5]"),
        ] {
            let message = tokens.inputs("a", &inputs, TooLong::Refuse).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn padding_is_the_file_s_or_the_pad_token_or_zero() {
        let pad = |text: String| open(&text).unwrap().pad;
        let start = TOKENIZER.find("\"padding\"").unwrap();
        let end = TOKENIZER.find("\"added_tokens\"").unwrap();
        let silent = format!("{}{}", &TOKENIZER[..start], &TOKENIZER[end..]);
        assert_eq!(pad(TOKENIZER.to_string()), 9);
        assert_eq!(pad(silent.clone()), 7);
        assert_eq!(pad(silent.replace("[PAD]", "nothing")), 0);
        assert!(matches!(open("{}"), Err(TokensError::Malformed { .. })));
    }
}
