//! Why a command ended without its result.

use std::any::Any;

use ptc_driver::Failure as SourceFailure;
use ptc_exec::RunError;
use ptc_net::PeerError;
use ptc_syntax::diagnostic::render;

use crate::{classes, messages};

pub enum Failure {
    /// Errors in a model's source, shown in place.
    Source(Box<SourceFailure>),
    /// The other side, or the way to it, is at fault.
    Peer { message: String, code: Option<&'static str> },
    /// What an error of another room says, with its class.
    Classed { message: String, code: &'static str },
    /// Everything else: what happened, and what to do.
    Message { message: String, hint: Option<String> },
    /// Already told.
    Told,
}

impl Failure {
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Failure {
        Failure::Message { message: message.into(), hint: Some(hint.into()) }
    }

    pub fn source(failure: SourceFailure) -> Failure {
        Failure::Source(Box::new(failure))
    }

    /// Says where it happened before what.
    pub fn at(self, place: &str) -> Failure {
        match self {
            Failure::Message { message, hint } => Failure::Message { message: format!("{place}: {message}"), hint },
            Failure::Classed { message, code } => Failure::Classed { message: format!("{place}: {message}"), code },
            other => other,
        }
    }

    /// What is told, as text without colours and without the word before it.
    pub fn text(&self) -> String {
        match self {
            Failure::Source(failure) => render(&failure.diagnostics, &failure.sources),
            Failure::Message { message, hint: Some(hint) } => format!("{message}\nhint: {hint}"),
            Failure::Message { message, hint: None }
            | Failure::Peer { message, .. }
            | Failure::Classed { message, .. } => message.clone(),
            Failure::Told => String::new(),
        }
    }

    pub fn tell(&self) {
        match self {
            Failure::Source(failure) => messages::diagnostics(&failure.diagnostics, &failure.sources),
            Failure::Peer { message, code } => messages::error(*code, message, None),
            Failure::Classed { message, code } => messages::error(Some(code), message, None),
            Failure::Message { message, hint } => messages::error(None, message, hint.as_deref()),
            Failure::Told => {}
        }
    }
}

/// Errors of the rooms below say their own fix on a `hint:` line.
impl<E: std::error::Error + 'static> From<E> for Failure {
    fn from(error: E) -> Failure {
        let message = error.to_string();
        match (is_of_peer(&error), classes::of(&error)) {
            (true, code) => Failure::Peer { message, code },
            (false, Some(code)) => Failure::Classed { message, code },
            (false, None) => Failure::Message { message, hint: None },
        }
    }
}

/// Whether what went wrong is not this side's own doing.
fn is_of_peer(error: &dyn Any) -> bool {
    let of_session = |error: &RunError| {
        use RunError::*;
        !matches!(error, Plan(_) | Pool(_) | Trust(_) | TooManyQueries(_) | Parameters(_) | Inputs(_))
    };
    error.is::<PeerError>() || error.downcast_ref::<RunError>().is_some_and(of_session)
}
