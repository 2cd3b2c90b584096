//! `model.ranges.json`: what `ptc calibrate` saw of each value, for `ptc build`.
//!
//! ```text
//! {
//!   "margin": 2.0,
//!   "samples": 12,
//!   "digest": "9f86d081884c7d65",
//!   "ranges": {"blocks.0.scores": [-7.5, 9.25], ...},
//!   "norms": {"blocks.0.query.weight": [row sum, column sum, row length, column length, spectral], ...},
//!   "gains": {"embed": {"blocks.0.scores": [noise, drift, relative noise, relative drift], ...}}
//! }
//! ```
//! Names in order, so that the same samples make the same file. Only margin and ranges must be there: a file without gains
//! leaves the error of results without a calibrated bound.

use std::collections::BTreeMap;
use std::path::Path;

use ptc_passes::options::{Calibration, Gain, Norms};
use serde::Deserialize;

use crate::files::{self, FileError};

const MAX_BYTES: u64 = 256 << 20;
/// Digits of what is an estimate anyway.
const DIGITS: i32 = 4;

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
struct Measured {
    margin: f64,
    ranges: BTreeMap<String, (f64, f64)>,
    #[serde(default)]
    samples: u64,
    #[serde(default)]
    digest: String,
    #[serde(default)]
    norms: BTreeMap<String, [f64; 5]>,
    #[serde(default)]
    gains: BTreeMap<String, BTreeMap<String, [f64; 4]>>,
}

pub fn read(path: &Path) -> Result<Calibration, CalibrationError> {
    let malformed = |problem: String| CalibrationError::Malformed { place: path.display().to_string(), problem };
    let text = files::read_text(path, MAX_BYTES)?;
    let Measured { margin, ranges, samples, digest, norms, gains } =
        serde_json::from_str(&text).map_err(|error| malformed(error.to_string()))?;
    let norms = norms.into_iter().map(|(name, [row_sum, column_sum, row_length, column_length, spectral])| {
        (name, Norms { row_sum, column_sum, row_length, column_length, spectral })
    });
    let gain = |(name, [noise, drift, relative_noise, relative_drift]): (String, [f64; 4])| {
        (name, Gain { noise, drift, relative_noise, relative_drift })
    };
    let of_output = |gains: BTreeMap<String, [f64; 4]>| gains.into_iter().map(gain).collect();
    let gains = gains.into_iter().map(|(output, gains)| (output, of_output(gains))).collect();
    let calibration = Calibration { margin, seen: ranges, norms: norms.collect(), gains, samples, digest };
    check(&calibration).map_err(malformed)?;
    Ok(calibration)
}

pub fn text(calibration: &Calibration) -> Result<String, CalibrationError> {
    check(calibration).map_err(CalibrationError::Impossible)?;
    let range = |(name, (low, high)): (&String, &(f64, f64))| {
        format!("    {}: [{}, {}]", quoted(name), number(*low), number(*high))
    };
    let norms = |(name, norms): (&String, &Norms)| {
        let Norms { row_sum, column_sum, row_length, column_length, spectral } = *norms;
        format!("    {}: {}", quoted(name), list(&[row_sum, column_sum, row_length, column_length, spectral]))
    };
    let gain = |(name, gain): (&String, &Gain)| {
        let Gain { noise, drift, relative_noise, relative_drift } = *gain;
        format!("      {}: {}", quoted(name), list(&[noise, drift, relative_noise, relative_drift]))
    };
    let of_output = |(output, gains): (&String, &BTreeMap<String, Gain>)| {
        format!("    {}: {{\n{}\n    }}", quoted(output), lines(gains.iter().map(gain)))
    };
    Ok(format!(
        "{{\n  \"margin\": {},\n  \"samples\": {},\n  \"digest\": {},\n  \"ranges\": {{\n{}\n  }},\n  \"norms\": {{\n{}\n  \
         }},\n  \"gains\": {{\n{}\n  }}\n}}\n",
        number(calibration.margin),
        calibration.samples,
        quoted(&calibration.digest),
        lines(calibration.seen.iter().map(range)),
        lines(calibration.norms.iter().map(norms)),
        lines(calibration.gains.iter().map(of_output)),
    ))
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.collect::<Vec<_>>().join(",\n")
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The shortest text that reads as the same number.
fn number(x: f64) -> String {
    serde_json::Value::from(x).to_string()
}

/// Rounded up to few digits.
fn list(numbers: &[f64]) -> String {
    let short = |&x: &f64| {
        if x == 0.0 {
            return "0".to_string();
        }
        let unit = 10f64.powi(x.abs().log10().floor() as i32 + 1 - DIGITS);
        format!("{:e}", format!("{:.*e}", DIGITS as usize - 1, (x / unit).ceil() * unit).parse::<f64>().unwrap_or(x))
    };
    format!("[{}]", numbers.iter().map(short).collect::<Vec<_>>().join(", "))
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
    let size = |x: &f64| *x >= 0.0 && x.is_finite();
    for (name, norms) in &calibration.norms {
        let Norms { row_sum, column_sum, row_length, column_length, spectral } = norms;
        if ![row_sum, column_sum, row_length, column_length, spectral].into_iter().all(size) {
            return Err(format!("a norm of `{}` is not a size", name.escape_debug()));
        }
    }
    for (name, gain) in calibration.gains.values().flatten() {
        let Gain { noise, drift, relative_noise, relative_drift } = gain;
        if ![noise, drift, relative_noise, relative_drift].into_iter().all(size) {
            return Err(format!("a gain of `{}` is not a size", name.escape_debug()));
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
            ..Calibration::default()
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.ranges.json");
        let mut calibration = seen(&[("a", -1.5, 0.1), ("b.\"c\"", 0.0, 1e-30)]);
        calibration.samples = 3;
        calibration.digest = "00ff".into();
        let norms = Norms { row_sum: 1.0, column_sum: 0.25, row_length: 3.125, column_length: 0.0, spectral: 0.5 };
        calibration.norms.insert("a".into(), norms);
        let gain = Gain { noise: 0.5, drift: 1e5, relative_noise: 0.0, relative_drift: 1.001 };
        calibration.gains.insert("e".into(), BTreeMap::from([("a".to_string(), gain)]));
        files::write(&path, text(&calibration).unwrap().as_bytes()).unwrap();
        assert_eq!(read(&path).unwrap(), calibration);
        files::write(&path, text(&seen(&[])).unwrap().as_bytes()).unwrap();
        assert_eq!(read(&path).unwrap(), seen(&[]));
    }

    #[test]
    fn a_file_of_ranges_alone_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.ranges.json");
        std::fs::write(&path, "{\"margin\": 2.0, \"ranges\": {\"a\": [-1, 2]}}").unwrap();
        assert_eq!(read(&path).unwrap(), seen(&[("a", -1.0, 2.0)]));
    }

    #[test]
    fn estimates_are_rounded_up() {
        assert_eq!(list(&[0.0, 1.00001, 123456.0, 9.9999e-5]), "[0, 1.001e0, 1.235e5, 1e-4]");
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
        check("{\"margin\": 2, \"ranges\": {}, \"norms\": {\"w\": [1, 2, 3, 4]}}", "invalid length 4");
        check("{\"margin\": 2, \"ranges\": {}, \"gains\": {\"e\": {\"w\": [1, -2, 3, 4]}}}", "a gain of `w`");
        check("", "EOF");
        assert!(matches!(text(&seen(&[("a", 0.0, f64::INFINITY)])), Err(CalibrationError::Impossible(_))));
    }
}
