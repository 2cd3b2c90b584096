//! A model of many layers is built in seconds, searching for its recipes and its making included.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use ptc_driver::Request;
use ptc_driver::search::Search;
use ptc_passes::options::{Calibration, Options};
use ptc_plan::file::Trust;

/// Ranges of one layer serve all, each a little wider than the one before, so that layers differ as real ones do.
fn calibration(layers: u64) -> Calibration {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/bertlayer/bertlayer.ranges.json");
    let file: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut seen = BTreeMap::new();
    for layer in 0..layers {
        let wider = 1.0 + 0.1 * (layer * 7 % 5) as f64;
        for (name, range) in file["ranges"].as_object().unwrap() {
            let [low, high] = [0, 1].map(|end| range[end].as_f64().unwrap());
            let range = if low < 0.0 { (low * wider, high * wider) } else { (low, high) };
            seen.insert(format!("blocks.{layer}.{name}"), range);
        }
        seen.insert("x".into(), (-4.0, 4.0));
    }
    Calibration { margin: 2.0, seen, ..Calibration::default() }
}

/// Seconds; less in all than those of the processor where others use it.
fn seconds(layers: u64) -> f64 {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/deep/encoder.ptx");
    let text = std::fs::read_to_string(&path).unwrap();
    let request = Request {
        dims: BTreeMap::from([("LAYERS".to_string(), layers)]),
        passes: Options { calibration: calibration(layers), ..Options::default() },
        search: Some(Search::default()),
        ..Request::default()
    };
    let start = Instant::now();
    let built = ptc_driver::build(&path, &text, &request, Trust::default());
    let seconds = start.elapsed().as_secs_f64();
    match built {
        Ok(built) => assert!(built.generated.plan.steps.len() as u64 > 100 * layers),
        Err(failure) => panic!("{:?}", failure.diagnostics[0]),
    }
    seconds
}

/// One test, so that builds do not take each other's processors. Others may: on an idle machine each takes a third of this.
#[test]
fn deep_models_are_built_in_seconds() {
    for (layers, most) in [(12, 15.0), (48, 60.0)] {
        let seconds = seconds(layers);
        println!("{layers} layers: {seconds:.2} s");
        assert!(cfg!(debug_assertions) || seconds < most, "{layers} layers took {seconds} s");
    }
}
