//! A profile: the link between two parties, and their machines.
//!
//! Built-in links are those of the field; `ptc profile` measures others and writes them as JSON:
//! `{"name": "home", "round_trip_us": 9000, "bits_per_second": [1e8, 2e7], "machine": {...}}`. What a file leaves out of
//! `machine` is as in the default.

use serde::{Deserialize, Serialize};

use crate::machine::Machine;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    pub name: String,
    pub round_trip_us: f64,
    /// From the server, and from the client; both at once.
    pub bits_per_second: [f64; 2],
    #[serde(default)]
    pub machine: Machine,
}

/// Name, microseconds there and back, bits a second each way.
const LINKS: [(&str, f64, f64); 5] = [
    ("lan", 500.0, 1e9),
    ("lan-fast", 1000.0, 5e9),
    ("wan", 4000.0, 400e6),
    ("wan-slow", 40_000.0, 100e6),
    ("loopback", 20.0, 40e9),
];

/// A profile file may have this many bytes.
pub const MAX_BYTES: u64 = 64 << 10;

/// Longest name of a profile.
const MAX_NAME: usize = 64;

#[derive(Debug, PartialEq, thiserror::Error)]
pub enum ProfileError {
    #[error("this is no profile: {0}\nhint: `ptc profile -o FILE` writes one")]
    Malformed(String),
    #[error(
        "`{field}` of a profile is {value}, which is not within {low} and {high}\nhint: `ptc profile -o FILE` measures it"
    )]
    Beyond { field: String, value: f64, low: f64, high: f64 },
}

/// The built-in profiles' names.
pub fn names() -> impl Iterator<Item = &'static str> {
    LINKS.iter().map(|(name, ..)| *name)
}

/// What a build assumes that is told nothing.
impl Default for Profile {
    fn default() -> Profile {
        Profile::built_in("lan").expect("a built-in profile")
    }
}

impl Profile {
    pub fn built_in(name: &str) -> Option<Profile> {
        let &(name, round_trip_us, rate) = LINKS.iter().find(|(known, ..)| *known == name)?;
        let machine = Machine { shared: name == "loopback", ..Machine::default() };
        Some(Profile { name: name.to_string(), round_trip_us, bits_per_second: [rate; 2], machine })
    }

    pub fn parse(text: &str) -> Result<Profile, ProfileError> {
        let profile: Profile =
            serde_json::from_str(text).map_err(|error| ProfileError::Malformed(error.to_string()))?;
        profile.check()?;
        Ok(profile)
    }

    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("text keys and finite numbers have a form in JSON") + "\n"
    }

    fn check(&self) -> Result<(), ProfileError> {
        if self.name.is_empty() || self.name.len() > MAX_NAME || self.name.chars().any(char::is_control) {
            return Err(ProfileError::Malformed(format!("its name is not of 1 to {MAX_NAME} letters")));
        }
        within("round_trip_us", self.round_trip_us, 0.0, 60e6)?;
        for rate in self.bits_per_second {
            within("bits_per_second", rate, 1e3, 1e13)?;
        }
        for (field, value) in self.machine.numbers() {
            within(&format!("machine.{field}"), value, 0.0, 1e12)?;
        }
        within("machine.cores", f64::from(self.machine.cores), 1.0, 4096.0)
    }

    /// A message that both parties send at once, and wait for, takes so long to arrive.
    pub fn one_way_seconds(&self) -> f64 {
        self.round_trip_us / 2.0 * 1e-6
    }

    /// Both directions at once.
    pub fn transfer_seconds(&self, sent: [u64; 2]) -> f64 {
        (0..2).map(|party| sent[party] as f64 * 8.0 / self.bits_per_second[party]).fold(0.0, f64::max)
    }
}

fn within(field: &str, value: f64, low: f64, high: f64) -> Result<(), ProfileError> {
    match (low..=high).contains(&value) {
        true => Ok(()),
        false => Err(ProfileError::Beyond { field: field.to_string(), value, low, high }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for name in names() {
            let profile = Profile::built_in(name).unwrap();
            assert_eq!(Profile::parse(&profile.json()), Ok(profile));
        }
        let short = "{\"name\": \"home\", \"round_trip_us\": 9000, \"bits_per_second\": [1e8, 2e7]}";
        assert_eq!(Profile::parse(short).unwrap().machine, Machine::default());
        assert_eq!(Profile::built_in("moon"), None);
    }

    #[test]
    fn bad_profiles_say_what_is_wrong() {
        let check = |text: &str, expected: &str| {
            let message = Profile::parse(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{message:?} lacks {expected:?}");
        };
        let with = |fields: &str| {
            format!("{{\"name\": \"x\", \"round_trip_us\": 1, \"bits_per_second\": [1e9, 1e9], {fields}}}")
        };
        check("", "EOF");
        check("{}", "missing field `name`");
        check(&with("\"speed\": 1"), "unknown field `speed`");
        check(&with("\"machine\": {\"cores\": 0}"), "`machine.cores` of a profile is 0");
        check(&with("\"machine\": {\"round_us\": -1}"), "`machine.round_us` of a profile is -1");
        check(&with("\"machine\": {\"round_us\": null}"), "invalid type: null");
        check("{\"name\": \"x\", \"round_trip_us\": 1, \"bits_per_second\": [0, 1e9]}", "`bits_per_second`");
        check("{\"name\": \"\\u001b\", \"round_trip_us\": 1, \"bits_per_second\": [1e9, 1e9]}", "its name");
    }

    #[test]
    fn the_slower_direction_counts() {
        let profile = Profile { bits_per_second: [8e6, 16e6], ..Profile::default() };
        assert_eq!(profile.transfer_seconds([1_000_000, 1_000_000]), 1.0);
        assert_eq!(profile.transfer_seconds([0, 1_000_000]), 0.5);
    }
}
