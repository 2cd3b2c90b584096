//! Reasons for a line, and what anybody learns, of a small plan: as in `why.txt` and `leakage.txt`.
//! `UPDATE=1 cargo test -p ptc-report` writes them; read the difference.

use std::path::Path;

use ptc_plan::file::{Making, Trust};
use ptc_report::why::WhyError;
use ptc_report::{Beside, explain, why};

use plan::layers;

mod plan;

fn check(name: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, text).expect("writable");
    }
    assert_eq!(text, std::fs::read_to_string(&file).expect("the golden text"));
    for line in text.lines() {
        assert!(line.chars().count() <= 120, "{line}");
    }
}

#[test]
fn a_line_has_its_reasons() {
    check("why.txt", &why(&layers(), &Beside::default(), "nn.ptx:31").expect("a line of the plan").text());
}

#[test]
fn leakage_is_as_expected() {
    let dealt = explain(&layers(), &Beside::default()).leakage_text();
    let making = Making::FAST;
    let alone = ptc_plan::Plan { trust: Trust::TwoParty { making }, ..layers() };
    let alone = explain(&alone, &Beside::default()).leakage_text();
    check("leakage.txt", &format!("{dealt}\n\n{alone}"));
}

#[test]
fn a_line_that_is_not_there_has_neighbours() {
    let ask = |line: &str| why(&layers(), &Beside::default(), line).map(|why| why.text());
    assert!(ask("12").is_ok_and(|text| text.starts_with("stdlib/nn.ptx:12")));
    assert_eq!(ask("twelve"), Err(WhyError::NoLine("twelve".into())));
    let missing = ask("layers.ptx:21").expect_err("no step there").to_string();
    assert!(missing.contains("layers.ptx:20, layers.ptx:22") && missing.contains("hint:"), "{missing}");
    let mut plan = layers();
    plan.origins[3].line = 12;
    let several = why(&plan, &Beside::default(), "12").expect_err("two files").to_string();
    assert!(several.contains("`stdlib/nn.ptx:12`, `layers.ptx:12`"), "{several}");
}
