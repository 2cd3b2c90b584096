//! Channels between parties: memory and tcp; frames, limits, counters.
