//! What a plan takes under a profile, as reports show it.

use ptc_cost::predict::predict;
use ptc_cost::profile::Profile;
use ptc_cost::steps::{StepSeconds, predict_steps};
use ptc_plan::Plan;
use ptc_report::beside::{StepTime, Times};

pub fn of(plan: &Plan, profile: &Profile) -> Times {
    let prediction = predict(plan, profile);
    let steps = predict_steps(plan, profile, &prediction);
    let step =
        |StepSeconds { online, offline }: StepSeconds| StepTime { online_us: online * 1e6, offline_us: offline * 1e6 };
    Times {
        profile: describe(profile),
        online_us: prediction.online.seconds * 1e6,
        offline_us: prediction.offline.seconds * 1e6,
        once_us: prediction.setup.seconds * 1e6,
        steps: steps.into_iter().map(step).collect(),
    }
}

fn describe(profile: &Profile) -> String {
    let [server, client] = profile.bits_per_second.map(|rate| rate / 1e6);
    let rate = if server == client { format!("{server:.0}") } else { format!("{server:.0} and {client:.0}") };
    format!("{}: {} ms there and back, {rate} Mbit/s", profile.name, profile.round_trip_us / 1e3)
}
