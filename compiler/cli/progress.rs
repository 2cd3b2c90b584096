//! What is going on, on standard error: a bar on a terminal, lines elsewhere.

use std::cell::Cell;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use ptc_exec::session::Stage;

pub struct Progress {
    bar: Option<ProgressBar>,
    rounds: u64,
    told: Cell<bool>,
}

impl Progress {
    /// For a plan of so many rounds.
    pub fn new(rounds: u64) -> Progress {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(rounds);
            bar.set_style(spinner());
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Progress { bar, rounds, told: Cell::new(false) }
    }

    pub fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => {
                bar.set_style(spinner());
                bar.set_message(text.to_string());
            }
            None => eprintln!("{text}"),
        }
    }

    pub fn stage(&self, stage: Stage) {
        match stage {
            Stage::Handshake => self.say("comparing plans with the other party"),
            Stage::PublicParameters => self.say("public parameters"),
            Stage::Preparing => self.say("encoding public parameters"),
            Stage::Dealer => self.say("connecting to the dealer"),
            Stage::Once => self.say("correlated randomness: what is needed once"),
            // Lines that stay are few.
            Stage::Offline { query } | Stage::Pool { query } if self.bar.is_none() && query % 10 > 0 => {}
            Stage::Pool { query } => self.say(&format!("query {}: correlations from the pool", query + 1)),
            Stage::Offline { query } => self.say(&format!("query {}: correlated randomness", query + 1)),
            Stage::Made { done, of } => self.made(done, of),
        }
    }

    fn made(&self, done: usize, of: usize) {
        if let Some(bar) = &self.bar {
            if done <= 1 {
                bar.set_style(parts());
                bar.set_length(of as u64);
            }
            bar.set_position(done as u64);
        }
    }

    /// A round of the online phase starts.
    pub fn round(&self, round: u32) {
        match &self.bar {
            Some(bar) => {
                if round == 0 {
                    bar.set_style(rounds());
                    bar.set_length(self.rounds);
                }
                bar.set_position(round.into());
            }
            None if !self.told.replace(true) => eprintln!("online: {} rounds a query", self.rounds),
            None => {}
        }
    }
}

impl Drop for Progress {
    /// An error message must not be written into the bar.
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn spinner() -> ProgressStyle {
    ProgressStyle::default_spinner()
}

fn rounds() -> ProgressStyle {
    ProgressStyle::with_template("online {bar:40} round {pos} of {len}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn parts() -> ProgressStyle {
    ProgressStyle::with_template("preparing {bar:40} round {pos} of {len}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}
