//! Codes of what goes wrong when a plan runs: `R01` what the user gives, `R02` plan, weights and what was measured, `R03` the
//! other side, `R04` pools, `R05` this machine. Errors in a model's source have codes of their own (`ptc_syntax::codes`).
//!
//! A code is a class: the message says what happened, `ptc help R0302` what that may come from and what to do.

use std::error::Error;

use ptc_cost::profile::ProfileError;
use ptc_exec::RunError;
use ptc_llvm::LlvmError;
use ptc_net::PeerError;
use ptc_offline::pool::PoolError;
use ptc_plan::encoding::PlanError;
use ptc_syntax::codes::Code;

use crate::arrays::ArrayError;
use crate::cache::CacheError;
use crate::calibration::CalibrationError;
use crate::files::FileError;
use crate::labels::LabelsError;
use crate::tokens::TokensError;
use crate::weights::WeightsError;

macro_rules! classes {
    ($($id:ident $title:literal $explanation:literal)*) => {
        $(const $id: Code = Code { id: stringify!($id), title: $title, explanation: $explanation };)*
        /// The whole table, in order.
        pub const ALL: &[Code] = &[$($id),*];
    };
}

classes! {
    R0101 "a file cannot be read or written"
        "A path does not exist, its rights forbid it, the disk is full, or the file is far larger than such a file is. Results \
         are written beside their place and renamed, so that nobody ever reads a part; an old file stays until then."
    R0102 "an input that the entry does not take"
        "Inputs are arrays with the names, shapes and kinds that the entry declares; `ptc explain` lists them. A `.npy` file \
         of any plain type of number will do, or JSON: {\"shape\": [2, 2], \"data\": [1, 2, 3, 4]}. Every number must be \
         finite and lie within the bound that the plan's rings were chosen for; a wider one needs `#[bound(...)]` or another \
         calibration, and another build."
    R0103 "a text that does not become the entry's tokens"
        "A text fills one input of tokens and one of bits, its mask; the second text of a pair needs no input of its own, but \
         an input `kinds` tells the two apart. Its length is the plan's: longer ones are refused unless `--truncate` is \
         given, shorter ones are padded where a mask says so. `ptc build --dim S=64` makes a plan for longer texts."
    R0104 "labels that do not belong to the result"
        "`--labels` takes a list of names, or a checkpoint's `config.json` with `id2label`: one name for each number of the \
         result, or of each of its rows for a classifier of tokens."
    R0201 "a plan that cannot be used"
        "The file is no plan, is damaged, or was written by another version of `ptc`. Build it again from its source and give \
         both parties the same file; a party checks all of it before it opens a connection."
    R0202 "weights that do not fit the plan"
        "Every parameter of the model has a path, a shape and a bound; the checkpoint must hold a tensor of this name and \
         shape with finite values within the bound, and nothing that the model leaves out, unless `--unused NAME` says so. \
         Weights that changed after calibration may need a new one: `ptc calibrate`, then `ptc build`."
    R0203 "measurements that cannot be used"
        "Ranges of `ptc calibrate`, profiles of `ptc profile` and traces of `ptc run --trace` belong to one model, machine or \
         plan. Make the file again with the command that wrote it."
    R0301 "no connection to the other side"
        "One side listens, the other connects, and both wait for a while: `--wait SECONDS` sets how long. Check the address, \
         that the other side has been started, and that nothing between the two refuses the port."
    R0302 "the other side went away or fell silent"
        "The connection ended or did not move within the time limit. The other side's own message tells why it ended. A slow \
         machine or link needs a longer `--timeout`. Nothing was written, and no correlation of this session is used again."
    R0303 "the other side broke the protocol"
        "A message had another length, number or content than the plan says. Both sides need the same version of `ptc` and the \
         same plan. If they have them, somebody changes messages on their way, or the other side is not what it says. The \
         session ended before anything further was opened."
    R0304 "the two sides do not agree"
        "They hold different plans, play the same party, speak different versions, run for different purposes, or computed \
         different public values. The message names the difference. Give both the same plan file, one `--party 0` with the \
         weights and one `--party 1` with the input."
    R0305 "the connection is not the one that was meant"
        "The other side has another key than expected, does not let this side's key in, or does not encrypt as this side does. \
         `ptc keys` makes, shows and trusts keys. Or messages were changed on their way, which both sides notice before a result \
         is opened."
    R0306 "the dealer refused, or the server has no place"
        "A dealer serves the plan that it was started with, and a server as many sessions at once as it was told to. The \
         message says which; try again later, or ask who runs it."
    R0401 "a pool that cannot be used"
        "A pool belongs to one plan, one party, one checkpoint and the key it was encrypted with, and every query in it is used \
         once. A copied or restored pool is refused, because using correlations twice would open secrets. Make another with \
         `ptc prepare`."
    R0501 "this machine lacks something"
        "Kernels could not be compiled, the folder for what is kept is not this user's alone, or the system gave no \
         randomness. `ptc doctor` says what is missing and the command that mends it."
}

/// The row with this id, in any case of letters.
pub fn find(id: &str) -> Option<Code> {
    ALL.iter().copied().find(|code| code.id.eq_ignore_ascii_case(id))
}

/// The class of an error of the rooms below.
pub fn of(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let class = match error {
        e if e.is::<RunError>() => of_run(e.downcast_ref()?)?,
        e if e.is::<PeerError>() => of_peer(e.downcast_ref()?),
        e if e.is::<FileError>() || e.is::<std::io::Error>() => R0101,
        e if e.is::<ArrayError>() => match e.downcast_ref()? {
            ArrayError::File(_) => R0101,
            _ => R0102,
        },
        e if e.is::<TokensError>() => R0103,
        e if e.is::<LabelsError>() => match e.downcast_ref()? {
            LabelsError::File(_) => R0101,
            _ => R0104,
        },
        e if e.is::<PlanError>() => R0201,
        e if e.is::<WeightsError>() => R0202,
        e if e.is::<CalibrationError>() || e.is::<ProfileError>() => R0203,
        e if e.is::<PoolError>() => R0401,
        e if e.is::<CacheError>() || e.is::<LlvmError>() => R0501,
        _ => return None,
    };
    Some(class.id)
}

fn of_run(error: &RunError) -> Option<Code> {
    Some(match error {
        RunError::Peer(error) | RunError::Dealer(error) => of_peer(error),
        RunError::Inputs(_) => R0102,
        RunError::Plan(_) => R0201,
        RunError::Weights(_) | RunError::Parameters(_) => R0202,
        RunError::Supply(_) => R0303,
        RunError::DealerRefused(_) | RunError::TurnedAway(_) => R0306,
        RunError::Pool(_) => R0401,
        RunError::Entropy(_) => R0501,
        _ => R0304,
    })
}

fn of_peer(error: &PeerError) -> Code {
    match error {
        PeerError::Refused { .. } | PeerError::Listen { .. } | PeerError::NobodyCame { .. } => R0301,
        PeerError::Closed(_) | PeerError::Stalled { .. } | PeerError::TooSlow { .. } | PeerError::Io(_) => R0302,
        PeerError::TranscriptsDiffer => R0305,
        PeerError::WrongLength { .. } | PeerError::OutOfOrder { .. } | PeerError::TooLong { .. } => R0303,
        PeerError::Malformed(_) | PeerError::MessageTooLarge(_) => R0303,
        // Keys and encryption.
        _ => R0305,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(error: impl Error + 'static, expected: &str) {
        assert_eq!(of(&error), Some(expected), "{error}");
    }

    #[test]
    fn ids_are_unique_and_in_order() {
        assert!(ALL.windows(2).all(|pair| pair[0].id < pair[1].id));
        assert!(ALL.iter().all(|code| ptc_syntax::codes::find(code.id).is_none()));
        assert_eq!(find("r0302"), Some(R0302));
    }

    #[test]
    fn each_kind_of_error_has_its_class() {
        let closed = || PeerError::Closed("a message".into());
        let path = || std::path::PathBuf::from("a");
        check(FileError::NotText { path: path() }, "R0101");
        check(ArrayError::UnknownForm { path: "a".into() }, "R0102");
        check(RunError::Inputs(vec![]), "R0102");
        check(TokensError::TooLong { found: 2, size: 1 }, "R0103");
        check(LabelsError::Count { labels: 1, logits: 2 }, "R0104");
        check(WeightsError::DoNotFit { path: path(), problems: vec![] }, "R0202");
        check(RunError::Parameters(vec![]), "R0202");
        check(PeerError::Io(std::io::ErrorKind::Other.into()), "R0302");
        check(RunError::Peer(closed()), "R0302");
        check(RunError::Dealer(closed()), "R0302");
        check(PeerError::OutOfOrder { expected: 1, found: 2 }, "R0303");
        check(RunError::SameRole(1), "R0304");
        check(PeerError::TranscriptsDiffer, "R0305");
        check(RunError::DealerRefused("no".into()), "R0306");
        check(CacheError::NoPlace, "R0501");
        assert_eq!(of(&std::fmt::Error), None);
    }

    #[test]
    fn every_class_is_given_to_an_error() {
        let text = include_str!("classes.rs");
        let (_, given) = text.split_once("pub fn of(").unwrap();
        let (given, _) = given.split_once("#[cfg(test)]").unwrap();
        for code in ALL {
            assert!(given.contains(code.id), "no error has the class {}", code.id);
        }
    }
}
