//! The C ABI of Linnet.
