//! What a plan's entry takes of a text and gives for it.

use std::path::Path;

use ptc_exec::batch;
use ptc_exec::tensors::{Tensors, check_given};
use ptc_plan::Plan;
use ptc_plan::file::{Input, InputKind};
use ptc_plan::float::FloatTensor;
use ptc_plan::step::Party;
use std::sync::Arc;

use crate::failure::Failure;
use crate::tokens::{Side, Tokens, TooLong};

/// A text, or the tokens that somebody else made of one.
pub enum Text {
    Words(String),
    Tokens(Vec<u32>),
}

pub struct Entry {
    plan: Arc<Plan>,
    tokens: Tokens,
    too_long: TooLong,
    /// What one query takes from the client.
    inputs: Vec<Input>,
    places: Vec<(String, InputKind, Vec<usize>)>,
    /// The result, and how many numbers it has.
    output: String,
    pub width: usize,
}

/// What one query gives, and how many of its tokens are text.
pub struct Query {
    pub tensors: Tensors,
    pub tokens: usize,
}

impl Entry {
    /// A plan whose client gives tokens, alone or with a mask, and gets one vector.
    pub fn open(plan: Arc<Plan>, tokenizer: &Path, too_long: TooLong) -> Result<Entry, Failure> {
        let results: Vec<_> = plan.outputs.iter().filter(|output| output.result).collect();
        let shape = |output: &ptc_plan::file::Output| {
            let shape = plan.values.get(output.value.0 as usize).map_or(&[][..], |value| &value.shape[..]);
            // A batch has its queries along the first axis.
            shape.get(usize::from(plan.batch.is_some())..).unwrap_or(&[]).to_vec()
        };
        let (output, width) = match results.as_slice() {
            [one] if one.to == Party::Client && shape(one).len() == 1 => (one.name.clone(), shape(one)[0]),
            others => {
                let shapes: Vec<String> = others
                    .iter()
                    .map(|output| format!("`{}` {:?} to party {}", output.name, shape(output), output.to.index()))
                    .collect();
                return Err(Failure::new(
                    format!(
                        "an embedding is one vector for the client, and the entry `{}` gives {}",
                        plan.entry,
                        shapes.join(", ")
                    ),
                    "serve a model that ends in a vector for each text, such as `mean_pool`, and `ptc run` others",
                ));
            }
        };
        let inputs = batch::inputs(&plan);
        let own = inputs.iter().filter(|input| input.owner.knows(Party::Client));
        let places = own.map(|input| (input.name.clone(), input.kind, input.shape.clone())).collect();
        let tokens = Tokens::open(tokenizer)?;
        let entry = Entry { plan, tokens, too_long, inputs, places, output, width };
        // What the plan cannot take of any text is found before the server is asked for.
        entry.probe()?;
        Ok(entry)
    }

    fn probe(&self) -> Result<(), Failure> {
        if self.ids().is_none() {
            return Err(Failure::new(
                format!("the entry `{}` takes no tokens", self.plan.entry),
                "the gateway embeds texts: serve a model with `ids: token[S] @client`",
            ));
        }
        let other = |input: &&Input| !input.owner.knows(Party::Client) || input.kind == InputKind::Real;
        match self.inputs.iter().find(other) {
            None => Ok(()),
            Some(input) => Err(Failure::new(
                format!(
                    "the entry `{}` takes `{}` {:?}, which no text gives",
                    self.plan.entry, input.name, input.shape
                ),
                "the gateway fills `ids`, `mask` and `kinds`; run other models with `ptc run`",
            )),
        }
    }

    /// The tensors of one text; or what is wrong with it.
    pub fn query(&self, text: &Text) -> Result<Query, String> {
        let told = |error: &dyn std::fmt::Display| error.to_string();
        let tensors = match text {
            Text::Words(text) => {
                let query = crate::tokens::Query::of(text);
                let encoded = self.tokens.inputs(&query, &self.places, self.too_long, Side::Right);
                encoded.map_err(|error| told(&error))?.arrays
            }
            Text::Tokens(tokens) => self.padded(tokens)?,
        };
        check_given(&self.plan.entry, &self.inputs, Party::Client, &tensors).map_err(|error| told(&error))?;
        let tokens = match (text, self.mask().and_then(|mask| tensors.get(&mask.name))) {
            (Text::Tokens(tokens), _) => tokens.len(),
            (_, Some(mask)) => mask.data.iter().filter(|&&bit| bit == 1.0).count(),
            (_, None) => self.size(),
        };
        Ok(Query { tensors, tokens })
    }

    fn padded(&self, tokens: &[u32]) -> Result<Tensors, String> {
        let (size, used) = (self.size(), tokens.len());
        if used == 0 {
            return Err("there are no tokens".into());
        }
        if used > size {
            return Err(format!("there are {used} tokens, and the plan takes {size}\nhint: shorten the text"));
        }
        if used < size && self.mask().is_none() {
            return Err(format!("there are {used} tokens, and the plan takes exactly {size}"));
        }
        // Ids from 2^24 on no table has, and a single would round them to others.
        if let Some(id) = tokens.iter().find(|&&id| id >= 1 << 24) {
            return Err(format!("{id} is no token of this model"));
        }
        let mut tensors = Tensors::new();
        for input in self.inputs.iter().filter(|input| input.owner.knows(Party::Client)) {
            let is_ids = self.ids().is_some_and(|ids| ids.name == input.name);
            let is_mask = self.mask().is_some_and(|mask| mask.name == input.name);
            let value = |at: usize| match tokens.get(at) {
                Some(&id) if is_ids => id as f32,
                None if is_ids => self.tokens.pad() as f32,
                Some(_) if is_mask => 1.0,
                // Types of tokens: one text is of the first type.
                _ => 0.0,
            };
            let count = input.shape.iter().product();
            tensors.insert(input.name.clone(), FloatTensor::new(input.shape.clone(), (0..count).map(value).collect()));
        }
        Ok(tensors)
    }

    /// The tokens; a second input of tokens is for their types.
    fn ids(&self) -> Option<&Input> {
        self.inputs.iter().find(|input| input.kind == InputKind::Token && input.name != "kinds")
    }

    fn mask(&self) -> Option<&Input> {
        self.inputs.iter().find(|input| input.kind == InputKind::Bit)
    }

    fn size(&self) -> usize {
        self.ids().map_or(0, |ids| ids.shape.iter().product())
    }

    /// The plan's inputs, run by run.
    pub fn runs(&self, queries: &[Tensors]) -> Vec<Tensors> {
        (0..batch::runs(&self.plan, queries.len())).map(|run| batch::stack(&self.plan, queries, run)).collect()
    }

    /// The results of each of `count` queries.
    pub fn split(&self, runs: Vec<Tensors>, count: usize) -> Vec<Tensors> {
        batch::split(&self.plan, runs, count)
    }

    pub fn vector<'a>(&self, result: &'a Tensors) -> Option<&'a [f32]> {
        let vector = &result.get(&self.output)?.data;
        (vector.len() == self.width).then_some(vector)
    }
}
