use half::{bf16, f16};
use ptc_plan::file::Trust;
use ptc_plan::step::ValueId;

use super::*;

/// Name, type, shape and bytes.
type Tensor<'a> = (&'a str, &'a str, &'a [usize], Vec<u8>);

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn single<'a>(name: &'a str, shape: &'a [usize], values: &[f32]) -> Tensor<'a> {
    (name, "F32", shape, bytes(values))
}

fn encode(tensors: &[Tensor]) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    let mut data = vec![];
    for (name, dtype, shape, bytes) in tensors {
        let start = data.len();
        data.extend(bytes);
        let info = serde_json::json!({ "dtype": dtype, "shape": shape, "data_offsets": [start, data.len()] });
        header.insert(name.to_string(), info);
    }
    let header = serde_json::to_vec(&header).unwrap();
    [&(header.len() as u64).to_le_bytes()[..], &header, &data].concat()
}

fn plan(parameters: &[(&str, &[usize], Owner)]) -> Plan {
    let parameter = |&(path, shape, owner): &(&str, &[usize], Owner)| Parameter {
        path: path.into(),
        shape: shape.to_vec(),
        owner,
        value: ValueId(0),
        limit: 4.0,
    };
    Plan {
        model: "M".into(),
        entry: "e".into(),
        trust: Trust::Dealer,
        parameters: parameters.iter().map(parameter).collect(),
        ..Plan::default()
    }
}

fn write(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// The message, or the names of what was loaded.
fn loaded(tensors: &[Tensor], plan: &Plan, party: Party, unused: &[&str]) -> Result<Vec<String>, String> {
    let (_folder, path) = write(&encode(tensors));
    let unused: Vec<String> = unused.iter().map(|prefix| prefix.to_string()).collect();
    match load(&path, plan, party, &unused) {
        Ok(tensors) => Ok(tensors.into_keys().collect()),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn every_type_of_float_is_read() {
    let check = |dtype: &str, data: Vec<u8>| {
        let (_folder, path) = write(&encode(&[("w", dtype, &[2], data)]));
        let read = read(&path, vec!["w".into()]).unwrap();
        assert_eq!(read["w"], FloatTensor::new(vec![2], vec![0.5, -3.0]), "{dtype}");
    };
    check("F32", bytes(&[0.5, -3.0]));
    check("F64", [0.5f64, -3.0].iter().flat_map(|x| x.to_le_bytes()).collect());
    check("F16", [0.5f32, -3.0].iter().flat_map(|&x| f16::from_f32(x).to_le_bytes()).collect());
    check("BF16", [0.5f32, -3.0].iter().flat_map(|&x| bf16::from_f32(x).to_le_bytes()).collect());
}

#[test]
fn each_party_gives_what_it_owns_and_the_server_what_is_public() {
    let plan = plan(&[("s", &[1], Owner::Server), ("p", &[1], Owner::Both), ("c", &[1], Owner::Client)]);
    let file = [single("s", &[1], &[1.0]), single("p", &[1], &[1.0]), single("c", &[1], &[1.0])];
    assert_eq!(loaded(&file, &plan, Party::Server, &[]), Ok(vec!["p".into(), "s".into()]));
    assert_eq!(loaded(&file[2..], &plan, Party::Client, &[]), Ok(vec!["c".into()]));
}

#[test]
fn every_misfit_is_named_at_once() {
    let plan = plan(&[
        ("block.0.query.weight", &[2, 1], Owner::Server),
        ("block.0.query.bias", &[2], Owner::Server),
        ("block.1.query.bias", &[2], Owner::Server),
        ("turned", &[2, 1], Owner::Server),
        ("large", &[2], Owner::Server),
        ("odd", &[2, 2], Owner::Server),
        ("whole", &[1], Owner::Both),
    ]);
    let file = [
        single("bert.block.0.query.weight", &[2, 1], &[0.0, 0.0]),
        single("block.0.qury.bias", &[2], &[0.0, 0.0]),
        single("turned", &[1, 2], &[0.0, 0.0]),
        single("large", &[2], &[0.0, -4.5]),
        single("odd", &[2, 2], &[0.0, 0.0, f32::NAN, f32::INFINITY]),
        ("whole", "I64", &[1], vec![0; 8]),
        single("pooler.dense.weight", &[1], &[0.0]),
        single("pooler.dense.bias", &[1], &[0.0]),
    ];
    let expected = "do not fit:
  `block.0.query.weight` is [2, 1] in the plan, and not in the file
    hint: the file has `bert.block.0.query.weight`
  `block.0.query.bias` is [2] in the plan, and not in the file
    hint: the file has `block.0.qury.bias`
  `block.1.query.bias` is [2] in the plan, and not in the file
    hint: the file has `block.0.qury.bias`
  `turned` is [2, 1] in the plan, [1, 2] in the file
    hint: it is transposed; `Conv1D` holds [IN, OUT], `Linear` [OUT, IN]
  `large` [2] has values of up to 4.5, the plan's rings hold 4
    hint: run `ptc calibrate` on these weights and build again
  `odd` [2, 2] has NaN at [1, 0]; 2 of its 4 values are not finite numbers
  `whole` [1] holds I64; F32, F64, F16 and BF16 can be read
  `bert.block.0.query.weight` is [2, 1] in the file, and not in the plan
  `block.0.qury.bias` is [2] in the file, and not in the plan
  `pooler.dense.bias` is [1] in the file, and not in the plan
  `pooler.dense.weight` is [1] in the file, and not in the plan
    hint: if the model does not need them, say so: `--unused bert --unused block.0.qury --unused pooler`";
    let message = loaded(&file, &plan, Party::Server, &[]).unwrap_err();
    assert!(message.ends_with(expected), "{message}");
}

#[test]
fn unused_tensors_are_said_by_name_or_by_the_beginning_before_a_dot() {
    let plan = plan(&[("w", &[1], Owner::Server)]);
    let file = [single("w", &[1], &[1.0]), ("pooler.ids", "I64", &[1], vec![0; 8]), single("poolers", &[1], &[0.0])];
    for unused in [&["pooler", "poolers"], &["pooler.", "poolers"], &["pooler.ids", "poolers"]] {
        assert_eq!(loaded(&file, &plan, Party::Server, unused), Ok(vec!["w".into()]), "{unused:?}");
    }
    let message = loaded(&file, &plan, Party::Server, &["pool", "pooler"]).unwrap_err();
    assert!(message.contains("`poolers` is") && !message.contains("`pooler.ids` is"), "{message}");
}

#[test]
fn doubles_beyond_single_precision_are_refused() {
    let (_folder, path) = write(&encode(&[("w", "F64", &[1], 1e300f64.to_le_bytes().to_vec())]));
    let message = read(&path, vec!["w".into(), "v".into()]).unwrap_err().to_string();
    assert!(message.contains("`w` has inf at [0]") && message.contains("`v` is not in the file"), "{message}");
}

#[test]
fn bytes_that_are_no_checkpoint_are_refused() {
    let good = encode(&[single("w", &[2], &[1.0, 2.0])]);
    let check = |bytes: &[u8]| {
        let (_folder, path) = write(bytes);
        let found = read(&path, vec!["w".into()]);
        assert!(matches!(found, Err(WeightsError::Malformed { .. })), "{} bytes", bytes.len());
    };
    for end in 0..good.len() {
        check(&good[..end]);
    }
    check(&[&good[..], &[0]].concat());
    check(&[&u64::MAX.to_le_bytes()[..], &good[8..]].concat());
    // Elements that overflow, and data that do not fill their shape.
    let bad = |from: &str, to: &str| {
        let header = String::from_utf8(good[8..good.len() - 8].to_vec()).unwrap().replace(from, to);
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &good[good.len() - 8..]].concat()
    };
    check(&bad("[2]", "[9223372036854775807,9]"));
    check(&bad("[2]", "[3]"));
    check(&bad("\"w\"", "\"\\u001b[2J\""));
    check(&bad("[0,8]", "[4,8]"));
    check(&bad("[0,8]", "[8,0]"));
    assert!(matches!(read(Path::new("/nowhere/x"), vec![]), Err(WeightsError::Read { .. })));
}

/// A folder with these files.
fn folder(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

const INDEX: &str = "model.safetensors.index.json";

fn index(map: &[(&str, &str)]) -> Vec<u8> {
    let map: BTreeMap<&str, &str> = map.iter().copied().collect();
    serde_json::to_vec(&serde_json::json!({ "metadata": {}, "weight_map": map })).unwrap()
}

#[test]
fn a_checkpoint_may_lie_in_several_files() {
    let (a, b) =
        (encode(&[single("a", &[1], &[1.0])]), encode(&[single("b", &[1], &[2.0]), single("c", &[1], &[3.0])]));
    let map = index(&[("a", "1.safetensors"), ("b", "2.safetensors"), ("c", "2.safetensors")]);
    let folder = folder(&[("1.safetensors", a), ("2.safetensors", b), (INDEX, map)]);
    for path in [folder.path().to_path_buf(), folder.path().join(INDEX)] {
        let read = read(&path, vec!["a".into(), "c".into()]).unwrap();
        assert_eq!((read["a"].data[0], read["c"].data[0]), (1.0, 3.0));
    }
    let plan = plan(&[("a", &[1], Owner::Server), ("b", &[1], Owner::Both)]);
    let message = load(folder.path(), &plan, Party::Server, &[]).unwrap_err().to_string();
    assert!(message.contains("`c` is [1] in the file, and not in the plan"), "{message}");
    assert_eq!(load(folder.path(), &plan, Party::Server, &["c".into()]).unwrap().len(), 2);
}

#[test]
fn a_folder_without_a_whole_checkpoint_is_refused() {
    let one = || encode(&[single("a", &[1], &[1.0])]);
    let check = |files: &[(&str, Vec<u8>)], part: &str| {
        let folder = folder(files);
        let message = read(folder.path(), vec!["a".into()]).unwrap_err().to_string();
        assert!(message.contains(part) && message.contains("hint: "), "{message}");
    };
    check(&[], "neither `model.safetensors` nor");
    check(&[(INDEX, b"[]".to_vec())], "is no index");
    check(&[(INDEX, index(&[("a", "../1.safetensors")]))], "beside the index");
    check(&[(INDEX, index(&[("a", "1.safetensors")]))], "cannot be read");
    let map = index(&[("a", "1.safetensors"), ("b", "2.safetensors")]);
    check(&[("1.safetensors", one()), ("2.safetensors", one()), (INDEX, map)], "`a` is in `");
}
