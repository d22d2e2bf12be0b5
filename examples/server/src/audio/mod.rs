//! Audio from the wire: raw samples, and files that are decoded while they arrive.

mod container;
mod feed;
mod raw;

pub use container::Container;
pub use feed::{Feed, Piece};
pub use raw::{BadAudio, Framing, RawDecoder, RawEncoding};
