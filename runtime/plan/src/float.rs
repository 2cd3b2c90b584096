//! Dense tensors of `f32`, row major: values that somebody may see.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FloatTensor {
    pub shape: Vec<usize>,
    pub data: Vec<f32>,
}

impl FloatTensor {
    /// Panics when `data` does not fill `shape`: that is a mistake of the caller, never of a file or a peer.
    pub fn new(shape: Vec<usize>, data: Vec<f32>) -> FloatTensor {
        assert_eq!(shape.iter().product::<usize>(), data.len(), "shape {shape:?} and data disagree");
        FloatTensor { shape, data }
    }

    pub fn scalar(value: f32) -> FloatTensor {
        FloatTensor { shape: vec![], data: vec![value] }
    }

    pub fn max_abs(&self) -> f32 {
        self.data.iter().fold(0.0, |m, x| m.max(x.abs()))
    }
}
