//! The plan: steps, their exact price and leak, the file two parties share.
