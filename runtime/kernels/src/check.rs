//! Do the inputs of an elementwise kernel fit its accesses?

use ptc_plan::kernel::{Access, Elementwise};

/// Words that an input read through `access` has beside outputs of `len` words.
pub fn input_len(access: Access, len: usize) -> usize {
    match access {
        Access::Full => len,
        Access::Cycle { period } => period as usize,
        Access::Each { period } => len.div_ceil(period as usize),
        Access::Single => 1,
    }
}

/// What does not fit, if anything.
pub fn inputs(kernel: &Elementwise, lengths: &[usize], len: usize) -> Result<(), String> {
    if lengths.len() != kernel.inputs.len() {
        return Err(format!("elementwise kernel of {} inputs is given {}", kernel.inputs.len(), lengths.len()));
    }
    for (at, (&access, &found)) in kernel.inputs.iter().zip(lengths).enumerate() {
        let expected = input_len(access, len);
        if found != expected {
            return Err(format!(
                "input {at} of an elementwise kernel, {access:?}, has {found} words, expected {expected}"
            ));
        }
    }
    Ok(())
}

/// Panics unless the kernel is sound and its inputs fit.
pub fn assert_fit(kernel: &Elementwise, given: &[&[u64]], len: usize) {
    let lengths: Vec<usize> = given.iter().map(|input| input.len()).collect();
    if let Err(reason) = kernel.check().and_then(|()| inputs(kernel, &lengths, len)) {
        panic!("{reason}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_follow_the_access() {
        let accesses = vec![Access::Full, Access::Cycle { period: 4 }, Access::Each { period: 4 }, Access::Single];
        let kernel = Elementwise { inputs: accesses, code: vec![], outputs: vec![0] };
        assert_eq!(inputs(&kernel, &[12, 4, 3, 1], 12), Ok(()));
        assert_eq!(inputs(&kernel, &[13, 4, 4, 1], 13), Ok(()));
        let error = inputs(&kernel, &[12, 4, 4, 1], 12).unwrap_err();
        assert_eq!(error, "input 2 of an elementwise kernel, Each { period: 4 }, has 4 words, expected 3");
        assert!(inputs(&kernel, &[12, 4, 3], 12).is_err());
    }
}
