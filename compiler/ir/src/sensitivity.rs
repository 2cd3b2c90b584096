//! How much an error of each value counts at an output, to first order, on one sample.
//!
//! The output's elements are weighted by random signs, and the weighted sum is followed back through the graph. Over the
//! signs, the mean square of the gradient at a value is the mean square, over the output's elements, of what independent
//! unit errors of the value's elements do to them (Hutchinson's estimate of the squared Frobenius norm). An output of few
//! elements is followed back from each of them instead, and the largest counts. Where elements differ, those that a noisy
//! evaluation shows to err most are followed back by themselves too.
//!
//! A value may be rounded for one user and not for another, so what comes back from each user counts by its size, and
//! users do not cancel: the gains hold for errors at any of the uses.

use ptc_plan::float::FloatTensor;
use ptc_plan::operator::Operator;

use crate::adjoint::adjoint;
use crate::evaluate::{EvaluateError, Tensors, all};
use crate::graph::{Graph, NodeId, Op, Visibility};

/// What errors of a value do to an element of the output, in units of the error.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Gain {
    /// Errors of the value's elements that have nothing to do with each other: square root of the mean square.
    pub noise: f64,
    /// One and the same error of all elements.
    pub drift: f64,
    /// As `noise`, errors in parts of the elements.
    pub relative_noise: f64,
    /// As `drift`, one error in parts of all elements.
    pub relative_drift: f64,
}

/// Outputs with more elements are weighted by random signs.
const EACH_ELEMENT: usize = 8;
/// Of those, so many that err most are followed back by themselves.
const MOST_ERRING: usize = 4;
/// The noise that shows which: small beside numbers of size one, large beside the last place of single precision.
const NOISE: f32 = 1.0 / 4096.0;
const NOISY_RUNS: usize = 2;

impl Gain {
    fn joined(self, other: Gain, join: impl Fn(f64, f64) -> f64) -> Gain {
        Gain {
            noise: join(self.noise, other.noise),
            drift: join(self.drift, other.drift),
            relative_noise: join(self.relative_noise, other.relative_noise),
            relative_drift: join(self.relative_drift, other.relative_drift),
        }
    }

    /// The larger ones.
    pub fn max(self, other: Gain) -> Gain {
        self.joined(other, f64::max)
    }

    fn of(gradient: &FloatTensor, value: &FloatTensor) -> Gain {
        let (mut squares, mut sum, mut relative_squares, mut relative_sum) = (0.0, 0.0, 0.0, 0.0);
        for (&g, &x) in gradient.data.iter().zip(&value.data) {
            let (g, part) = (f64::from(g), f64::from(g) * f64::from(x));
            squares += g * g;
            sum += g;
            relative_squares += part * part;
            relative_sum += part;
        }
        Gain {
            noise: f64::sqrt(squares),
            drift: f64::abs(sum),
            relative_noise: f64::sqrt(relative_squares),
            relative_drift: f64::abs(relative_sum),
        }
    }
}

/// For each node its gain at the output `at`; `None` where it does not reach it. `probes` are the random weightings.
pub fn gains(
    graph: &Graph,
    inputs: &Tensors,
    parameters: &Tensors,
    at: usize,
    probes: usize,
) -> Result<Vec<Option<Gain>>, EvaluateError> {
    let values = all(graph, inputs, parameters)?;
    let output = graph.outputs[at].node;
    let elements = values[output.0 as usize].data.len();
    let mut total: Vec<Option<Gain>> = vec![None; graph.nodes.len()];
    let each = elements <= EACH_ELEMENT;
    let count = if each { elements } else { probes };
    let scale = if each { 1.0 } else { 1.0 / (elements * probes) as f64 };
    let mut signs = Signs(0x9E37_79B9_7F4A_7C15 ^ at as u64);
    for probe in 0..count {
        let weight = |element: usize, signs: &mut Signs| match each {
            true => f32::from(element == probe),
            false => signs.next(),
        };
        let weights = (0..elements).map(|element| weight(element, &mut signs)).collect();
        let weights = FloatTensor::new(values[output.0 as usize].shape.clone(), weights);
        for (total, found) in total.iter_mut().zip(followed_back(graph, &values, output, weights)) {
            let Some(found) = found else { continue };
            let before = total.unwrap_or_default();
            *total = Some(match each {
                true => before.max(found),
                false => before.joined(found, |sum, gain| sum + gain * gain),
            });
        }
    }
    if !each {
        for gain in total.iter_mut().flatten() {
            *gain = gain.joined(*gain, |squares, _| (squares * scale).sqrt());
        }
        for element in most_erring(graph, &values, output, &mut signs) {
            let mut weights = vec![0.0; elements];
            weights[element] = 1.0;
            let weights = FloatTensor::new(values[output.0 as usize].shape.clone(), weights);
            for (total, found) in total.iter_mut().zip(followed_back(graph, &values, output, weights)) {
                *total = found.map(|found| total.unwrap_or_default().max(found)).or(*total);
            }
        }
    }
    Ok(total)
}

/// The output's elements that move most when every private value is off by a little.
fn most_erring(graph: &Graph, values: &[FloatTensor], output: NodeId, signs: &mut Signs) -> Vec<usize> {
    let mut moved = vec![0f32; values[output.0 as usize].data.len()];
    for _ in 0..NOISY_RUNS {
        let mut noisy: Vec<FloatTensor> = Vec::with_capacity(values.len());
        for (node, exact) in graph.nodes.iter().zip(values) {
            let mut value = match &node.op {
                Op::Apply(op) => {
                    let operands: Vec<&FloatTensor> =
                        node.inputs.iter().map(|input| &noisy[input.0 as usize]).collect();
                    op.evaluate(&operands)
                }
                Op::Reveal { .. } => noisy[node.inputs[0].0 as usize].clone(),
                _ => exact.clone(),
            };
            if node.visibility == Visibility::Secret && matches!(&node.op, Op::Apply(op) if !is_bit(op)) {
                value.data.iter_mut().for_each(|x| *x += NOISE * signs.next());
            }
            noisy.push(value);
        }
        let found = &noisy[output.0 as usize].data;
        let apart = found.iter().zip(&values[output.0 as usize].data).map(|(a, b)| (a - b).abs());
        moved.iter_mut().zip(apart).for_each(|(most, apart)| *most = most.max(apart));
    }
    let mut elements: Vec<usize> = (0..moved.len()).collect();
    elements.sort_by(|a, b| moved[*b].total_cmp(&moved[*a]));
    elements.truncate(MOST_ERRING);
    elements
}

fn is_bit(op: &Operator) -> bool {
    use Operator::*;
    matches!(op, Less | Not | And | Or | Xor | Compare { .. } | BitTable { .. })
}

/// The sizes of the gradients of `weights · output` at each node.
fn followed_back(graph: &Graph, values: &[FloatTensor], output: NodeId, weights: FloatTensor) -> Vec<Option<Gain>> {
    let mut gains: Vec<Option<Gain>> = vec![None; graph.nodes.len()];
    let mut gradients: Vec<Option<FloatTensor>> = vec![None; graph.nodes.len()];
    gains[output.0 as usize] = Some(Gain::of(&weights, &values[output.0 as usize]));
    gradients[output.0 as usize] = Some(weights);
    for id in (0..=output.0 as usize).rev() {
        let Some(gradient) = gradients[id].take() else { continue };
        let node = &graph.nodes[id];
        let back = match &node.op {
            Op::Reveal { .. } => vec![Some(gradient)],
            Op::Apply(op) => {
                let operands: Vec<&FloatTensor> = node.inputs.iter().map(|input| &values[input.0 as usize]).collect();
                adjoint(op, &operands, &values[id], &gradient)
            }
            _ => continue,
        };
        for (input, back) in node.inputs.iter().zip(back) {
            let Some(back) = back else { continue };
            let at = input.0 as usize;
            let gain = Gain::of(&back, &values[at]);
            gains[at] = Some(gains[at].unwrap_or_default().joined(gain, |a, b| a + b));
            match &mut gradients[at] {
                Some(sum) => sum.data.iter_mut().zip(&back.data).for_each(|(sum, x)| *sum += x),
                none => *none = Some(back),
            }
        }
    }
    gains
}

/// Random signs from a linear congruence, the same in every run.
struct Signs(u64);

impl Signs {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        if self.0 >> 63 == 0 { 1.0 } else { -1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;

    fn tensor(shape: &[usize], data: Vec<f32>) -> FloatTensor {
        FloatTensor::new(shape.to_vec(), data)
    }

    /// `y = 3 · (x · w)`, `w` of two columns: an element of `y` has the error of `x` times three times a column of `w`.
    #[test]
    fn a_linear_layer_has_the_norms_of_its_columns() {
        let graph = parse(
            "%0 = input \"x\" {limit: 1} : client real[1, 2] \"x\" @0\n\
             %1 = parameter \"w\" : server real[2, 2] \"w\" @0\n\
             %2 = matmul %0, %1 : secret real[1, 2] \"product\" @0\n\
             %3 = scale %2 {by: 3} : secret real[1, 2] \"y\" @0\n\
             output \"e\" client %3",
        )
        .unwrap();
        let inputs = Tensors::from([("x".to_string(), tensor(&[1, 2], vec![0.5, 2.0]))]);
        let parameters = Tensors::from([("w".to_string(), tensor(&[2, 2], vec![3.0, 1.0, 4.0, -1.0]))]);
        let gains = gains(&graph, &inputs, &parameters, 0, 4).unwrap();
        let x = gains[0].unwrap();
        // The first column is (3, 4), the larger one.
        assert_eq!((x.noise, x.drift), (15.0, 21.0));
        assert!((x.relative_noise - 3.0 * (1.5f64 * 1.5 + 8.0 * 8.0).sqrt()).abs() < 1e-4);
        assert!((x.relative_drift - 3.0 * 9.5).abs() < 1e-4);
        let w = gains[1].unwrap();
        assert!((w.noise - 3.0 * (0.25f64 + 4.0).sqrt()).abs() < 1e-5, "{w:?}");
        assert_eq!(gains[3].unwrap().noise, 1.0);
    }

    /// Many outputs: random signs find the mean square of what a common factor does.
    #[test]
    fn many_outputs_are_probed_by_signs() {
        let graph = parse(
            "%0 = input \"x\" {limit: 1} : client real[64] \"x\" @0\n\
             %1 = scale %0 {by: 0.5} : client real[64] \"half\" @0\n\
             %2 = add %1, %0 : client real[64] \"y\" @0\n\
             output \"e\" client %2",
        )
        .unwrap();
        let inputs = Tensors::from([("x".to_string(), tensor(&[64], vec![1.0; 64]))]);
        let gains = gains(&graph, &inputs, &Tensors::new(), 0, 4).unwrap();
        assert!((gains[0].unwrap().noise - 1.5).abs() < 1e-6, "each element errs by one and a half of its own");
    }
}
