//! Intervals that hold every result: ends are rounded outwards by a unit in the last place.

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

impl Interval {
    pub fn new(low: f64, high: f64) -> Interval {
        assert!(low <= high, "the interval {low}..{high}");
        Interval { low, high }
    }

    pub fn point(x: f64) -> Interval {
        Interval { low: x, high: x }
    }

    pub fn width(self) -> f64 {
        self.high - self.low
    }

    pub fn middle(self) -> f64 {
        self.low + (self.high - self.low) / 2.0
    }

    pub fn max_abs(self) -> f64 {
        self.low.abs().max(self.high.abs())
    }

    /// What rounding may have moved the ends by.
    fn outward(low: f64, high: f64) -> Interval {
        Interval { low: low.next_down(), high: high.next_up() }
    }

    pub fn plus(self, other: Interval) -> Interval {
        Interval::outward(self.low + other.low, self.high + other.high)
    }

    pub fn minus(self, other: Interval) -> Interval {
        Interval::outward(self.low - other.high, self.high - other.low)
    }

    pub fn times(self, other: Interval) -> Interval {
        let ends = [self.low * other.low, self.low * other.high, self.high * other.low, self.high * other.high];
        let low = ends.iter().copied().fold(f64::INFINITY, f64::min);
        Interval::outward(low, ends.iter().copied().fold(f64::NEG_INFINITY, f64::max))
    }

    /// `x²`, never negative.
    pub fn square(self) -> Interval {
        let (a, b) = (self.low * self.low, self.high * self.high);
        let low = if self.low <= 0.0 && self.high >= 0.0 { 0.0 } else { a.min(b).next_down().max(0.0) };
        Interval { low, high: a.max(b).next_up() }
    }

    /// The image under a function that never falls and is right to `relative`.
    pub fn rising(self, function: impl Fn(f64) -> f64, relative: f64) -> Interval {
        let (low, high) = (function(self.low), function(self.high));
        Interval::outward(low - low.abs() * relative, high + high.abs() * relative)
    }

    /// The image under a function that never rises.
    pub fn falling(self, function: impl Fn(f64) -> f64, relative: f64) -> Interval {
        Interval { low: -self.high, high: -self.low }.rising(|x| function(-x), relative)
    }

    pub fn scale(self, by: f64) -> Interval {
        self.times(Interval::point(by))
    }
}
