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
        "pair": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                 {"SpecialToken": {"id": "[SEP]", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}},
                 {"SpecialToken": {"id": "[SEP]", "type_id": 1}}],
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
    let found = open(TOKENIZER).unwrap().inputs(&Query::of(text), &entry(size, true), too_long, Side::Right);
    match (found, expected) {
        (Ok(Encoded { arrays, .. }), Ok((ids, used))) => {
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
    let inputs = |text: &str| tokens.inputs(&Query::of(text), &entry(4, false), TooLong::Refuse, Side::Right);
    assert_eq!(inputs("a b").unwrap().arrays.len(), 1);
    let error = inputs("a").unwrap_err();
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
        let message = tokens.inputs(&Query::of("a"), &inputs, TooLong::Refuse, Side::Right).unwrap_err().to_string();
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

fn with_kinds(size: usize) -> Vec<Place> {
    let mut inputs = entry(size, true);
    inputs.push(("kinds".to_string(), InputKind::Token, vec![size]));
    inputs
}

fn check_pair(text: &str, pair: &str, size: usize, ids: &[f32], kinds: &[f32]) {
    let query = Query { text: text.into(), pair: Some(pair.into()) };
    let found = open(TOKENIZER).unwrap().inputs(&query, &with_kinds(size), TooLong::Cut, Side::Right).unwrap();
    assert_eq!(found.arrays["ids"].data, ids);
    assert_eq!(found.arrays["kinds"].data, kinds);
}

#[test]
fn a_pair_says_which_text_a_token_belongs_to() {
    check_pair("a b", "c", 7, &[0.0, 3.0, 4.0, 1.0, 5.0, 1.0, 9.0], &[0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0]);
    // The longer text is cut first.
    check_pair("a b c d", "c", 6, &[0.0, 3.0, 4.0, 1.0, 5.0, 1.0], &[0.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
    check_pair("a", "b c d", 6, &[0.0, 3.0, 1.0, 4.0, 5.0, 1.0], &[0.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
    let one = open(TOKENIZER).unwrap().inputs(&Query::of("a"), &with_kinds(4), TooLong::Refuse, Side::Right).unwrap();
    assert_eq!(one.arrays["kinds"].data, [0.0; 4]);
    let no_room = Query { text: "a".into(), pair: Some("b".into()) };
    let error = open(TOKENIZER).unwrap().inputs(&no_room, &with_kinds(3), TooLong::Cut, Side::Right).unwrap_err();
    assert!(matches!(error, TokensError::NoRoom { size: 3, special: 3 }), "{error}");
}

#[test]
fn tokens_of_the_text_are_known_by_place_and_characters() {
    for (padding, first) in [(Side::Right, 1), (Side::Left, 3)] {
        let query = Query::of("\u{e9} b");
        let found = open(TOKENIZER).unwrap().inputs(&query, &entry(6, true), TooLong::Refuse, padding).unwrap();
        let token = |place, text: &str, start, end| Token { place, text: text.into(), sequence: 0, start, end };
        assert_eq!(found.tokens, [token(first, "?", 0, 1), token(first + 1, "b", 2, 3)]);
        assert_eq!(found.arrays["mask"].data[first], 1.0);
    }
}

#[test]
fn padding_may_stand_before_the_text() {
    let found = open(TOKENIZER).unwrap().inputs(&Query::of("a"), &with_kinds(5), TooLong::Refuse, Side::Left).unwrap();
    assert_eq!(found.arrays["ids"].data, [9.0, 9.0, 0.0, 3.0, 1.0]);
    assert_eq!(found.arrays["mask"].data, [0.0, 0.0, 1.0, 1.0, 1.0]);
}

#[test]
fn the_file_says_which_end_is_cut() {
    let left =
        TOKENIZER.replacen("\"direction\": \"Right\", \"max_length\"", "\"direction\": \"Left\", \"max_length\"", 1);
    let found = open(&left).unwrap().inputs(&Query::of("a b c d"), &entry(4, true), TooLong::Cut, Side::Right).unwrap();
    assert_eq!(found.arrays["ids"].data, [0.0, 5.0, 6.0, 1.0]);
}
