//! What the user decides for the passes: precision, tolerance, what calibration measured.

use std::collections::BTreeMap;

pub use ptc_ir::sensitivity::Gain;

/// Ranges of named values, seen on samples.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calibration {
    /// Factor by which a bound exceeds what the samples showed.
    pub margin: f64,
    /// Smallest and largest value seen.
    pub seen: BTreeMap<String, (f64, f64)>,
    /// Of weights that are matrices, by name.
    pub norms: BTreeMap<String, Norms>,
    /// For each output, by the name of a value, what errors of that value do to an element of the output.
    pub gains: BTreeMap<String, BTreeMap<String, Gain>>,
    /// How many samples were seen.
    pub samples: u64,
    /// Digest of model, sizes, weights and samples.
    pub digest: String,
}

/// Sizes of a matrix, which bound products by it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Norms {
    /// Largest sum of the absolute values of a row, and of a column.
    pub row_sum: f64,
    pub column_sum: f64,
    /// Largest Euclidean length of a row, and of a column.
    pub row_length: f64,
    pub column_length: f64,
    /// Largest factor by which the matrix lengthens a vector, estimated from below.
    pub spectral: f64,
}

impl Calibration {
    /// The bound for `name` with the margin applied: ends move away from zero by `margin`; a positive lower end is a
    /// scale (a variance, a sum of weights) and moves towards zero by its square.
    pub fn bound(&self, name: &str) -> Option<(f64, f64)> {
        let &(low, high) = self.seen.get(name)?;
        let spread = |end: f64| end * self.margin;
        let low = if low > 0.0 { low / (self.margin * self.margin) } else { spread(low) };
        Some((low, if high < 0.0 { high / self.margin } else { spread(high) }))
    }
}

/// Ways to compute a function that are all right and differ in price. The cheapest under the build's objective is searched
/// for by building with each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Recipes {
    pub maximum: Maximum,
    pub power: Power,
    pub normal: Normal,
    pub ramp: Ramp,
    pub rounds: Rounds,
}

/// What softmax subtracts from a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Maximum {
    /// The row's maximum on few bits, by comparing pairs.
    #[default]
    Tournament,
    /// The highest of a scale of levels that any element reaches: two look-ups, whatever the width.
    Levels,
    /// A bound of all rows, public.
    Bound,
}

/// Which exponents a power of two accepts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Power {
    /// Those that count; others are found by a comparison and removed.
    #[default]
    Clipped,
    /// All, by a wider table.
    Wide,
}

/// How a reciprocal or a reciprocal square root finds the octave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Normal {
    /// By comparisons with powers of two.
    #[default]
    Octaves,
    /// By tables of several resolutions, looked up side by side.
    Tables,
}

/// How GELU and its kind follow their middle piece.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Ramp {
    /// An even polynomial by repeated squares.
    #[default]
    Polynomial,
    /// A table of lines and one product.
    Lines,
}

/// What truncations spare where the one costs the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rounds {
    /// Bits of rings.
    #[default]
    Narrow,
    /// Rounds: a truncation that a wider ring makes unnecessary is left out.
    Few,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    pub calibration: Calibration,
    /// The graph is to be sampled: bounds that samples will show stay open.
    pub sampling: bool,
    /// Largest error that the approximation of one function may add, where the source declares none; the cheapest recipe
    /// within it is taken. Absent: the recipe that suits activations of 12 fraction bits.
    pub tolerance: Option<f64>,
    /// How often what a function may add is halved, so that results stay within their tolerance.
    pub finer: u32,
    pub recipes: Recipes,
    /// Queries that one run serves, if more than one.
    pub batch: Option<u32>,
    /// Fraction bits of activations between operators.
    pub activation_frac: u32,
    /// No shared value gets a narrower ring: one width for all, to compare with.
    pub least_ring: u32,
    /// Fraction bits of weights.
    pub weight_frac: u32,
    /// Largest absolute value assumed of a weight that no calibration has seen; a larger one is refused at load.
    pub weight_limit: f64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            calibration: Calibration { margin: 2.0, ..Calibration::default() },
            sampling: false,
            tolerance: None,
            finer: 0,
            recipes: Recipes::default(),
            batch: None,
            activation_frac: 12,
            least_ring: 1,
            weight_frac: 14,
            weight_limit: 4.0,
        }
    }
}

/// A graph that a pass cannot serve: where in the source, why, and what would mend it.
#[derive(Clone, Debug, PartialEq)]
pub struct PassError {
    /// Index into the graph's origins.
    pub origin: u32,
    pub message: String,
    pub hint: String,
    pub fault: Fault,
    /// Origins that explain, with what is to be said there.
    pub labels: Vec<(u32, String)>,
}

/// What kind of thing a pass cannot serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// There is no protocol or recipe.
    Unsupported,
    /// No ring holds it.
    TooWide,
    /// A result errs by more than its tolerance.
    TooInexact,
}
