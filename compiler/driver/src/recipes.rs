//! The decisions about how functions are computed: each with its ways, the default first.

use ptc_passes::options::{Maximum, Normal, Power, Ramp, Recipes, Rounds};

pub struct Decision {
    /// As `--recipe` calls it.
    pub name: &'static str,
    /// In reports.
    pub subject: &'static str,
    pub ways: &'static [Way],
}

pub struct Way {
    pub name: &'static str,
    /// In reports.
    pub said: &'static str,
    put: fn(&mut Recipes),
}

pub const DECISIONS: [Decision; 5] = [
    Decision {
        name: "maximum",
        subject: "what softmax subtracts from a row",
        ways: &[
            Way {
                name: "tournament",
                said: "its maximum, by comparing pairs",
                put: |r| r.maximum = Maximum::Tournament,
            },
            Way {
                name: "levels",
                said: "the highest level that an element reaches",
                put: |r| r.maximum = Maximum::Levels,
            },
            Way { name: "bound", said: "a public bound of all rows", put: |r| r.maximum = Maximum::Bound },
        ],
    },
    Decision {
        name: "power",
        subject: "exponents of a power of two",
        ways: &[
            Way { name: "clipped", said: "those that count, others removed", put: |r| r.power = Power::Clipped },
            Way { name: "wide", said: "all, by a wider table", put: |r| r.power = Power::Wide },
        ],
    },
    Decision {
        name: "normal",
        subject: "octaves of reciprocals and roots",
        ways: &[
            Way { name: "octaves", said: "by comparisons", put: |r| r.normal = Normal::Octaves },
            Way { name: "tables", said: "by tables side by side", put: |r| r.normal = Normal::Tables },
        ],
    },
    Decision {
        name: "ramp",
        subject: "the middle piece of GELU and its kind",
        ways: &[
            Way { name: "polynomial", said: "a polynomial by squares", put: |r| r.ramp = Ramp::Polynomial },
            Way { name: "lines", said: "a table of lines and a product", put: |r| r.ramp = Ramp::Lines },
        ],
    },
    Decision {
        name: "rounds",
        subject: "truncations",
        ways: &[
            Way { name: "narrow", said: "rings as narrow as can be", put: |r| r.rounds = Rounds::Narrow },
            Way { name: "few", said: "wider rings and fewer rounds", put: |r| r.rounds = Rounds::Few },
        ],
    },
];

/// A way for each decision, by its place.
pub type Combination = [usize; DECISIONS.len()];

/// Decisions that are made already.
pub type Wanted = [Option<usize>; DECISIONS.len()];

pub fn recipes(combination: &Combination) -> Recipes {
    let mut recipes = Recipes::default();
    for (decision, way) in DECISIONS.iter().zip(combination) {
        (decision.ways[*way].put)(&mut recipes);
    }
    recipes
}

/// Reads `maximum=levels,power=wide`.
pub fn parse(text: &str) -> Result<Wanted, String> {
    let mut wanted = Wanted::default();
    for part in text.split(',') {
        let (name, way) = part.split_once('=').ok_or_else(|| format!("`{part}` is not NAME=WAY"))?;
        let names = DECISIONS.map(|decision| decision.name).join(", ");
        let at = DECISIONS.iter().position(|decision| decision.name == name);
        let at = at.ok_or_else(|| format!("there is no recipe `{name}`; there are {names}"))?;
        let ways: Vec<&str> = DECISIONS[at].ways.iter().map(|way| way.name).collect();
        let place = ways.iter().position(|known| *known == way);
        wanted[at] = Some(place.ok_or_else(|| format!("`{name}` is {}, not `{way}`", ways.join(" or ")))?);
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_way_is_the_default() {
        assert_eq!(recipes(&Combination::default()), Recipes::default());
        for (at, decision) in DECISIONS.iter().enumerate() {
            for way in 1..decision.ways.len() {
                let mut combination = Combination::default();
                combination[at] = way;
                assert_ne!(recipes(&combination), Recipes::default(), "{} {}", decision.name, decision.ways[way].name);
            }
        }
    }

    #[test]
    fn recipes_are_read() {
        assert_eq!(parse("maximum=bound,rounds=few"), Ok([Some(2), None, None, None, Some(1)]));
        for (text, expected) in
            [("", "NAME=WAY"), ("max=bound", "maximum, power"), ("ramp=curve", "polynomial or lines")]
        {
            assert!(parse(text).unwrap_err().contains(expected), "{text}");
        }
    }
}
