//! A correlation is given away: what asks for it twice does not compile. Each pair of examples differs in the second use alone.
//!
//! A triple:
//! ```
//! # use ptc_correlation::types::Triple;
//! # use ptc_mpc::{Context, mul::mul};
//! # use ptc_ring::tensor::Share;
//! async fn once(context: &Context, x: &Share, triple: Triple) {
//!     let _ = mul(context, x, x, triple).await;
//! }
//! ```
//! ```compile_fail,E0382
//! # use ptc_correlation::types::Triple;
//! # use ptc_mpc::{Context, mul::mul};
//! # use ptc_ring::tensor::Share;
//! async fn twice(context: &Context, x: &Share, triple: Triple) {
//!     let _ = mul(context, x, x, triple).await;
//!     let _ = mul(context, x, x, triple).await;
//! }
//! ```
//! The masks of a comparison:
//! ```
//! # use ptc_correlation::types::Comparison;
//! # use ptc_mpc::{Context, compare::compare};
//! # use ptc_ring::tensor::Share;
//! async fn once(context: &Context, x: &Share, masks: Comparison) {
//!     let _ = compare(context, x, 0, masks).await;
//! }
//! ```
//! ```compile_fail,E0382
//! # use ptc_correlation::types::Comparison;
//! # use ptc_mpc::{Context, compare::compare};
//! # use ptc_ring::tensor::Share;
//! async fn twice(context: &Context, x: &Share, masks: Comparison) {
//!     let _ = compare(context, x, 0, masks).await;
//!     let _ = compare(context, x, 1, masks).await;
//! }
//! ```
//! A rotated table, which is not copied either:
//! ```
//! # use ptc_correlation::types::RotatedTables;
//! # use ptc_mpc::{Context, table::table};
//! # use ptc_ring::tensor::Share;
//! async fn once(context: &Context, x: &Share, rotated: RotatedTables) {
//!     let _ = table(context, x, 0, rotated).await;
//! }
//! ```
//! ```compile_fail,E0599
//! # use ptc_correlation::types::RotatedTables;
//! # use ptc_mpc::{Context, table::table};
//! # use ptc_ring::tensor::Share;
//! async fn copied(context: &Context, x: &Share, rotated: RotatedTables) {
//!     let _ = table(context, x, 0, rotated.clone()).await;
//! }
//! ```
//! A value is opened by [`crate::reveal`] alone, which needs the transcript of a channel; nobody makes one up:
//! ```
//! # use ptc_mpc::{Context, reveal::reveal};
//! # use ptc_net::Transcript;
//! # use ptc_plan::step::Party;
//! # use ptc_ring::tensor::Share;
//! async fn opened(context: &Context, x: &Share, seen: Transcript) {
//!     let _ = reveal(context, x, Party::Client, seen).await;
//! }
//! ```
//! ```compile_fail,E0451
//! # use ptc_mpc::{Context, reveal::reveal};
//! # use ptc_net::Transcript;
//! # use ptc_plan::step::Party;
//! # use ptc_ring::tensor::Share;
//! async fn opened(context: &Context, x: &Share) {
//!     let seen = Transcript { sent: [0; 32], received: [0; 32] };
//!     let _ = reveal(context, x, Party::Client, seen).await;
//! }
//! ```
