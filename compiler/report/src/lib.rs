//! Explain: what a plan does, costs, leaks and errs.
