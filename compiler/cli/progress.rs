//! What is going on, on standard error: a bar on a terminal, a few lines a phase elsewhere.
//!
//! A phase shows the bytes that have moved beside those that the plan predicts, and how long it will take at the pace so far.
//! Before there is a pace, it shows what the build predicts for a link of 1 Gbit/s.

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use ptc_cost::profile::Profile;
use ptc_exec::session::Stage;
use ptc_exec::statistics::{Predicted, predict};
use ptc_net::{Channel, Counters};
use ptc_plan::Plan;
use ptc_plan::step::Party;
use serde_json::json;

use crate::messages;
use crate::meter::{Meter, Metered};
use crate::stats::size;

/// A line is added to a phase so long after the last one, and no more than so many.
const BETWEEN: Duration = Duration::from_secs(5);
const MOST_LINES: u32 = 3;
/// A pace is believed after so long.
const PACE: Duration = Duration::from_millis(700);
const WIDTH: usize = 30;

pub struct Progress {
    shown: Shown,
    meter: Arc<Meter>,
    state: Arc<Mutex<State>>,
}

enum Shown {
    Nothing,
    Lines,
    Bar(ProgressBar),
}

/// What a plan lets one expect of a session, phase by phase.
#[derive(Clone, Copy, Debug, Default)]
struct Expected {
    once: Amount,
    /// Of the first query, and of each later one.
    offline: [Amount; 2],
    online: Amount,
    rounds: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Amount {
    bytes: u64,
    seconds: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Setup,
    Once,
    Offline,
    Pool,
    Online,
}

#[derive(Debug)]
struct State {
    text: String,
    phase: Phase,
    expected: Expected,
    query: u32,
    queries: u32,
    began: Instant,
    /// The meter when the phase began.
    before: u64,
    line_at: Instant,
    lines: u32,
    /// The first query's beginning, for the pace of all.
    first_query: Option<Instant>,
}

impl Progress {
    /// Of a session of this plan; its `queries` may be told later.
    pub fn of_session(plan: &Plan, party: Party) -> Progress {
        Progress::of(expected(plan, party))
    }

    fn of(expected: Expected) -> Progress {
        let state = Arc::new(Mutex::new(State::new(expected)));
        let meter = Arc::new(Meter::default());
        let shown = match () {
            () if messages::is_quiet() => Shown::Nothing,
            () if messages::is_json() || !std::io::stderr().is_terminal() => Shown::Lines,
            () => Shown::Bar(bar(state.clone(), meter.clone())),
        };
        Progress { shown, meter, state }
    }

    /// The channel, which tells what goes through it.
    pub fn watch(&self, channel: Box<dyn Channel>) -> Box<dyn Channel> {
        Box::new(Metered::new(channel, self.meter.clone()))
    }

    /// How many queries the session has.
    pub fn queries(&self, queries: u32) {
        self.state().queries = queries;
    }

    pub fn say(&self, text: &str) {
        self.begin(Phase::Setup, text, 0);
    }

    pub fn stage(&self, stage: Stage) {
        match stage {
            Stage::Handshake => self.say("comparing plans with the other party"),
            Stage::PublicParameters => self.say("public parameters"),
            Stage::Preparing => self.say("encoding public parameters"),
            Stage::Dealer => self.say("connecting to the dealer"),
            Stage::Once => self.begin(Phase::Once, "once a session", 0),
            Stage::Pool { query } => self.begin(Phase::Pool, "correlations from the pool", query),
            Stage::Offline { query } => self.begin(Phase::Offline, "offline", query),
            Stage::Made { .. } => self.go_on(),
        }
    }

    /// A round of the online phase starts.
    pub fn round(&self, round: u32) {
        let query = self.state().query;
        match round {
            0 => self.begin(Phase::Online, "online", query),
            _ => self.go_on(),
        }
    }

    fn begin(&self, phase: Phase, text: &str, query: u32) {
        let mut state = self.state();
        state.begin(phase, text, query, self.meter.moved());
        // Lines that stay are few: those of every tenth query.
        if matches!(self.shown, Shown::Lines) && query % 10 == 0 {
            tell(&state, self.meter.moved(), &state.opening());
        }
    }

    fn go_on(&self) {
        let mut state = self.state();
        let now = Instant::now();
        if matches!(self.shown, Shown::Lines) && state.lines < MOST_LINES && now - state.line_at >= BETWEEN {
            state.lines += 1;
            state.line_at = now;
            let moved = self.meter.moved();
            tell(&state, moved, &state.status(moved, now));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Progress {
    /// An error message must not be written into the bar.
    fn drop(&mut self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}

fn bar(state: Arc<Mutex<State>>, meter: Arc<Meter>) -> ProgressBar {
    let status = move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
        let state = state.lock().unwrap_or_else(PoisonError::into_inner);
        // A terminal that cannot be written to shows nothing.
        let _ = out.write_str(&state.drawn(meter.moved(), Instant::now()));
    };
    let style = ProgressStyle::with_template("{spinner} {status}").unwrap_or_else(|_| ProgressStyle::default_spinner());
    let bar = ProgressBar::new_spinner().with_style(style.with_key("status", status));
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn tell(state: &State, moved: u64, text: &str) {
    messages::progress(text, || state.data(moved, Instant::now()));
}

fn expected(plan: &Plan, party: Party) -> Expected {
    let bytes = |counters: Counters| counters.sent + counters.received;
    let [one, two] = [1, 2].map(|queries| predict(plan, party, queries));
    let later = bytes(two.offline).saturating_sub(bytes(one.offline));
    let seconds =
        Profile::built_in("lan").map(|profile| ptc_cost::predict::predict(plan, &profile)).unwrap_or_default();
    let Predicted { weights, offline, online } = one;
    let offline = [bytes(offline), later].map(|bytes| Amount { bytes, seconds: seconds.offline.seconds });
    Expected {
        once: Amount { bytes: bytes(weights), seconds: seconds.setup.seconds },
        offline,
        online: Amount { bytes: bytes(online), seconds: seconds.online.seconds },
        rounds: online.rounds,
    }
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Phase::Setup => "setup",
            Phase::Once => "once",
            Phase::Offline | Phase::Pool => "offline",
            Phase::Online => "online",
        }
    }
}

impl State {
    fn new(expected: Expected) -> State {
        let now = Instant::now();
        State {
            text: String::new(),
            phase: Phase::Setup,
            expected,
            query: 0,
            queries: 1,
            began: now,
            before: 0,
            line_at: now,
            lines: 0,
            first_query: None,
        }
    }

    fn begin(&mut self, phase: Phase, text: &str, query: u32, moved: u64) {
        let now = Instant::now();
        (self.phase, self.query, self.began, self.before) = (phase, query, now, moved);
        (self.line_at, self.lines) = (now, 0);
        self.text = text.to_string();
        if matches!(phase, Phase::Offline | Phase::Pool | Phase::Online) {
            self.first_query.get_or_insert(now);
        }
    }

    /// Of the phase, where the plan tells.
    fn amount(&self) -> Option<Amount> {
        let amount = match self.phase {
            Phase::Setup | Phase::Pool => return None,
            Phase::Once => self.expected.once,
            Phase::Offline => self.expected.offline[usize::from(self.query > 0)],
            Phase::Online => self.expected.online,
        };
        (amount.bytes > 0).then_some(amount)
    }

    /// `query 2 of 8: offline`.
    fn title(&self) -> String {
        match self.queries > 1 && !matches!(self.phase, Phase::Setup | Phase::Once) {
            true => format!("query {} of {}: {}", self.query + 1, self.queries, self.text),
            false => self.text.clone(),
        }
    }

    fn opening(&self) -> String {
        let rounds = match self.phase {
            Phase::Online => format!(" in {} rounds", self.expected.rounds),
            _ => String::new(),
        };
        match self.amount() {
            Some(amount) => format!("{}: {}{rounds}", self.title(), size(amount.bytes)),
            None => self.title(),
        }
    }

    /// How long the phase will take, at the pace so far or as the build predicts.
    fn left(&self, moved: u64, now: Instant) -> Option<f64> {
        let amount = self.amount()?;
        let (elapsed, done) = (now - self.began, moved.saturating_sub(self.before));
        let lacking = amount.bytes.saturating_sub(done) as f64;
        match elapsed >= PACE && done > 0 {
            true => Some(elapsed.as_secs_f64() * lacking / done as f64),
            false => Some((amount.seconds - elapsed.as_secs_f64()).max(0.0)),
        }
    }

    /// Of all queries, at the pace of those that are done.
    fn left_in_all(&self, now: Instant) -> Option<f64> {
        let (first, done) = (self.first_query?, self.query);
        let spent = (self.began.max(first) - first).as_secs_f64();
        let lacking = f64::from(self.queries.saturating_sub(done));
        (done > 0 && self.queries > 1)
            .then(|| (spent / f64::from(done) * lacking - (now - self.began).as_secs_f64()).max(0.0))
    }

    fn status(&self, moved: u64, now: Instant) -> String {
        let Some(amount) = self.amount() else { return self.title() };
        let done = moved.saturating_sub(self.before);
        let mut text = format!("{}: {} of {}", self.title(), size(done), size(amount.bytes));
        if let Some(left) = self.left(moved, now) {
            text += &format!(", {left:.1} s left");
        }
        if let Some(left) = self.left_in_all(now) {
            text += &format!(", {left:.0} s in all");
        }
        text
    }

    fn drawn(&self, moved: u64, now: Instant) -> String {
        let Some(amount) = self.amount() else { return self.title() };
        let part = moved.saturating_sub(self.before) as f64 / amount.bytes as f64;
        let filled = ((part * WIDTH as f64) as usize).min(WIDTH);
        let (title, status) = (self.title(), self.status(moved, now));
        let figures = status.strip_prefix(title.as_str()).unwrap_or(&status).trim_start_matches([':', ' ']);
        format!("{title} [{}{}] {figures}", "#".repeat(filled), "-".repeat(WIDTH - filled))
    }

    fn data(&self, moved: u64, now: Instant) -> serde_json::Value {
        let seconds = (now - self.began).as_secs_f64();
        let mut data = json!({ "phase": self.phase.name(), "moved_bytes": moved.saturating_sub(self.before) });
        if !matches!(self.phase, Phase::Setup | Phase::Once) {
            data["query"] = (self.query + 1).into();
            data["queries"] = self.queries.into();
        }
        if let Some(amount) = self.amount() {
            data["predicted_bytes"] = amount.bytes.into();
            data["seconds"] = seconds.into();
            data["seconds_left"] = self.left(moved, now).into();
        }
        data
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(phase: Phase, query: u32, queries: u32) -> State {
        let amount = |bytes, seconds| Amount { bytes, seconds };
        let expected = Expected {
            once: amount(1_000_000, 0.1),
            offline: [amount(400_000_000, 4.0), amount(300_000_000, 3.0)],
            online: amount(20_000_000, 0.5),
            rounds: 512,
        };
        let mut state = State::new(expected);
        state.queries = queries;
        state.begin(phase, if phase == Phase::Online { "online" } else { "offline" }, query, 7);
        state
    }

    fn after(state: &State, seconds: f64) -> Instant {
        state.began + Duration::from_secs_f64(seconds)
    }

    #[test]
    fn a_phase_shows_its_bytes_and_the_time_that_its_pace_leaves() {
        let one = state(Phase::Offline, 0, 1);
        assert_eq!(one.opening(), "offline: 400.00 MB");
        assert_eq!(one.status(100_000_007, after(&one, 1.0)), "offline: 100.00 MB of 400.00 MB, 3.0 s left");
        let drawn = one.drawn(200_000_007, after(&one, 1.0));
        let halves = ["#".repeat(15), "-".repeat(15)].concat();
        assert_eq!(drawn, format!("offline [{halves}] 200.00 MB of 400.00 MB, 1.0 s left"));
    }

    #[test]
    fn before_there_is_a_pace_the_prediction_stands() {
        let one = state(Phase::Offline, 0, 1);
        assert_eq!(one.left(7, after(&one, 0.5)), Some(3.5));
        assert_eq!(one.left(7, after(&one, 9.0)), Some(0.0));
    }

    #[test]
    fn later_queries_are_counted_and_cost_what_later_ones_do() {
        let mut second = state(Phase::Offline, 1, 4);
        second.first_query = Some(second.began);
        second.began += Duration::from_secs(2);
        assert_eq!(second.opening(), "query 2 of 4: offline: 300.00 MB");
        assert_eq!(second.left_in_all(after(&second, 1.0)), Some(5.0));
        let online = state(Phase::Online, 0, 4);
        assert_eq!(online.opening(), "query 1 of 4: online: 20.00 MB in 512 rounds");
    }

    #[test]
    fn more_than_predicted_fills_the_bar_and_leaves_nothing() {
        let one = state(Phase::Online, 0, 1);
        assert!(one.drawn(90_000_000, after(&one, 1.0)).contains(&"#".repeat(WIDTH)));
        assert_eq!(one.left(90_000_000, after(&one, 1.0)), Some(0.0));
    }

    #[test]
    fn a_phase_without_a_prediction_is_a_text() {
        let mut setup = state(Phase::Setup, 0, 1);
        setup.text = "public parameters".into();
        assert_eq!(setup.drawn(9, after(&setup, 1.0)), "public parameters");
        assert_eq!(setup.data(9, after(&setup, 1.0)), json!({ "phase": "setup", "moved_bytes": 2 }));
    }
}
