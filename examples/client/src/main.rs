//! The client's command line.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Parser;
use linnet::audio::formats::AudioFile;
use linnet_client::{Client, ClientConfig, ClientEvent};

/// Streams a recording, or what a capture program writes, to a Linnet server, and prints the words as they come.
///
/// The connection may break and come back: nothing is lost or printed twice.
#[derive(Debug, Parser)]
#[command(
    name = "linnet-client",
    version,
    after_help = "Examples:\n  linnet-client ws://box:8080 talk.flac\n  arecord -q -f S16_LE -r 16000 -c 1 -t wav | linnet-client ws://box:8080 -"
)]
struct Args {
    /// The server: ws://HOST:PORT or wss://HOST:PORT
    server: String,
    /// A WAV, FLAC, MP3 or Ogg Vorbis file, or - for standard input.
    file: PathBuf,
    /// Token for the server; better in the environment variable LINNET_TOKEN, which others can't see.
    #[arg(long)]
    token: Option<String>,
    /// Certificate to trust, in PEM: that of a server that signs its own.
    #[cfg(feature = "tls")]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// More parameters of the request.
    #[arg(long, default_value = "", value_name = "NAME=VALUE&…")]
    query: String,
    /// Send a file no faster than it would be spoken.
    #[arg(long)]
    realtime: bool,
    /// Also print interims, on lines that start with "~ ", and the state of the connection.
    #[arg(long)]
    verbose: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    match runtime.block_on(run(args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(error.as_ref()),
    }
}

fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("linnet-client: {error}");
    ExitCode::FAILURE
}

async fn run(args: Args) -> Result<(), Box<dyn std::error::Error>> {
    let (blocks, mut decoded) = tokio::sync::mpsc::channel(16);
    let path = args.file.clone();
    let mut file =
        if path.as_os_str() == "-" { AudioFile::from_reader(io::stdin(), None)? } else { AudioFile::open(&path)? };
    let mut config = ClientConfig::new(args.server);
    config.rate_hz = file.rate_hz();
    config.channels = u16::try_from(file.channels())?;
    config.query = args.query;
    config.token = args.token.or_else(|| std::env::var("LINNET_TOKEN").ok());
    #[cfg(feature = "tls")]
    {
        config.ca = args.ca.as_ref().map(std::fs::read).transpose()?;
    }
    let values_per_second = f64::from(config.rate_hz) * f64::from(config.channels);
    // Decoding may wait for standard input.
    std::thread::spawn(move || {
        loop {
            let block = match file.next_block() {
                Ok(Some(samples)) => {
                    Ok(samples.iter().map(|x| (x * 32_768.0).clamp(-32_768.0, 32_767.0) as i16).collect::<Vec<_>>())
                }
                Ok(None) => return,
                Err(error) => Err(error),
            };
            let failed = block.is_err();
            if blocks.blocking_send(block).is_err() || failed {
                return;
            }
        }
    });

    let mut client = Client::start(config);
    let (began, mut pushed, mut open) = (Instant::now(), 0usize, true);
    loop {
        let due =
            if args.realtime { Duration::from_secs_f64(pushed as f64 / values_per_second) } else { Duration::ZERO };
        tokio::select! {
            event = client.event() => match event {
                Some(event) => print(&event, args.verbose)?,
                None => return Ok(()),
            },
            block = next(&mut decoded, began + due), if open => match block {
                Some(block) => {
                    let samples = block?;
                    pushed += samples.len();
                    for part in samples.chunks(values_per_second as usize / 10) {
                        client.push(part.to_vec()).await?;
                    }
                }
                None => {
                    open = false;
                    client.finish();
                }
            },
        }
    }
}

async fn next<T>(blocks: &mut tokio::sync::mpsc::Receiver<T>, due: Instant) -> Option<T> {
    tokio::time::sleep_until(due.into()).await;
    blocks.recv().await
}

fn print(event: &ClientEvent, verbose: bool) -> Result<(), Box<dyn std::error::Error>> {
    let mut out = io::stdout().lock();
    match event {
        ClientEvent::Final(words) if !words.text.is_empty() => writeln!(out, "{}", words.text)?,
        ClientEvent::Interim(words) if verbose => writeln!(out, "~ {}", words.text)?,
        ClientEvent::Gap { at, length } => {
            eprintln!(
                "linnet-client: {:.1} s of audio from {:.1} s on were lost",
                length.as_secs_f64(),
                at.as_secs_f64()
            );
        }
        ClientEvent::State(state) if verbose => eprintln!("linnet-client: {state:?}"),
        ClientEvent::Finished(counters) if verbose => eprintln!("linnet-client: {counters:?}"),
        ClientEvent::Refused(why) => return Err(why.clone().into()),
        _ => {}
    }
    out.flush()?;
    Ok(())
}
