//! The report as a page: well-formed, escaped, and complete without a network.

use ptc_report::{Beside, explain};

use plan::layers;

mod plan;

/// Elements that have no end.
const EMPTY: [&str; 3] = ["meta", "input", "!DOCTYPE"];

/// The tags of a page, whose ends match their starts; what stands between them.
fn check_balanced(page: &str) -> String {
    let (mut open, mut text, mut rest) = (vec![], String::new(), page);
    while let Some(at) = rest.find('<') {
        text += &rest[..at];
        let end = at + rest[at..].find('>').expect("a tag ends");
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "`{tag}`, before `{}`", &rest[..rest.len().min(60)]);
        } else if !tag.ends_with('/') && !EMPTY.contains(&name) {
            open.push(name);
            // A script and a style hold no tags.
            if name == "script" || name == "style" {
                let close = rest.find(&format!("</{name}>")).expect("it ends");
                rest = &rest[close..];
            }
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "quotes of `{tag}`");
    }
    assert_eq!(open, Vec::<&str>::new());
    text
}

#[test]
fn the_page_is_well_formed_and_asks_for_nothing() {
    let page = explain(&layers(), &Beside::default()).html();
    let text = check_balanced(&page);
    for outside in ["http:", "https:", "src=", "@import", "url(", "<link", "<iframe", "fetch(", "XMLHttpRequest"] {
        assert!(!page.contains(outside), "`{outside}`");
    }
    for said in ["layers.ptx:22", "polynomial", "Nobody learns anything", "layers.0.relu", "calibrated"] {
        assert!(text.contains(said), "`{said}` is not on the page");
    }
    for id in ["costs", "traffic", "flow", "lines", "choices", "steps", "leakage"] {
        assert_eq!(page.matches(&format!("id=\"{id}\"")).count(), 1, "{id}");
    }
}

#[test]
fn whatever_a_name_holds_stays_text() {
    let bad = "</script><script>alert(\"x\")</script><img src=x onerror='y'>&";
    let mut plan = layers();
    plan.model = bad.into();
    plan.dims = vec![(bad.into(), 1)];
    plan.values.iter_mut().for_each(|value| value.name = bad.into());
    plan.origins.iter_mut().for_each(|origin| (origin.file, origin.text) = (bad.into(), bad.into()));
    plan.inputs.iter_mut().for_each(|input| input.name = bad.into());
    plan.outputs.iter_mut().for_each(|output| (output.name, output.reason) = (bad.into(), bad.into()));
    plan.notes.iter_mut().for_each(|note| (note.value, note.recipe) = (bad.into(), bad.into()));
    for choice in &mut plan.choices {
        (choice.subject, choice.chosen.name) = (bad.into(), bad.into());
    }
    let page = explain(&plan, &Beside::default()).html();
    check_balanced(&page);
    assert_eq!((page.matches("<script").count(), page.matches("<img").count()), (1, 0));
    assert!(page.contains("&lt;/script&gt;&lt;script&gt;alert(&quot;x&quot;)"));
}

#[test]
fn a_page_of_nothing_is_a_page() {
    let mut plan = layers();
    plan.steps.clear();
    plan.outputs.clear();
    plan.values.truncate(1);
    plan.parameters.clear();
    plan.origins.clear();
    plan.notes.clear();
    check_balanced(&explain(&plan, &Beside::default()).html());
}
