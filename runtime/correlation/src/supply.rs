//! The correlations of one query, by step.

use std::collections::VecDeque;

use crate::types::Held;

/// What a source made for the steps of a plan. A correlation leaves it before it is used and never comes back.
#[derive(Default)]
pub struct Supply {
    steps: Vec<VecDeque<Held>>,
}

#[derive(Debug, thiserror::Error)]
pub enum SupplyError {
    #[error("step {step} asks for a correlation more than its bill lists")]
    Exhausted { step: usize },
    #[error("step {step} asks for another correlation than {found}, which is next on its bill")]
    Kind { step: usize, found: &'static str },
}

impl Supply {
    /// For a plan of `steps` steps.
    pub fn new(steps: usize) -> Supply {
        Supply { steps: (0..steps).map(|_| VecDeque::new()).collect() }
    }

    /// Appends to what `step` will take.
    pub fn put(&mut self, step: usize, held: Held) {
        self.steps[step].push_back(held);
    }

    /// The next correlation of `step`, whatever its kind.
    pub fn take_any(&mut self, step: usize) -> Result<Held, SupplyError> {
        self.steps.get_mut(step).and_then(VecDeque::pop_front).ok_or(SupplyError::Exhausted { step })
    }

    /// The next correlation of `step`, of the kind its protocol consumes.
    pub fn take<T: TryFrom<Held, Error = Held>>(&mut self, step: usize) -> Result<T, SupplyError> {
        T::try_from(self.take_any(step)?).map_err(|other| SupplyError::Kind { step, found: other.kind() })
    }
}
