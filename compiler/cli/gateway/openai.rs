//! The form of OpenAI's embeddings interface: what is asked, what is answered, how a refusal is told.
//!
//! <https://platform.openai.com/docs/api-reference/embeddings>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::entry::Text;
use super::queue::Lost;
use crate::http::{Request, Response};

/// Texts of one request.
const MAX_INPUTS: usize = 2048;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Floats,
    Base64,
}

pub struct Ask {
    pub inputs: Vec<Text>,
    pub encoding: Encoding,
}

/// Fields that change nothing here are not looked at.
#[derive(Deserialize)]
struct Body {
    model: Option<String>,
    input: Option<Value>,
    encoding_format: Option<String>,
    dimensions: Option<Value>,
}

/// `width` is that of the model's vectors.
pub fn parse(body: &[u8], model: &str, width: usize) -> Result<Ask, Problem> {
    let body: Body = serde_json::from_slice(body)
        .map_err(|error| Problem::invalid(format!("the body is no request for embeddings: {error}"), None))?;
    match body.model {
        Some(asked) if asked == model => {}
        Some(asked) => return Err(Problem::model(&asked, model)),
        None => return Err(Problem::invalid("you must provide a model parameter".into(), Some("model"))),
    }
    let encoding = match body.encoding_format.as_deref() {
        None | Some("float") => Encoding::Floats,
        Some("base64") => Encoding::Base64,
        Some(other) => {
            let message = format!("the encoding `{other}` is neither `float` nor `base64`");
            return Err(Problem::invalid(message, Some("encoding_format")));
        }
    };
    match body.dimensions {
        None => {}
        Some(count) if count.as_u64() == u64::try_from(width).ok() => {}
        Some(count) => {
            let message = format!("the vectors of this model have {width} dimensions, and {count} are asked for");
            return Err(Problem::invalid(message, Some("dimensions")));
        }
    }
    let inputs = texts(body.input.unwrap_or(Value::Null)).ok_or_else(|| {
        Problem::invalid(
            "`input` is a text, a list of texts, tokens, or a list of lists of tokens; none of them is empty".into(),
            Some("input"),
        )
    })?;
    if inputs.len() > MAX_INPUTS {
        let message = format!("{} inputs are more than the {MAX_INPUTS} of one request", inputs.len());
        return Err(Problem::invalid(message, Some("input")));
    }
    Ok(Ask { inputs, encoding })
}

fn texts(input: Value) -> Option<Vec<Text>> {
    let list = match input {
        Value::String(text) if !text.is_empty() => return Some(vec![Text::Words(text)]),
        Value::Array(list) if !list.is_empty() => list,
        _ => return None,
    };
    if list.iter().all(Value::is_number) {
        return Some(vec![tokens(&list)?]);
    }
    let text = |value: Value| match value {
        Value::String(text) if !text.is_empty() => Some(Text::Words(text)),
        Value::Array(list) if !list.is_empty() => tokens(&list),
        _ => None,
    };
    list.into_iter().map(text).collect()
}

fn tokens(list: &[Value]) -> Option<Text> {
    let ids = list.iter().map(|id| u32::try_from(id.as_u64()?).ok()).collect::<Option<_>>()?;
    Some(Text::Tokens(ids))
}

#[derive(Serialize)]
struct Answer<'a> {
    object: &'static str,
    data: Vec<Item<'a>>,
    model: &'a str,
    usage: Usage,
}

#[derive(Serialize)]
struct Item<'a> {
    object: &'static str,
    index: usize,
    embedding: Vector<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Vector<'a> {
    Floats(&'a [f32]),
    Base64(String),
}

#[derive(Serialize)]
struct Usage {
    prompt_tokens: usize,
    total_tokens: usize,
}

pub fn embeddings(model: &str, vectors: &[&[f32]], tokens: usize, encoding: Encoding) -> Response {
    let data = vectors.iter().enumerate().map(|(index, vector)| item(index, vector, encoding)).collect();
    let usage = Usage { prompt_tokens: tokens, total_tokens: tokens };
    match serde_json::to_vec(&Answer { object: "list", data, model, usage }) {
        Ok(body) => Response { status: 200, kind: "application/json", body },
        Err(error) => Problem::lost(&Lost::Failed(error.to_string())).response(),
    }
}

fn item(index: usize, vector: &[f32], encoding: Encoding) -> Item<'_> {
    let embedding = match encoding {
        Encoding::Floats => Vector::Floats(vector),
        Encoding::Base64 => Vector::Base64(in_base64(vector)),
    };
    Item { object: "embedding", index, embedding }
}

/// Little-endian numbers.
fn in_base64(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
    STANDARD.encode(bytes)
}

pub fn models(name: &str) -> Response {
    Response::json(200, &json!({ "object": "list", "data": [card(name)] }))
}

pub fn model(name: &str) -> Response {
    Response::json(200, &card(name))
}

fn card(name: &str) -> Value {
    json!({ "id": name, "object": "model", "created": 0, "owned_by": "ptc" })
}

/// Why there is no answer.
pub struct Problem {
    status: u16,
    kind: &'static str,
    message: String,
    param: Option<&'static str>,
    code: Option<&'static str>,
}

impl Problem {
    fn invalid(message: String, param: Option<&'static str>) -> Problem {
        Problem { status: 400, kind: "invalid_request_error", message, param, code: None }
    }

    /// Of the request as such.
    pub fn of_request(status: u16, message: &str) -> Problem {
        Problem { status, ..Problem::invalid(message.into(), None) }
    }

    pub fn token() -> Problem {
        let message = "the API key is missing or wrong: the gateway was started with `--token-file`".into();
        Problem { status: 401, code: Some("invalid_api_key"), ..Problem::invalid(message, None) }
    }

    pub fn model(asked: &str, own: &str) -> Problem {
        let asked: String = asked.chars().take(100).collect();
        let message = format!("the model `{asked}` is not served here, `{own}` is (`ptc client --model` names it)");
        Problem { status: 404, code: Some("model_not_found"), ..Problem::invalid(message, Some("model")) }
    }

    pub fn method(request: &Request) -> Problem {
        Problem::of_request(405, &format!("{} is not answered at {}", request.method, request.path))
    }

    pub fn place(request: &Request) -> Problem {
        let message = format!("there is nothing at {}: `/v1/embeddings`, `/v1/models` and `/health` are", request.path);
        Problem { code: Some("unknown_url"), ..Problem::of_request(404, &message) }
    }

    pub fn input(at: usize, reason: &str) -> Problem {
        Problem::invalid(format!("input {at}: {reason}"), Some("input"))
    }

    pub fn lost(lost: &Lost) -> Problem {
        let (status, code, message) = match lost {
            Lost::Full => (429, "queue_full", "too many requests wait for the server; try again later".to_string()),
            Lost::Late => (504, "timeout", "the answer did not come in time".to_string()),
            Lost::Stopping => (503, "stopping", "the gateway is stopping".to_string()),
            Lost::Failed(reason) => (502, "server_unreachable", reason.clone()),
        };
        let kind = if status == 429 { "rate_limit_error" } else { "server_error" };
        Problem { status, kind, message, param: None, code: Some(code) }
    }

    pub fn response(&self) -> Response {
        let Problem { status, kind, message, param, code } = self;
        Response::json(*status, &json!({ "error": { "message": message, "type": kind, "param": param, "code": code } }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(body: &str) -> Result<Ask, u16> {
        parse(body.as_bytes(), "m", 3).map_err(|problem| problem.status)
    }

    #[test]
    fn texts_and_tokens_come_in_four_forms() {
        let forms = |body: &str| -> Vec<String> {
            let told = |text: &Text| match text {
                Text::Words(text) => text.clone(),
                Text::Tokens(ids) => format!("{ids:?}"),
            };
            ask(body).ok().unwrap().inputs.iter().map(told).collect()
        };
        assert_eq!(forms(r#"{"model": "m", "input": "a b"}"#), ["a b"]);
        assert_eq!(forms(r#"{"model": "m", "input": ["a", "b"], "user": "x"}"#), ["a", "b"]);
        assert_eq!(forms(r#"{"model": "m", "input": [1, 2]}"#), ["[1, 2]"]);
        assert_eq!(forms(r#"{"model": "m", "input": [[1], [2, 3]], "dimensions": 3}"#), ["[1]", "[2, 3]"]);
    }

    #[test]
    fn what_cannot_be_answered_has_a_status() {
        for (body, status) in [
            ("", 400),
            ("[]", 400),
            (r#"{"input": "a"}"#, 400),
            (r#"{"model": "other", "input": "a"}"#, 404),
            (r#"{"model": "m"}"#, 400),
            (r#"{"model": "m", "input": ""}"#, 400),
            (r#"{"model": "m", "input": []}"#, 400),
            (r#"{"model": "m", "input": ["a", ""]}"#, 400),
            (r#"{"model": "m", "input": [1, "a"]}"#, 400),
            (r#"{"model": "m", "input": [-1]}"#, 400),
            (r#"{"model": "m", "input": [1.5]}"#, 400),
            (r#"{"model": "m", "input": [[]]}"#, 400),
            (r#"{"model": "m", "input": "a", "encoding_format": "hex"}"#, 400),
            (r#"{"model": "m", "input": "a", "dimensions": 2}"#, 400),
        ] {
            assert_eq!(ask(body).err(), Some(status), "{body}");
        }
        let many = format!(r#"{{"model": "m", "input": {:?}}}"#, vec!["a"; MAX_INPUTS + 1]);
        assert_eq!(ask(&many).err(), Some(400));
    }

    #[test]
    fn numbers_are_told_as_floats_or_as_text() {
        let answer = |encoding| -> Value {
            serde_json::from_slice(&embeddings("m", &[&[1.0, -2.5]], 4, encoding).body).unwrap()
        };
        let (floats, text) = (answer(Encoding::Floats), answer(Encoding::Base64));
        assert_eq!(floats["data"][0]["embedding"], json!([1.0, -2.5]));
        assert_eq!(text["data"][0]["embedding"], "AACAPwAAIMA=");
        assert_eq!(floats["usage"], json!({ "prompt_tokens": 4, "total_tokens": 4 }));
        assert_eq!((&floats["object"], &floats["data"][0]["index"]), (&json!("list"), &json!(0)));
    }
}
