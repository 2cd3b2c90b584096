//! Float evaluation of a graph.

use ptc_ir::evaluate::{EvaluateError, Tensors, all, outputs};
use ptc_ir::parse::parse;
use ptc_plan::float::FloatTensor;

const LINEAR: &str = r#"
model "M" entry "e"
origin 0 "m.ptx":1 ""
%0 = input "x" {limit: 1} : client real[1, 2] "x" @0
%1 = parameter "w" : server real[2, 2] "w" @0
%2 = constant [0.5] : public real[] "half" @0
%3 = matmul %0, %1 : secret real[1, 2] "product" @0
%4 = add %3, %2 : secret real[1, 2] "sum" @0
%5 = reveal %4 {to: client, reason: "result"} : client real[1, 2] "result" @0
output "second" client %5
output "first" client %0
"#;

fn tensors(name: &str, shape: &[usize], data: &[f32]) -> Tensors {
    Tensors::from([(name.to_string(), FloatTensor::new(shape.to_vec(), data.to_vec()))])
}

#[test]
fn a_linear_layer() {
    let graph = parse(LINEAR).expect("the text parses");
    let x = tensors("x", &[1, 2], &[1.0, 2.0]);
    let w = tensors("w", &[2, 2], &[1.0, 2.0, 3.0, 4.0]);
    let results = outputs(&graph, &x, &w).expect("all values are there");
    assert_eq!(results[0].data, [7.5, 10.5]);
    assert_eq!(results[1].data, [1.0, 2.0]);
    let values = all(&graph, &x, &w).expect("all values are there");
    assert_eq!(values.len(), 6);
    assert_eq!(values[3].data, [7.0, 10.0]);
}

#[test]
fn what_is_missing_is_named() {
    let graph = parse(LINEAR).expect("the text parses");
    let x = tensors("x", &[1, 2], &[1.0, 2.0]);
    assert_eq!(outputs(&graph, &Tensors::new(), &x), Err(EvaluateError::MissingInput("x".into())));
    assert_eq!(outputs(&graph, &x, &x), Err(EvaluateError::MissingParameter("w".into())));
    let wrong = tensors("w", &[4], &[0.0; 4]);
    let error = EvaluateError::Shape { name: "w".into(), expected: vec![2, 2], found: vec![4] };
    assert_eq!(outputs(&graph, &x, &wrong), Err(error));
}
