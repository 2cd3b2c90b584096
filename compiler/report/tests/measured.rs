//! Traces of both parties beside what the plan predicts.

use ptc_plan::Plan;
use ptc_plan::price::{self, FRAME_HEADER};
use ptc_report::trace::{Head, Phase, Round, Step, Trace, TraceError, VERSION, hash, pair};
use ptc_report::{Beside, explain};

use plan::layers;

mod plan;

/// What a party records when all goes as predicted: a round takes a millisecond, most of it waiting.
fn trace(plan: &Plan, party: usize) -> Trace {
    let (_, schedule) = price::total(plan);
    let framed = |bytes: u64| if bytes == 0 { 0 } else { bytes + FRAME_HEADER };
    let round = |(at, round): (usize, &price::Round)| Round {
        query: 0,
        round: at as u32,
        start_us: 1000 * at as u64,
        end_us: 1000 * at as u64 + 1000,
        waiting_us: 900,
        sent_bytes: framed(round.sent[party]),
        received_bytes: framed(round.sent[1 - party]),
    };
    let step = |(at, step): (usize, &ptc_plan::step::Step)| {
        let rounds = price::rounds(&plan.values, step);
        let bytes = |party: usize| rounds.iter().map(|round| round.sent[party]).sum();
        Step {
            query: 0,
            step: at,
            op: step.op.name().into(),
            round: step.round,
            start_us: 0,
            end_us: 100,
            computing_us: 50,
            sent_bytes: bytes(party),
            received_bytes: bytes(1 - party),
        }
    };
    let phase = Phase { phase: "online".into(), rounds: 25, sent_bytes: 1, received_bytes: 2, us: 25_000 };
    Trace {
        head: Head { version: VERSION, party, plan: hash(plan), queries: 1 },
        phases: vec![phase],
        rounds: schedule.iter().enumerate().map(round).collect(),
        steps: plan.steps.iter().enumerate().map(step).collect(),
    }
}

fn explained(plan: &Plan, traces: Vec<Trace>) -> ptc_report::Report {
    let traces = Some(pair(plan, traces).expect("both parties"));
    explain(plan, &Beside { times: None, traces })
}

#[test]
fn a_trace_is_read_as_it_was_written() {
    let trace = trace(&layers(), 1);
    assert_eq!(Trace::from_lines(&trace.to_lines()), Ok(trace.clone()));
    assert_eq!(Trace::from_lines(""), Err(TraceError::NoHead));
    let bad =
        |change: &dyn Fn(String) -> String| Trace::from_lines(&change(trace.to_lines())).expect_err("a bad trace");
    assert!(matches!(bad(&|text| text.replace("\"version\":1", "\"version\":2")), TraceError::Version(2)));
    assert!(matches!(
        bad(&|text| text.replace("\"kind\":\"phase\"", "\"kind\":\"x\"")),
        TraceError::Malformed { line: 2, .. }
    ));
    assert!(matches!(bad(&|text| text.clone() + &text), TraceError::Malformed { .. }));
    assert!(matches!(bad(&|text| text.lines().skip(1).collect::<Vec<_>>().join("\n")), TraceError::NoHead));
}

#[test]
fn traces_belong_to_a_plan_and_to_both_parties() {
    let plan = layers();
    let both = || vec![trace(&plan, 1), trace(&plan, 0)];
    assert_eq!(pair(&plan, both()).map(|[server, client]| (server.head.party, client.head.party)), Ok((0, 1)));
    assert_eq!(pair(&plan, both().split_off(1)), Err(TraceError::NotBoth));
    assert_eq!(pair(&plan, vec![trace(&plan, 0), trace(&plan, 0)]), Err(TraceError::NotBoth));
    let other = Plan { model: "Other".into(), ..layers() };
    assert_eq!(pair(&other, both()), Err(TraceError::OtherPlan));
    let mut beyond = both();
    beyond[0].steps[3].step = plan.steps.len();
    assert!(matches!(pair(&plan, beyond), Err(TraceError::Beyond { what: "step", .. })));
}

#[test]
fn bytes_are_as_predicted_or_flagged() {
    let plan = layers();
    let report = explained(&plan, vec![trace(&plan, 0), trace(&plan, 1)]);
    let measured = report.measured.as_ref().expect("a run");
    assert_eq!((measured.difference_count, measured.rounds.len()), (0, 25));
    assert_eq!(measured.online_us, 25_000.0);
    // A round's link time goes to the steps that share it.
    let link: f64 = measured.kinds.iter().map(|kind| kind.link_us).sum();
    assert!((link - 25.0 * 900.0).abs() < 0.05 * link, "{link}");
    assert!(report.text().contains("as predicted, to the byte") && report.html().contains("class=\"verdict good\""));

    let mut wrong = trace(&plan, 1);
    wrong.rounds[3].sent_bytes += 1;
    wrong.rounds.remove(5);
    let at = wrong.steps.iter().position(|step| step.op == "gate").expect("a gate");
    wrong.steps[at].received_bytes -= 8;
    let report = explained(&plan, vec![trace(&plan, 0), wrong]);
    let found: Vec<String> =
        report.measured.iter().flat_map(|measured| &measured.differences).map(|one| one.what.clone()).collect();
    assert_eq!(found, ["round 3".to_string(), "round 5".into(), format!("step {at}, `gate`")]);
    assert!(report.text().contains("NOT AS PREDICTED in 3 places") && report.html().contains("class=\"verdict bad\""));
}
