//! What each step is: its protocol with a citation, and what it lets a party learn beyond its share of the result.

use crate::bill::{Correlation, bill};
use crate::step::{Party, Step, StepOp, Value};

/// What a step opens, and why that is all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leak {
    /// The party that learns the step's value; `None` where nobody learns anything.
    pub to: Option<Party>,
    /// One line that justifies it, against an adversary who follows the protocol.
    pub because: &'static str,
}

const LOCAL: &str = "each party computes on its own share; nothing is sent";
const OWN: &str = "its owner computes on what it knows already; nothing is sent";
const MASKED: &str = "what is opened is masked by a uniform ring element that is used once";
const MASKED_BITS: &str = "what is opened is masked by uniform bits that are used once";

pub fn leaks(op: &StepOp) -> Leak {
    let nothing = |because| Leak { to: None, because };
    match op {
        StepOp::Clear(_) | StepOp::Encode => nothing(OWN),
        StepOp::Share => nothing("the owner's share is the value, the other's is zero; nothing is sent"),
        StepOp::Local { .. }
        | StepOp::Layout(_)
        | StepOp::SumAxis { .. }
        | StepOp::PublicMatMul
        | StepOp::Rest { .. }
        | StepOp::Xor
        | StepOp::Not => nothing(LOCAL),
        StepOp::StaticMatMul { .. } | StepOp::StaticMul { .. } => nothing(
            "factors are opened under uniform masks: a weight once for the session, all else fresh for each use",
        ),
        StepOp::EncryptedMatMul { .. } => nothing(
            "the client's share travels under its own key; the answer is masked by a uniform ring element and flooded",
        ),
        StepOp::MatMul { .. } | StepOp::Mul | StepOp::Square => nothing(MASKED),
        StepOp::Rescale => {
            nothing("at most one bit of each share is opened, masked by a uniform bit that is used once")
        }
        StepOp::Compare { .. } | StepOp::And | StepOp::BitToShare => nothing(MASKED_BITS),
        StepOp::Gate => nothing("the bit and the value are opened under uniform masks that are used once"),
        StepOp::Table { .. } => nothing("the index is opened plus a uniform rotation that is used once"),
        StepOp::Exp2(_) => nothing(
            "index, factors, wrap, shifts and shifted products are opened under uniform masks that are used once",
        ),
        StepOp::Levels(_) => nothing("indices and counts are opened plus uniform rotations that are used once"),
        StepOp::Max => nothing("the winners of each level stay shared; comparisons and gates open masked values only"),
        StepOp::Reveal { to } => {
            Leak { to: Some(*to), because: "the value is opened because the source says so; the sender learns nothing" }
        }
    }
}

/// The protocol's name, with where it comes from in parentheses.
pub fn protocol(op: &StepOp) -> &'static str {
    match op {
        StepOp::Clear(_) => "clear computation (its owner alone)",
        StepOp::Encode => "fixed-point encoding (its owner alone)",
        StepOp::Share => "input sharing (the owner's share is the value)",
        StepOp::Local { .. } => "fused local kernel (linear in the shares)",
        StepOp::Layout(_) => "layout (local)",
        StepOp::SumAxis { .. } => "local sum (linear in the shares)",
        StepOp::PublicMatMul => "product with a public matrix (linear in the shares)",
        StepOp::StaticMatMul { .. } => "one-sided matrix product, preprocessed (Delphi, USENIX Security 2020)",
        StepOp::StaticMul { .. } => "one-sided product, preprocessed (Delphi, USENIX Security 2020)",
        StepOp::MatMul { .. } => "matrix triple (Beaver, CRYPTO '91; SecureML, S&P 2017)",
        StepOp::Mul => "triple (Beaver, CRYPTO '91, section 2)",
        StepOp::Square => "square pair (Beaver, CRYPTO '91, section 2)",
        StepOp::Rescale => "rescale with a known sign (SIRNN, S&P 2021)",
        StepOp::Compare { .. } => "carry tree on two-bit digits (CrypTFlow2, CCS 2020, section 3.1)",
        StepOp::Xor | StepOp::Not => "local bit operation (GMW, STOC '87)",
        StepOp::And => "bit triple (GMW, STOC '87; Beaver, CRYPTO '91)",
        StepOp::BitToShare => "bit to ring with a bit shared both ways (daBit; Rotaru and Wood, INDOCRYPT 2019)",
        StepOp::Gate => "bit times value on a masked bit and value (Beaver, CRYPTO '91)",
        StepOp::Table { .. } => "rotated truth table (one-time truth table; Ishai et al., TCC 2013)",
        StepOp::Rest { .. } => "low bits of each share (local)",
        StepOp::Exp2(_) => "power of two: private factors, shifted as a rotated table tells (after SIRNN, S&P 2021)",
        StepOp::Levels(_) => "counts of unit vectors, looked up (one-time truth tables; Ishai et al., TCC 2013)",
        StepOp::Max => "tournament of comparisons and gates (CrypTFlow2, CCS 2020)",
        StepOp::Reveal { .. } => "opening to one party",
        StepOp::EncryptedMatMul { .. } => "one-sided matrix product, encrypted (Cheetah, USENIX Security 2022)",
    }
}

/// What the messages of a protocol carry, and what hides it from their receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Message {
    /// Who sends; `None` where both do.
    pub from: Option<&'static str>,
    pub carries: &'static str,
    pub hidden_by: &'static str,
    /// The correlation that the mask comes from, if one does.
    pub correlation: Option<&'static str>,
}

/// What two parties compare before a value is opened.
const SEEN: &str = "a digest of all messages so far";
const KNOWN: &str = "nothing: both parties have those messages";

/// The messages of a step, each kind once.
pub fn messages(values: &[Value], step: &Step) -> Vec<Message> {
    let alone = |from, carries, hidden_by| Message { from, carries, hidden_by, correlation: None };
    let mut messages = match step.op {
        StepOp::Reveal { to: Party::Server } => {
            let hidden_by = "nothing: the server learns the value, and no more";
            vec![alone(None, SEEN, KNOWN), alone(Some("client"), "its share of the value", hidden_by)]
        }
        StepOp::Reveal { to: Party::Client } => {
            let hidden_by = "nothing: the client learns the value, and no more";
            vec![alone(None, SEEN, KNOWN), alone(Some("server"), "its share of the value", hidden_by)]
        }
        StepOp::EncryptedMatMul { .. } => vec![
            alone(
                Some("client"),
                "its share of the factor, encrypted",
                "the client's own key: ring learning with errors",
            ),
            alone(
                Some("server"),
                "the encrypted product less a mask",
                "a uniform ring element that the server keeps as its share; the noise is flooded",
            ),
        ],
        _ => bill(values, step).iter().flat_map(openings).collect(),
    };
    messages.sort();
    messages.dedup();
    messages
}

/// What is sent when a correlation is consumed.
fn openings(correlation: &Correlation) -> Vec<Message> {
    let message = |from, carries, hidden_by, correlation| {
        vec![Message { from, carries, hidden_by, correlation: Some(correlation) }]
    };
    const KNOWN_TO_ITS_SENDER: &str = "a uniform ring element that its sender alone knows, used once";
    const SHARED: &str = "a uniform ring element that neither party knows, used once";
    match correlation {
        Correlation::StaticMatMul { .. } => {
            message(Some("client"), "its share of the factor, masked", KNOWN_TO_ITS_SENDER, "product with the weight")
        }
        Correlation::StaticMul { .. } => {
            message(Some("client"), "its share of the factor, masked", KNOWN_TO_ITS_SENDER, "product with the weight")
        }
        Correlation::CrossMatMul { .. } | Correlation::CrossMul { .. } => {
            message(None, "its own factor, masked", KNOWN_TO_ITS_SENDER, "product of two private masks")
        }
        Correlation::MatMul { .. } => message(None, "its shares of both factors, masked", SHARED, "matrix triple"),
        Correlation::Mul { .. } => message(None, "its shares of both factors, masked", SHARED, "triple"),
        Correlation::Square { .. } => message(None, "its share of the value, masked", SHARED, "square pair"),
        Correlation::Wrap { .. } => message(
            None,
            "the top bit of its share, masked",
            "a uniform bit that its sender alone knows, used once",
            "product of two private bits",
        ),
        Correlation::Compare { .. } => message(
            None,
            "the low bits of its share, then carries at each level, masked",
            "uniform bits, used once: of the share its sender's own, of the carries such as neither party knows",
            "bit products of a carry tree",
        ),
        Correlation::And { .. } => message(
            None,
            "its shares of both bits, masked",
            "uniform bits that neither party knows, used once",
            "bit triple",
        ),
        Correlation::BitToShare { .. } => message(
            None,
            "its share of the bit, masked",
            "a uniform bit that neither party knows, used once",
            "bit shared both ways",
        ),
        Correlation::Gate { .. } => message(
            None,
            "its shares of the bit and of the value, masked",
            "a uniform bit and a uniform ring element that neither party knows, used once",
            "bit shared both ways, times a mask",
        ),
        Correlation::Table { .. } => message(
            None,
            "its share of the index, rotated",
            "a uniform rotation that neither party knows, used once",
            "table rotated by a secret",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_reveal_opens_a_value_and_to_its_party_alone() {
        for to in [Party::Server, Party::Client] {
            assert_eq!(leaks(&StepOp::Reveal { to }).to, Some(to));
        }
        for op in [StepOp::Max, StepOp::Mul, StepOp::Rescale, StepOp::Share, StepOp::Compare { threshold: 0 }] {
            assert_eq!(leaks(&op).to, None, "{}", op.name());
        }
    }
}
