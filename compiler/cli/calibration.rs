//! `model.ranges.json`: what `ptc calibrate` saw of each value, for `ptc build`.
//!
//! `{"margin": 2.0, "ranges": {"blocks.0.scores": [-7.5, 9.25], ...}}`, names in order, so that the same samples make the
//! same file.

use std::collections::BTreeMap;
use std::path::Path;

use ptc_passes::options::Calibration;
use serde::Deserialize;

use crate::files::{self, FileError};

const MAX_BYTES: u64 = 256 << 20;

#[derive(Debug, thiserror::Error)]
pub enum CalibrationError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("`{place}` holds no ranges: {problem}\nhint: `ptc calibrate` writes such a file")]
    Malformed { place: String, problem: String },
    #[error("{0}\nhint: look for samples or weights on which the model overflows")]
    Impossible(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ranges {
    margin: f64,
    ranges: BTreeMap<String, (f64, f64)>,
}

pub fn read(path: &Path) -> Result<Calibration, CalibrationError> {
    let malformed = |problem: String| CalibrationError::Malformed { place: path.display().to_string(), problem };
    let text = files::read_text(path, MAX_BYTES)?;
    let Ranges { margin, ranges } = serde_json::from_str(&text).map_err(|error| malformed(error.to_string()))?;
    let calibration = Calibration { margin, seen: ranges };
    check(&calibration).map_err(malformed)?;
    Ok(calibration)
}

pub fn text(calibration: &Calibration) -> Result<String, CalibrationError> {
    check(calibration).map_err(CalibrationError::Impossible)?;
    let range = |(name, (low, high)): (&String, &(f64, f64))| {
        format!("    {}: [{}, {}]", serde_json::Value::from(name.as_str()), number(*low), number(*high))
    };
    let ranges: Vec<String> = calibration.seen.iter().map(range).collect();
    Ok(format!(
        "{{\n  \"margin\": {},\n  \"ranges\": {{\n{}\n  }}\n}}\n",
        number(calibration.margin),
        ranges.join(",\n")
    ))
}

/// The shortest text that reads as the same number.
fn number(x: f64) -> String {
    serde_json::Value::from(x).to_string()
}

fn check(calibration: &Calibration) -> Result<(), String> {
    let margin = calibration.margin;
    if !(margin >= 1.0 && margin.is_finite()) {
        return Err(format!("the margin is {margin}; 1 is the least, 2 is usual"));
    }
    for (name, (low, high)) in &calibration.seen {
        if !(low <= high && low.is_finite() && high.is_finite()) {
            return Err(format!("the range of `{}` is [{low}, {high}]", name.escape_debug()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(ranges: &[(&str, f64, f64)]) -> Calibration {
        Calibration {
            margin: 2.0,
            seen: ranges.iter().map(|&(name, low, high)| (name.to_string(), (low, high))).collect(),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.ranges.json");
        let calibration = seen(&[("a", -1.5, 0.1), ("b.\"c\"", 0.0, 1e-30)]);
        let expected = "{\n  \"margin\": 2.0,\n  \"ranges\": {\n    \"a\": [-1.5, 0.1],\n    \"b.\\\"c\\\"\": [0.0, 1e-30]\n  }\n}\n";
        assert_eq!(text(&calibration).unwrap(), expected);
        files::write(&path, expected.as_bytes()).unwrap();
        assert_eq!(read(&path).unwrap(), calibration);
        files::write(&path, text(&seen(&[])).unwrap().as_bytes()).unwrap();
        assert_eq!(read(&path).unwrap(), seen(&[]));
    }

    #[test]
    fn bad_files_say_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.ranges.json");
        let check = |text: &str, expected: &str| {
            std::fs::write(&path, text).unwrap();
            let message = read(&path).unwrap_err().to_string();
            assert!(message.contains(expected) && message.contains("m.ranges.json"), "{message:?} lacks {expected:?}");
        };
        check("{\"margin\": 0.5, \"ranges\": {}}", "the margin is 0.5");
        check("{\"margin\": 2, \"ranges\": {\"a\": [1, 0]}}", "the range of `a` is [1, 0]");
        check("{\"margin\": 2, \"ranges\": {\"a\": [null, 0]}}", "invalid type: null");
        check("{\"margin\": 2, \"ranges\": {\"a\": [0]}}", "invalid length 1");
        check("{\"margin\": 2, \"range\": {}}", "unknown field `range`");
        check("", "EOF");
        assert!(matches!(text(&seen(&[("a", 0.0, f64::INFINITY)])), Err(CalibrationError::Impossible(_))));
    }
}
