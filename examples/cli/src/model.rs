//! Opening the model that a command works with.

use std::path::Path;

use linnet::Engine;

use crate::{args::ModelArgs, failure::Failure};

/// Puts bytes where the model file expects them: at a multiple of 64.
#[repr(C, align(64))]
struct Aligned<T: ?Sized>(T);

static DEFAULT: &Aligned<[u8]> = &Aligned(*include_bytes!("../../../models/linnet-en.linnet"));

/// Opens a model, or the built-in one.
pub fn open(path: Option<&Path>) -> Result<Engine, Failure> {
    match path {
        Some(path) => {
            #[cfg(feature = "download")]
            let path = &crate::models::resolve(path)?;
            Engine::open(path).map_err(|error| named(path, &error))
        }
        None => Engine::from_static(&DEFAULT.0).map_err(|error| Failure::on("the built-in model", error)),
    }
}

/// Opens what the arguments ask for.
pub fn open_for(args: &ModelArgs) -> Result<Engine, Failure> {
    match &args.model {
        Some(path) if args.reference => Engine::open_reference(path).map_err(|error| named(path, &error)),
        path => open(path.as_deref()),
    }
}

/// The error with the file's name in front, unless it is in the error already.
fn named(path: &Path, error: &linnet::Error) -> Failure {
    let (name, message) = (path.display().to_string(), error.to_string());
    if message.contains(&name) { Failure::Work(message) } else { Failure::on(name, message) }
}
