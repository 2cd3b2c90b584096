//! One function while it is being checked: its names, and the steps found so far.

use std::collections::{BTreeMap, HashMap, HashSet};

use ptc_syntax::span::Span;

use crate::checked::{Slot, Step, StepKind, TensorType};
use crate::program::{ItemId, UnitId};
use crate::value::{Cover, Value};

pub(crate) struct Frame {
    pub unit: UnitId,
    pub owner: Option<Owner>,
    /// Those given by the user of the module, and the sizes found from the function's arguments.
    pub numbers: BTreeMap<String, f64>,
    /// Innermost last.
    scopes: Vec<BTreeMap<String, Value>>,
    pub steps: Vec<Step>,
    /// Checkpoint tensors already among the steps, by path.
    pub parameters: HashMap<String, Slot>,
    /// Steps whose names are settled.
    settled: HashSet<Slot>,
    /// The `let` whose value is being computed.
    naming: Option<String>,
    /// Above 0 while a size is evaluated: divisions must come out even.
    pub exact: usize,
}

/// The module whose function is being checked.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    pub item: ItemId,
    pub numbers: Vec<f64>,
    pub cover: Option<Cover>,
}

impl Frame {
    pub fn new(unit: UnitId, owner: Option<Owner>, numbers: BTreeMap<String, f64>) -> Frame {
        Frame {
            unit,
            owner,
            numbers,
            scopes: vec![BTreeMap::new()],
            steps: vec![],
            parameters: HashMap::new(),
            settled: HashSet::new(),
            naming: None,
            exact: 0,
        }
    }

    pub fn local(&self, name: &str) -> Option<&Value> {
        self.scopes.iter().rev().find_map(|scope| scope.get(name))
    }

    pub fn declare(&mut self, name: &str, value: Value) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.insert(name.to_string(), value);
        }
    }

    /// Gives an existing name another value; false when there is none.
    pub fn assign(&mut self, name: &str, value: Value) -> bool {
        match self.scopes.iter_mut().rev().find_map(|scope| scope.get_mut(name)) {
            Some(place) => {
                *place = value;
                true
            }
            None => false,
        }
    }

    pub fn enter(&mut self) {
        self.scopes.push(BTreeMap::new());
    }

    pub fn leave(&mut self) {
        self.scopes.pop();
    }

    /// Appends a step; `part` is its name unless a `let` or the function's result gives a better one.
    pub fn push(&mut self, kind: StepKind, ty: TensorType, part: &str, span: Span) -> Slot {
        let name = match &self.naming {
            Some(outer) => format!("{outer}.{part}"),
            None => part.to_string(),
        };
        self.steps.push(Step { kind, ty, name, span, fixed: None });
        Slot(self.steps.len() - 1)
    }

    /// As [`Frame::push`], not below the `let`.
    pub fn push_beside(&mut self, kind: StepKind, ty: TensorType, name: &str, span: Span) -> Slot {
        self.steps.push(Step { kind, ty, name: name.to_string(), span, fixed: None });
        Slot(self.steps.len() - 1)
    }

    /// Appends a step with a name that stays.
    pub fn push_settled(&mut self, kind: StepKind, ty: TensorType, name: String, span: Span) -> Slot {
        self.steps.push(Step { kind, ty, name, span, fixed: None });
        let slot = Slot(self.steps.len() - 1);
        self.settled.insert(slot);
        slot
    }

    /// Until [`Frame::stop_naming`], steps stand below `name`.
    pub fn start_naming(&mut self, name: &str) -> Naming {
        Naming { before: self.naming.replace(name.to_string()), from: self.steps.len() }
    }

    /// The value of the `let` takes its name, if it was computed for it.
    pub fn stop_naming(&mut self, naming: Naming, name: &str, value: &Value) {
        self.naming = naming.before;
        if let Value::Tensor(tensor) = value
            && tensor.slot.0 >= naming.from
        {
            let full = match &self.naming {
                Some(outer) => format!("{outer}.{name}"),
                None => name.to_string(),
            };
            self.rename(tensor.slot, full);
        }
    }

    /// The function's result has the function's own name, unless a `let` gave it one.
    pub fn name_result(&mut self, slot: Slot) {
        let untouched = !self.settled.contains(&slot);
        if untouched {
            self.steps[slot.0].name = String::new();
        }
    }

    fn rename(&mut self, slot: Slot, name: String) {
        if self.settled.insert(slot) {
            let step = &mut self.steps[slot.0];
            if let StepKind::Call(call) = &mut step.kind
                && !call.name.is_empty()
            {
                call.name = name.clone();
            }
            step.name = name;
        }
    }
}

pub(crate) struct Naming {
    before: Option<String>,
    from: usize,
}
