//! How a command can fail, and the exit code that tells it.

use std::{fmt::Display, io, process::ExitCode};

/// What ended a command.
#[derive(Debug)]
pub enum Failure {
    /// The arguments don't fit together.
    Usage(String),
    /// Work could not be done.
    Work(String),
    /// The output could not be written.
    Output(io::Error),
}

impl Failure {
    /// A failure of the work on something, such as a file.
    pub fn on(what: impl Display, why: impl Display) -> Self {
        Self::Work(format!("{what}: {why}"))
    }

    /// Tells the user on standard error. A reader that closed the pipe has seen enough: that is no failure.
    pub fn report(self) -> ExitCode {
        match self {
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            Self::Output(error) => fail(1, format_args!("can't write the output: {error}")),
            Self::Work(message) => fail(1, message),
            Self::Usage(message) => fail(2, message),
        }
    }
}

impl From<io::Error> for Failure {
    /// Errors that are passed on with `?` come from writing; those of reading are named with [`Failure::on`].
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

fn fail(code: u8, message: impl Display) -> ExitCode {
    eprintln!("linnet: {message}");
    ExitCode::from(code)
}
