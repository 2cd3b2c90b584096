//! Graph to plan: schedule, kernels, the bill of correlations.
