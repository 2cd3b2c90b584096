//! What the types promise: a secret is not printed, compared or written down, and what may be used once is not copied.

use std::fmt::{Debug, Display};
use std::marker::PhantomData;

use ptc_correlation::types::{
    BitTriple, Comparison, CrossProduct, GateMask, Held, RotatedTables, SharedBit, SquarePair, StaticProduct, Triple,
    Wrap,
};
use ptc_correlation::{Packed, Planes, Supply};
use ptc_he::keys::SecretKey;
use ptc_he::product::keys::ClientKeys;
use ptc_net::key::Identity;
use ptc_offline::pool::key::Key;
use ptc_ot::block::Blocks;
use ptc_ot::setup::Transfers;
use ptc_ring::tensor::{BitShare, Share};
use ptc_ring::{Prg, Seed};
use serde::Serialize;

/// An inherent constant, where its bound holds, comes before that of a trait that every type has.
trait Without {
    const HAS: bool = false;
}

macro_rules! has {
    ($type:ty: $($bound:tt)*) => {{
        struct Probe<T: ?Sized>(PhantomData<T>);
        impl<T: ?Sized> Without for Probe<T> {}
        #[allow(dead_code)]
        impl<T: ?Sized + $($bound)*> Probe<T> {
            const HAS: bool = true;
        }
        <Probe<$type>>::HAS
    }};
}

macro_rules! kept {
    ($($type:ty),* $(,)?) => {$(
        let kept = !has!($type: Debug) && !has!($type: Display) && !has!($type: PartialEq<$type>) && !has!($type: Serialize);
        assert!(kept, "{} can be printed, compared or written down", stringify!($type));
    )*};
}

macro_rules! single {
    ($($type:ty),* $(,)?) => {$(
        assert!(!has!($type: Clone) && !has!($type: Copy), "{} can be copied", stringify!($type));
    )*};
}

#[test]
fn a_secret_is_not_printed_compared_or_written_down() {
    kept!(Seed, Prg, Share, BitShare, Packed, Planes, Supply, Held);
    kept!(
        StaticProduct,
        CrossProduct,
        Triple,
        SquarePair,
        Wrap,
        Comparison,
        BitTriple,
        SharedBit,
        GateMask,
        RotatedTables
    );
    kept!(SecretKey, ClientKeys, Blocks, Transfers, Key, Identity);
    kept!(ptc_ot::subfield::Sender, ptc_ot::subfield::Receiver, ptc_ot::silent::Sender, ptc_ot::silent::Receiver);
    kept!(ptc_ot::extension::Sender, ptc_ot::extension::Receiver, ptc_exec::value::Held);
}

#[test]
fn what_is_used_once_is_not_copied() {
    single!(Packed, Planes, Supply, Held, Prg);
    single!(
        StaticProduct,
        CrossProduct,
        Triple,
        SquarePair,
        Wrap,
        Comparison,
        BitTriple,
        SharedBit,
        GateMask,
        RotatedTables
    );
    single!(SecretKey, ClientKeys, Blocks, Transfers, Key, Identity);
    single!(ptc_ot::subfield::Sender, ptc_ot::subfield::Receiver, ptc_ot::silent::Sender, ptc_ot::silent::Receiver);
}

#[test]
fn the_probes_find_what_there_is() {
    assert!(
        has!(u32: Debug) && has!(u32: Display) && has!(u32: PartialEq<u32>) && has!(u32: Serialize) && has!(u32: Copy)
    );
    assert!(has!(Seed: Clone) && !has!(Seed: Copy));
}
