use super::*;

fn named(name: &str, array: FloatTensor) -> BTreeMap<String, FloatTensor> {
    BTreeMap::from([(name.to_string(), array)])
}

/// What numpy 1.24 writes for `descr`, `order`, `shape` and these bytes of data.
fn npy_file(descr: &str, order: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

fn le<const N: usize, T: Copy>(values: &[T], bytes: fn(T) -> [u8; N]) -> Vec<u8> {
    values.iter().flat_map(|&value| bytes(value)).collect()
}

#[test]
fn every_type_of_number_is_read() {
    let check = |descr: &str, data: Vec<u8>, expected: &[f32]| {
        let read = npy::parse(&npy_file(descr, "False", "(2,)", &data)).unwrap();
        assert_eq!(read, FloatTensor::new(vec![2], expected.to_vec()), "{descr}");
    };
    check("<f4", le(&[1.5f32, -2.0], f32::to_le_bytes), &[1.5, -2.0]);
    check("<f8", le(&[0.1f64, -2.0], f64::to_le_bytes), &[0.1, -2.0]);
    check("<f2", le(&[half::f16::from_f32(0.5), half::f16::ONE], half::f16::to_le_bytes), &[0.5, 1.0]);
    check("<i8", le(&[30521i64, -1], i64::to_le_bytes), &[30521.0, -1.0]);
    check("<i4", le(&[1 << 24, -7i32], i32::to_le_bytes), &[16777216.0, -7.0]);
    check("<u4", le(&[5u32, 0], u32::to_le_bytes), &[5.0, 0.0]);
    check("<i2", le(&[5i16, -1], i16::to_le_bytes), &[5.0, -1.0]);
    check("<u2", le(&[5u16, 65535], u16::to_le_bytes), &[5.0, 65535.0]);
    check("|i1", vec![5, 255], &[5.0, -1.0]);
    check("|u1", vec![5, 255], &[5.0, 255.0]);
    check("|b1", vec![1, 0], &[1.0, 0.0]);
}

#[test]
fn column_major_arrays_become_row_major() {
    // [[1, 2, 3], [4, 5, 6]] by columns.
    let data = le(&[1f32, 4.0, 2.0, 5.0, 3.0, 6.0], f32::to_le_bytes);
    let read = npy::parse(&npy_file("<f4", "True", "(2, 3)", &data)).unwrap();
    assert_eq!(read, FloatTensor::new(vec![2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
}

#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    for shape in [vec![], vec![1], vec![6], vec![2, 3], vec![1, 3, 2, 1]] {
        let count: usize = shape.iter().product();
        let array = FloatTensor::new(shape, (0..count).map(|i| i as f32 * 0.1 - 0.2).collect());
        let path = folder.path().join("x.npy");
        std::fs::write(&path, npy(&named("x", array.clone())).unwrap()).unwrap();
        assert_eq!(read(&path).unwrap(), array);
        assert_eq!(std::fs::metadata(&path).unwrap().len() as usize % 64, 4 * count % 64);
        let text = json(&named("x", array.clone())).unwrap();
        assert_eq!(named_tensors(&text).unwrap(), named("x", array));
    }
}

#[test]
fn json_has_one_spelling() {
    let arrays = named("infer", FloatTensor::new(vec![3], vec![5.375, 0.0, 0.1]));
    assert_eq!(json(&arrays).unwrap(), "{\"infer\":{\"shape\":[3],\"data\":[5.375,0.0,0.1]}}\n");
    assert!(json(&named("x", FloatTensor::scalar(f32::NAN))).unwrap_err().to_string().contains("element 0 is NaN"));
}

#[test]
fn bad_npy_files_say_what_is_wrong() {
    let check = |bytes: &[u8], expected: &str| {
        let problem = npy::parse(bytes).unwrap_err();
        assert!(problem.contains(expected), "{problem:?} lacks {expected:?}");
    };
    let good = npy_file("<f4", "False", "(2,)", &[0; 8]);
    for end in 0..good.len() {
        assert!(npy::parse(&good[..end]).is_err());
    }
    check(b"PK\x03\x04", "does not start");
    check(&[&good[..], &[0]].concat(), "takes 8 bytes, and 9 follow");
    check(&npy_file("<f4", "False", "(99999999999, 99999999999)", &[]), "more than");
    check(&npy_file("<f4", "False", "(0,)", &[]), "no elements");
    check(&npy_file("<f4", "False", "(-1,)", &[]), "not a tuple of sizes");
    check(&npy_file("<f4", "Maybe", "(2,)", &[0; 8]), "fortran_order");
    check(&npy_file(">f4", "False", "(2,)", &[0; 8]), "big-endian");
    check(&npy_file("<c8", "False", "(1,)", &[0; 8]), "neither floats");
    check(&npy_file("|b1", "False", "(1,)", &[2]), "not a bool");
    check(&npy_file("<f4", "False", "(1,)", &f32::NAN.to_le_bytes()), "element 0 is NaN");
    check(&npy_file("<f8", "False", "(1,)", &1e300f64.to_le_bytes()), "beyond single precision");
    check(&npy_file("<i8", "False", "(1,)", &16777217i64.to_le_bytes()), "exact up to 16777216");
    check(&npy_file("<f4", "False", "(2,), 'more': 'x'", &[0; 8]), "an entry `more`");
    let mut structured = npy_file("<f4", "False", "(2,)", &[0; 8]);
    structured[10..25].copy_from_slice(b"{'descr': [('a'");
    check(&structured, "one plain type");
    let mut later = good.clone();
    later[6] = 9;
    check(&later, "format version is 9");
}

#[test]
fn bad_json_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.json");
    let check = |text: &str, expected: &str| {
        std::fs::write(&path, text).unwrap();
        let message = read(&path).unwrap_err().to_string();
        assert!(message.contains(expected) && message.contains("x.json"), "{message:?} lacks {expected:?}");
    };
    check("{\"shape\": [2], \"data\": [1]}", "shape [2] has 2 elements, `data` has 1");
    check("{\"shape\": [2]}", "missing field `data`");
    check("{\"shape\": [1], \"data\": [1], \"dtype\": 1}", "unknown field `dtype`");
    check("{\"shape\": [-2], \"data\": []}", "invalid value");
    check("{\"shape\": [1], \"data\": [null]}", "invalid type: null");
    check("{\"shape\": [1], \"data\": [1e40]}", "beyond single precision");
    check("{\"shape\": [0], \"data\": []}", "no elements");
    check("[1, 2", "hint: write {");
    let message = named_tensors("{\"x\": [1, 2]}").unwrap_err().to_string();
    assert!(message.contains("hint: write one object a line"), "{message}");
}

#[test]
fn a_file_for_results_has_a_known_form() {
    let both =
        BTreeMap::from([("a".to_string(), FloatTensor::scalar(1.0)), ("b".to_string(), FloatTensor::scalar(2.0))]);
    let message = npy(&both).unwrap_err().to_string();
    assert!(message.contains("there are 2: a, b"), "{message}");
    assert!(matches!(form(Path::new("x.txt")), Err(ArrayError::UnknownForm { .. })));
    assert_eq!(form(Path::new("x.NPY")).unwrap(), Form::Npy);
}

#[test]
fn rows_are_the_parts_along_the_first_axis() {
    let array = FloatTensor::new(vec![2, 3], (0..6).map(|x| x as f32).collect());
    let found = rows(&array);
    assert_eq!(found, [vec![0.0, 1.0, 2.0], vec![3.0, 4.0, 5.0]].map(|data| FloatTensor::new(vec![3], data)));
    assert_eq!(rows(&FloatTensor::new(vec![2], vec![5.0, 6.0])), [5.0, 6.0].map(FloatTensor::scalar));
}
