//! The server driven over real sockets with real speech.

mod common;
mod live;
mod recordings;
mod sdk;
mod service;
