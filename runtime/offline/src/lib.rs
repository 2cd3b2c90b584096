//! The sources of correlations: the dealer.
