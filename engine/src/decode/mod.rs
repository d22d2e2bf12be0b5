//! Transducer decoding: encoder frames to tokens.
