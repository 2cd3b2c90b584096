//! Where a session's seconds go.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Instant;

use ptc_plan::bill::Correlation;

/// Seconds by what they went into. Parts that run side by side are added up.
#[derive(Default)]
pub struct Spent(Mutex<BTreeMap<&'static str, f64>>);

/// In extending transfers.
pub const EXTENSION: &str = "extension";
/// In encrypting, multiplying and opening products of matrices.
pub const ENCRYPTION: &str = "encryption";
/// The same for products of elements, and in bringing their shares into the ring.
pub const SLOTS: &str = "encrypted elements";
pub const WRAPPING: &str = "encrypted elements";
/// For the other party and the link.
pub const WAITING: &str = "waiting";

impl Spent {
    /// What `work` yields, its seconds added.
    pub fn time<T>(&self, on: &'static str, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        let mut all = self.0.lock().expect("nobody panics while adding");
        *all.entry(on).or_default() += start.elapsed().as_secs_f64();
        result
    }

    /// By name.
    pub fn seconds(&self) -> Vec<(&'static str, f64)> {
        self.0.lock().expect("nobody panics while adding").iter().map(|(name, seconds)| (*name, *seconds)).collect()
    }
}

/// The kind of a correlation.
pub fn kind(correlation: &Correlation) -> &'static str {
    match correlation {
        Correlation::StaticMatMul { .. } => "static matrix products",
        Correlation::StaticMul { .. } => "static products",
        Correlation::CrossMatMul { .. } => "cross matrix products",
        Correlation::CrossMul { .. } => "cross products",
        Correlation::MatMul { .. } => "matrix triples",
        Correlation::Mul { .. } => "triples",
        Correlation::Square { .. } => "squares",
        Correlation::Wrap { .. } => "wraps",
        Correlation::Compare { .. } => "comparisons",
        Correlation::And { .. } => "bit triples",
        Correlation::BitToShare { .. } => "shared bits",
        Correlation::Gate { .. } => "gates",
        Correlation::Table { .. } => "tables",
    }
}
