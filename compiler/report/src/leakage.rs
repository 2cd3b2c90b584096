//! What anybody learns: every value that is opened, what every message carries and what hides it, and what both parties know
//! from the plan.

use std::collections::{BTreeMap, BTreeSet};

use ptc_plan::bound::Grade;
use ptc_plan::file::{self, Trust};
use ptc_plan::leak;
use ptc_plan::step::{Form, Owner, Party, StepOp};
use serde::Serialize;

use crate::facts::Facts;
use crate::report::{Place, party_name};
use crate::sums::Sum;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Leakage {
    /// What each result reveals, and what is opened on the way.
    pub revealed: Vec<Revealed>,
    /// Messages of the query, by protocol.
    pub protocols: Vec<Messages>,
    /// Messages before the query.
    pub preparation: Vec<Message>,
    /// What both parties know.
    pub public: Vec<Public>,
    /// What has to hold for all this to be true.
    pub assumptions: Vec<&'static str>,
}

impl Leakage {
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("text keys have a form in JSON") + "\n"
    }
}

/// A result of the entry, or a value that the model opens on its way.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Revealed {
    pub output: String,
    pub to: &'static str,
    pub shape: Vec<usize>,
    pub reason: String,
    pub result: bool,
    /// The shared values that are opened for it; none where its party knows it anyway.
    pub opened: Vec<Opened>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Opened {
    pub value: String,
    pub shape: Vec<usize>,
    pub round: u32,
    pub bytes: u64,
    pub place: Option<Place>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Messages {
    pub step: &'static str,
    pub protocol: &'static str,
    /// The party that learns the value, and why nobody learns more.
    pub leaks_to: Option<&'static str>,
    pub because: &'static str,
    pub count: u64,
    pub rounds: u64,
    pub to_server_bytes: u64,
    pub to_client_bytes: u64,
    pub messages: Vec<Message>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Message {
    /// `both`, or the party that sends it.
    pub from: &'static str,
    pub carries: &'static str,
    pub hidden_by: &'static str,
    /// The correlation that the mask comes from.
    pub correlation: Option<&'static str>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Public {
    pub what: &'static str,
    pub said: String,
}

pub fn leakage(facts: &Facts) -> Leakage {
    Leakage {
        revealed: facts.plan.outputs.iter().map(|output| revealed(facts, output)).collect(),
        protocols: protocols(facts),
        preparation: preparation(facts),
        public: public(facts),
        assumptions: assumptions(facts.plan.trust),
    }
}

fn revealed(facts: &Facts, output: &file::Output) -> Revealed {
    // What the output's party computes by itself leads back to what was opened.
    let mut opened = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let mut open = vec![output.value];
    while let Some(id) = open.pop() {
        let Some(at) = facts.maker(id).filter(|_| seen.insert(id.0)) else { continue };
        let step = facts.step(at);
        match step.op {
            StepOp::Reveal { .. } => {
                let source = facts.value(step.inputs.first().copied().unwrap_or(id));
                let (name, shape, sent) = (source.name.clone(), source.shape.clone(), facts.sent(at));
                // Its first round compares digests.
                let round = step.round + facts.steps[at].rounds.len().saturating_sub(1) as u32;
                let (bytes, place) = (sent[0] + sent[1], facts.place(at));
                opened.insert(id.0, Opened { value: name, shape, round, bytes, place });
            }
            StepOp::Clear(_) => open.extend(&step.inputs),
            _ => {}
        }
    }
    Revealed {
        output: output.name.clone(),
        to: party_name(output.to),
        shape: facts.value(output.value).shape.clone(),
        reason: output.reason.clone(),
        result: output.result,
        opened: opened.into_values().collect(),
    }
}

/// The most traffic first.
fn protocols(facts: &Facts) -> Vec<Messages> {
    let mut kinds: BTreeMap<&'static str, (usize, Sum, BTreeSet<leak::Message>)> = BTreeMap::new();
    for at in (0..facts.steps.len()).filter(|&at| !facts.steps[at].rounds.is_empty()) {
        let step = facts.step(at);
        let (_, sum, messages) = kinds.entry(step.op.name()).or_insert_with(|| (at, Sum::default(), BTreeSet::new()));
        sum.add(facts, at);
        messages.extend(leak::messages(&facts.plan.values, step));
    }
    let one = |(step, (at, sum, messages)): (&'static str, (usize, Sum, BTreeSet<leak::Message>))| {
        let (op, cost) = (&facts.step(at).op, sum.cost());
        let leak = leak::leaks(op);
        Messages {
            step,
            protocol: leak::protocol(op),
            leaks_to: leak.to.map(party_name),
            because: leak.because,
            count: sum.count,
            rounds: cost.rounds,
            to_server_bytes: cost.client_bytes,
            to_client_bytes: cost.server_bytes,
            messages: messages.into_iter().map(message).collect(),
        }
    };
    let mut all: Vec<Messages> = kinds.into_iter().map(one).collect();
    all.sort_by_key(|messages| std::cmp::Reverse(messages.to_server_bytes + messages.to_client_bytes));
    all
}

fn message(message: leak::Message) -> Message {
    let leak::Message { from, carries, hidden_by, correlation } = message;
    Message { from: from.unwrap_or("both"), carries, hidden_by, correlation }
}

fn preparation(facts: &Facts) -> Vec<Message> {
    let message = |from, carries, hidden_by| Message { from, carries, hidden_by, correlation: None };
    if facts.plan.trust == Trust::Dealer {
        return vec![
            message("dealer", "a seed for each party", "nothing: it is that party's own randomness"),
            message("dealer", "corrections, to the client", "the server's masks, which come from the server's seed"),
            message("dealer", "a digest of all messages, to each party", "nothing: that party has them"),
            message(
                "server",
                "its weights, masked",
                "masks from a seed that the dealer and the server know, once a session",
            ),
        ];
    }
    let any = |test: fn(f64, f64) -> bool| {
        facts.steps.iter().any(|step| test(step.prepared.encrypted_bytes, step.prepared.transfer_bytes))
    };
    let inline = facts.plan.steps.iter().any(|step| matches!(step.op, StepOp::EncryptedMatMul { .. }));
    let mut messages = vec![];
    if any(|_, transfers| transfers > 0.0) {
        messages.extend([
            message("both", "base transfers, once a session", "the Diffie-Hellman problem on Curve25519"),
            message(
                "both",
                "its choices in random transfers, extended",
                "streams of keys that the base transfers gave",
            ),
            message("both", "corrections of transfers", "strings of transfers that the receiver did not choose"),
        ]);
    }
    if any(|encrypted, _| encrypted > 0.0) || inline {
        messages.push(message("client", "public keys, once a session", "ring learning with errors"));
    }
    if any(|encrypted, _| encrypted > 0.0) {
        messages.extend([
            message("client", "its masks, encrypted", "the client's own key: ring learning with errors"),
            message(
                "server",
                "encrypted products less its share of them",
                "a uniform mask that the server keeps; the noise is flooded to a distance of 2^-40",
            ),
        ]);
    }
    messages
}

fn public(facts: &Facts) -> Vec<Public> {
    let plan = facts.plan;
    let mut all = vec![];
    let mut say = |what, said| all.push(Public { what, said });
    say(
        "program",
        format!(
            "the kinds, order, shapes and rings of {} steps, and the source lines they come from",
            plan.steps.len()
        ),
    );
    if !plan.dims.is_empty() {
        let dims: Vec<String> = plan.dims.iter().map(|(name, size)| format!("{name} = {size}")).collect();
        say("dimensions", dims.join(", "));
    }
    if let Some(batch) = plan.batch {
        // Copies have equal results.
        let at_server = plan.outputs.iter().any(|output| output.result && output.to == Party::Server);
        let copies = if at_server { "and how many of the last one are copies" } else { "not how many are copies" };
        say("queries", format!("the number of batches of {batch}, {copies}"));
    }
    let inputs: Vec<String> = plan
        .inputs
        .iter()
        .map(|input| format!("`{}` {:?} of the {}", input.name, input.shape, owner(input.owner)))
        .collect();
    say("inputs", format!("names, shapes and largest absolute values: {}", inputs.join(", ")));
    for (whose, known) in [(Owner::Server, "the server's"), (Owner::Client, "the client's")] {
        let count = plan.parameters.iter().filter(|parameter| parameter.owner == whose).count();
        if count > 0 {
            say(
                "weights",
                format!("names, shapes and largest absolute values of {known} {count} tensors, not their contents"),
            );
        }
    }
    let open: Vec<&str> =
        plan.parameters.iter().filter(|each| each.owner == Owner::Both).map(|each| each.path.as_str()).collect();
    if !open.is_empty() {
        say("public weights", format!("the contents of {}", listed(&open)));
    }
    let shared = plan.values.iter().filter(|value| matches!(value.form, Form::Share(_)));
    let measured = shared.filter(|value| value.bound.is_some_and(|bound| bound.grade == Grade::Calibrated)).count();
    if measured > 0 {
        say("ranges", format!("the ranges of {measured} values, measured on samples and stated with a margin"));
    }
    say(
        "traffic",
        "the number, order and sizes of all messages, which follow from the plan alone, and when they are sent".into(),
    );
    all
}

/// The first few of many names.
fn listed(names: &[&str]) -> String {
    const SHOWN: usize = 4;
    let first: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => first.join(", "),
        rest => format!("{} and {rest} more", first.join(", ")),
    }
}

fn owner(owner: Owner) -> &'static str {
    match owner {
        Owner::Server => "server",
        Owner::Client => "client",
        Owner::Both => "both parties",
    }
}

fn assumptions(trust: Trust) -> Vec<&'static str> {
    match trust {
        Trust::TwoParty { .. } => vec![
            "Both parties follow the protocol and may look at everything they hold. One that deviates can spoil the result \
             and may learn more.",
            "Nobody else takes part. Privacy rests on ring learning with errors (128 bits), on the Diffie-Hellman problem on \
             Curve25519, on AES-128 as an ideal permutation, and, where traffic is spared, on learning parity with noise; \
             answers of products are hidden up to a statistical distance of 2^-40.",
            "Both parties know the plan: sizes, the kinds of layers, rings, and the bounds that calibration found in the \
             owner's weights and samples.",
            "The result itself tells its party what a result tells; many queries tell more about the weights.",
        ],
        Trust::Dealer => vec![
            "Both parties follow the protocol and may look at everything they hold. One that deviates can spoil the result \
             and may learn more.",
            "The dealer sees no weights, no input and no result. It makes all masks: together with either party it can \
             read the other's data, so it must collude with neither.",
            "Nobody reads along: between machines connections are encrypted to pinned keys; on loopback they may be plain, \
             and who sees the dealer's and the parties' traffic there can do what dealer and party together can.",
            "Masks come from AES in counter mode, so privacy is computational, 128 bits.",
            "Both parties know the plan: sizes, the kinds of layers, rings, and the bounds that calibration found in the \
             owner's weights and samples.",
            "The result itself tells its party what a result tells; many queries tell more about the weights.",
        ],
    }
}
