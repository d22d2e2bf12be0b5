//! The recognizer: engine, streams and events.
