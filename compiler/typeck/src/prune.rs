//! Steps that the result does not need, a `reveal` among them, are never carried out. Arguments stay.

use crate::checked::{Call, Slot, Step, StepKind};

pub(crate) fn prune(steps: Vec<Step>, result: Slot) -> (Vec<Step>, Slot) {
    let mut live: Vec<bool> = steps.iter().map(|step| matches!(step.kind, StepKind::Argument)).collect();
    live[result.0] = true;
    for at in (0..steps.len()).rev() {
        if live[at] {
            reads(&steps[at].kind).iter().for_each(|slot| live[slot.0] = true);
        }
    }
    let mut places = Vec::with_capacity(steps.len());
    let mut kept: Vec<Step> = vec![];
    for (mut step, live) in steps.into_iter().zip(live) {
        places.push(Slot(kept.len()));
        if live {
            rename(&mut step.kind, &places);
            kept.push(step);
        }
    }
    (kept, places[result.0])
}

fn reads(kind: &StepKind) -> &[Slot] {
    match kind {
        StepKind::Argument | StepKind::Parameter { .. } | StepKind::Constant(_) => &[],
        StepKind::Apply { operands, .. } => operands,
        StepKind::Reveal { value, .. } => std::slice::from_ref(value),
        StepKind::Call(Call { arguments, .. }) => arguments,
    }
}

fn rename(kind: &mut StepKind, places: &[Slot]) {
    let read = match kind {
        StepKind::Argument | StepKind::Parameter { .. } | StepKind::Constant(_) => &mut [],
        StepKind::Apply { operands, .. } => operands.as_mut_slice(),
        StepKind::Reveal { value, .. } => std::slice::from_mut(value),
        StepKind::Call(Call { arguments, .. }) => arguments.as_mut_slice(),
    };
    read.iter_mut().for_each(|slot| *slot = places[slot.0]);
}
