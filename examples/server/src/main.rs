//! The server's command line.

mod args;

use std::process::ExitCode;

use clap::Parser;
use linnet::Engine;
use linnet_server::{Config, Server, auth};
use tokio::signal::unix::{SignalKind, signal};
use tracing::error;

use args::{Args, Command};

/// Puts bytes where the model file expects them: at a multiple of 64.
#[repr(C, align(64))]
struct Aligned<T: ?Sized>(T);

static DEFAULT_MODEL: &Aligned<[u8]> = &Aligned(*include_bytes!("../../../models/linnet-en.linnet"));

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(Command::NewToken { name }) = &args.command {
        return new_token(name);
    }
    args::start_log(args.log_json);
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            error!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// Prints a token to standard error, for its holder, and its line to standard output, for the file.
fn new_token(name: &str) -> ExitCode {
    if name.split_whitespace().count() != 1 || name.starts_with('#') {
        eprintln!("linnet-server: a name has no spaces and doesn't start with #");
        return ExitCode::from(2);
    }
    let (token, line) = auth::new_token(name);
    eprintln!("Token of {name}, shown only now: {token}");
    println!("{line}");
    ExitCode::SUCCESS
}

fn run(args: Args) -> Result<(), Box<dyn std::error::Error>> {
    let engine = match &args.model {
        Some(path) => Engine::open(path)?,
        None => Engine::from_static(&DEFAULT_MODEL.0)?,
    };
    let config: Config = args.config()?;
    // Sockets take little; the other threads are for inference.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let server = Server::bind(args.listen, engine, config).await?;
        tracing::info!(address = %server.local_addr()?, "listening");
        let mut terminate = signal(SignalKind::terminate())?;
        server
            .run(async move {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = tokio::signal::ctrl_c() => {}
                }
            })
            .await;
        Ok(())
    })
}
