//! The `linnet` command line.
fn main() {}
