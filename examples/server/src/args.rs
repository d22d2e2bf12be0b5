//! The arguments of the command line.

use std::{
    fs,
    io::IsTerminal,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use clap::{Parser, Subcommand, value_parser};
#[cfg(feature = "tls")]
use linnet_server::tls::TlsFiles;
use linnet_server::{Config, auth::Tokens, canary::Canary};
use tracing_subscriber::EnvFilter;

/// Speech recognition as a server, in the shapes of Deepgram's v1 API: GET (WebSocket) and POST /v1/listen.
#[derive(Debug, Parser)]
#[command(name = "linnet-server", version, subcommand_negates_reqs = true, args_conflicts_with_subcommands = true)]
pub struct Args {
    /// Something else than to serve.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Where to listen.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Model to use instead of the built-in English one.
    #[arg(long, value_name = "PATH")]
    pub model: Option<PathBuf>,
    /// File of those who may connect, with lines NAME SHA256 [STREAMS [RECORDINGS]]; see `new-token`.
    #[arg(long, value_name = "FILE")]
    tokens: Option<PathBuf>,
    /// Serve everybody, on an address that other machines reach, without tokens.
    #[arg(long, conflicts_with = "tokens")]
    allow_open: bool,
    /// Serve over TLS with this certificate (and those that lead to its root), in PEM; read again when it changes.
    #[cfg(feature = "tls")]
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Private key of the certificate, in PEM.
    #[cfg(feature = "tls")]
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Recognize a known recording each so many seconds, and tell its word error rate in /metrics; 0 for never.
    #[arg(long, value_name = "S", default_value = "300")]
    canary_s: u32,
    /// Another recording for that, with what is said in it in a text file of the same name.
    #[arg(long, value_name = "FILE")]
    canary: Option<PathBuf>,
    /// Inference threads [default: one for each core].
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,
    /// Most live streams at once [default: half of what the threads were measured to do at the start].
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    max_streams: Option<u32>,
    /// Let finals of live streams stand as the first pass heard them, for three fifths of the work.
    #[arg(long)]
    single_pass: bool,
    /// Most recordings at once [default: two for each core].
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    max_recordings: Option<u32>,
    /// Most connections at once.
    #[arg(long, value_name = "N", default_value = "4096", value_parser = value_parser!(u32).range(1..))]
    max_connections: u32,
    /// Longest recording in millions of bytes.
    #[arg(long, value_name = "MB", default_value = "2000", value_parser = value_parser!(u64).range(1..1_000_000))]
    max_body_mb: u64,
    /// How long open streams may go on after SIGTERM, in seconds.
    #[arg(long, value_name = "S", default_value = "30")]
    drain_s: u32,
    /// Write the log as JSON lines.
    #[arg(long)]
    pub log_json: bool,
}

/// Something else than to serve.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a token: it is shown on standard error, and its line for the token file is written to standard output.
    NewToken {
        /// Who will hold it.
        name: String,
    },
}

impl Args {
    /// The settings of the server.
    ///
    /// # Errors
    /// When the token file or the canary can't be used.
    pub fn config(&self) -> Result<Config, Box<dyn std::error::Error>> {
        let mut config = Config {
            tokens: self.tokens.as_deref().map(Tokens::read).transpose()?,
            allow_open: self.allow_open,
            max_streams: self.max_streams.map(|n| n as usize),
            second_pass: !self.single_pass,
            max_connections: self.max_connections as usize,
            max_body: self.max_body_mb * 1_000_000,
            drain_timeout: Duration::from_secs(self.drain_s.into()),
            ..Config::default()
        };
        #[cfg(feature = "tls")]
        {
            let files = self.tls_cert.clone().zip(self.tls_key.clone());
            config.tls = files.map(|(certificates, key)| TlsFiles { certificates, key });
        }
        if self.canary_s > 0 {
            config.canary = Some(self.canary()?);
        }
        if let Some(workers) = self.workers {
            config.workers = workers.into();
        }
        if let Some(recordings) = self.max_recordings {
            config.max_recordings = recordings as usize;
        }
        Ok(config)
    }
}

impl Args {
    fn canary(&self) -> Result<Canary, Box<dyn std::error::Error>> {
        let every = Duration::from_secs(self.canary_s.into());
        let Some(path) = &self.canary else {
            return Ok(Canary { audio: Bytes::from_static(CANARY), text: CANARY_TEXT.into(), every });
        };
        let read = |path: &Path| fs::read(path).map_err(|error| format!("the canary {}: {error}", path.display()));
        let text = String::from_utf8(read(&path.with_extension("txt"))?)?;
        Ok(Canary { audio: read(path)?.into(), text, every })
    }
}

/// The canary that is built in.
const CANARY: &[u8] = include_bytes!("../../../engine/tests/data/speech/sample-002910.ogg");
const CANARY_TEXT: &str = "what was the reason for the increase";

/// Logs to standard error what the environment variable RUST_LOG lets through: by default what an operator wants to
/// know, and never what was said.
pub fn start_log(json: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    if json { log.json().init() } else { log.init() }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
        let args = Args::parse_from(["linnet-server", "--max-streams", "3", "--drain-s", "1"]);
        let config = args.config().unwrap();
        assert_eq!((config.max_streams, config.drain_timeout), (Some(3), Duration::from_secs(1)));
        assert_eq!(config.canary.unwrap().every, Duration::from_secs(300));
        assert!(Args::parse_from(["linnet-server", "--canary-s", "0"]).config().unwrap().canary.is_none());
        assert!(Args::parse_from(["linnet-server", "--canary", "/no/such.ogg"]).config().is_err());
        #[cfg(feature = "tls")]
        assert!(Args::try_parse_from(["linnet-server", "--tls-cert", "x"]).is_err(), "a key is needed");
    }
}
