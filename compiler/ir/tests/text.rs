//! Graphs and their text.

use ptc_ir::Graph;
use ptc_ir::parse::parse;
use ptc_ir::print::print;
use ptc_ir::verify::verify;

const EVERYTHING: &str = include_str!("everything.graph");

#[test]
fn text_to_graph_to_text_is_the_identity() {
    let graph = parse(EVERYTHING).expect("the file parses");
    assert_eq!(verify(&graph), []);
    for (printed, written) in print(&graph).lines().zip(EVERYTHING.lines()) {
        assert_eq!(printed, written);
    }
    assert_eq!(print(&graph).len(), EVERYTHING.len());
}

#[test]
fn graph_to_text_to_graph_is_the_identity() {
    // NaN is not equal to itself; its bits are held by the other direction.
    let numbers = EVERYTHING.replace("x\"7fc0000", "x\"3f80000");
    let mut graph = parse(&numbers).expect("the text parses");
    graph.model = "quotes \" and \\ and\nlines\r\u{7f}\u{2028} and ünïcode".into();
    graph.origins[0].text = "\t\"\"".into();
    graph.nodes[3].name = "// no comment".into();
    assert!(parse(&print(&graph)) == Ok(graph));
    assert_eq!(parse(&print(&Graph::default())), Ok(Graph::default()));
}

fn check_error(lines: &str, line: usize, part: &str) {
    let error = parse(lines).expect_err("the text is wrong");
    assert!(error.line == line && error.message.contains(part), "`{error}` is not line {line} with `{part}`");
}

#[test]
fn errors_name_the_line() {
    check_error("\n// fine\nnode", 3, "not `node`");
    check_error("%1 = parameter", 1, "node %1 stands where %0 is due");
    check_error("%0 = relu %0 : client real[2] \"p\" @0", 1, "`%0` is not defined above");
    check_error("%0 = rely : client real[2] \"p\" @0", 1, "expected `{`, but found `: client");
    check_error("%0 = rely {} : client real[2] \"p\" @0", 1, "no operator `rely`");
    check_error("%0 = constant [1, 2] : public real[3] \"p\" @0", 1, "2 numbers do not fill shape [3]");
    check_error("%0 = constant x\"3f80000\" : public real[3] \"p\" @0", 1, "7 hexadecimal digits");
    check_error("%0 = parameter \"p\" : pubic real[3] \"p\" @0", 1, "`pubic` is none of public, client");
    check_error("%0 = parameter \"p\" : public bit[3] \"p\" @0", 1, "declared as bit, but its operator makes it real");
    check_error("%0 = parameter \"p\" : public real[3] \"p\" @0 @", 1, "nothing more is expected");
    check_error("%0 = parameter \"p : public real[3]", 1, "no closing quote");
    check_error("%0 = parameter \"p\" : public real[99999999999999999999]", 1, "a whole number in range");
    check_error("output \"p\" client %0", 1, "`%0` is not defined above");
}

/// Whatever the text, neither parser nor verifier panics.
#[test]
fn damaged_text_is_an_error_or_another_graph() {
    let mut state = 1u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % below
    };
    let marks = b"%,:{}[]()\"\\@-0123456789abcx \n";
    let mut parsed = 0;
    for _ in 0..20_000 {
        let mut bytes = EVERYTHING.as_bytes().to_vec();
        for _ in 0..1 + random(3) {
            let at = random(bytes.len());
            match random(3) {
                0 => bytes[at] = marks[random(marks.len())],
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, marks[random(marks.len())]),
            }
        }
        if let Ok(graph) = parse(&String::from_utf8_lossy(&bytes)) {
            parsed += 1;
            verify(&graph);
        }
    }
    assert!(parsed > 100, "{parsed} damaged texts parsed");
}
