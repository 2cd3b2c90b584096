//! Kernel description to native code, compiled on this machine and cached privately.
