//! The task behind a client: one connection after the other until all is recognized.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt, stream::SplitSink};
use tokio::{
    net::TcpStream,
    sync::mpsc::{Receiver, UnboundedSender},
    time::{sleep, timeout},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{
        self, Message,
        client::IntoClientRequest,
        handshake::client::{Request, Response as Answer},
        http::{HeaderValue, Response, header},
    },
};

use crate::{
    Backoff, ClientConfig, ClientEvent, Counters, Replay, State, Word, Words,
    wire::{self, duration},
};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What `wss://` addresses are reached with.
#[cfg(feature = "tls")]
type Connector = tokio_tungstenite::Connector;
#[cfg(not(feature = "tls"))]
#[derive(Clone)]
enum Connector {}

/// Audio per message, on a link that keeps up and on one that does not.
const MESSAGE: Duration = Duration::from_millis(100);
const LONG_MESSAGE: Duration = Duration::from_millis(250);

/// A message that takes so long to send shows a slow link.
const SLOW: Duration = Duration::from_millis(50);

/// How often a quiet connection is used, to keep it and to see whether it is alive.
const BEAT: Duration = Duration::from_secs(2);

/// Part of the kept audio that may be without a final before one is asked for.
const UNCOVERED: u64 = 4;

/// Runs until all is recognized, the server refuses, or the host has gone.
pub(crate) async fn run(config: ClientConfig, audio: Receiver<Vec<i16>>, events: UnboundedSender<ClientEvent>) {
    let connector = match connector(&config) {
        Ok(connector) => connector,
        Err(why) => {
            let _ = events.send(ClientEvent::Refused(why));
            return;
        }
    };
    let keep = config.frames(config.keep).max(1) as usize;
    let mut session = Session {
        replay: Replay::new(config.channels.into(), keep),
        covered: vec![0; usize::from(config.channels.max(1))],
        sent: 0,
        ended: false,
        counters: Counters::default(),
        config,
        connector,
        audio,
        events,
    };
    if let Some(last) = session.connect_until_done().await {
        let _ = session.events.send(last);
    }
}

/// Opens a connection, on which messages leave when they are written.
async fn connect(request: Request, connector: Option<Connector>) -> Result<(Socket, Answer), tungstenite::Error> {
    #[cfg(feature = "tls")]
    return tokio_tungstenite::connect_async_tls_with_config(request, None, true, connector).await;
    #[cfg(not(feature = "tls"))]
    {
        let _ = connector;
        tokio_tungstenite::connect_async_with_config(request, None, true).await
    }
}

/// How to reach `wss://` addresses.
#[cfg(feature = "tls")]
fn connector(config: &ClientConfig) -> Result<Option<Connector>, String> {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for certificate in CertificateDer::pem_slice_iter(config.ca.as_deref().unwrap_or_default()) {
        let certificate = certificate.map_err(|error| format!("the certificates to trust: {error}"))?;
        roots.add(certificate).map_err(|error| format!("the certificates to trust: {error}"))?;
    }
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Some(Connector::Rustls(std::sync::Arc::new(tls))))
}

#[cfg(not(feature = "tls"))]
fn connector(_: &ClientConfig) -> Result<Option<Connector>, String> {
    Ok(None)
}

/// Whether a server's certificate is not to be trusted, which waiting does not change.
fn is_distrust(error: &tungstenite::Error) -> bool {
    let tungstenite::Error::Io(error) = error else {
        return matches!(error, tungstenite::Error::Tls(_));
    };
    #[cfg(feature = "tls")]
    if let Some(error) = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>()) {
        return matches!(error, rustls::Error::InvalidCertificate(_));
    }
    let _ = error;
    false
}

/// Why a connection is over.
enum End {
    /// The server has recognized everything.
    Done,
    /// Something went wrong on the way.
    Broken,
    /// Nobody listens to this client.
    Unwanted,
}

/// Why there is no connection.
enum Failure {
    /// It may be there later, not before so long.
    Later(Duration),
    /// It will never let this client in.
    Never(String),
}

struct Session {
    config: ClientConfig,
    connector: Option<Connector>,
    audio: Receiver<Vec<i16>>,
    events: UnboundedSender<ClientEvent>,
    replay: Replay,
    /// Position up to which finals cover the audio of each channel.
    covered: Vec<u64>,
    /// Position of the next frame to send.
    sent: u64,
    /// The host has no more audio.
    ended: bool,
    counters: Counters,
}

impl Session {
    fn tell(&self, event: ClientEvent) -> bool {
        self.events.send(event).is_ok()
    }

    async fn connect_until_done(&mut self) -> Option<ClientEvent> {
        let mut backoff = Backoff::new(self.config.first_wait, self.config.longest_wait);
        loop {
            let away = Instant::now();
            if !self.tell(ClientEvent::State(State::Connecting)) {
                return None;
            }
            match self.open().await {
                Ok(socket) => {
                    self.counters.connections += 1;
                    self.counters.away += away.elapsed();
                    if !self.tell(ClientEvent::State(State::Connected)) {
                        return None;
                    }
                    match self.talk(socket, &mut backoff).await {
                        End::Done => return Some(ClientEvent::Finished(self.counters)),
                        End::Unwanted => return None,
                        End::Broken => self.counters.breaks += 1,
                    }
                }
                Err(Failure::Never(why)) => return Some(ClientEvent::Refused(why)),
                Err(Failure::Later(least)) => {
                    self.counters.failures += 1;
                    self.wait(backoff.next_wait().max(least)).await?;
                    self.counters.away += away.elapsed();
                    continue;
                }
            }
            let away = Instant::now();
            self.wait(backoff.next_wait()).await?;
            self.counters.away += away.elapsed();
        }
    }

    /// Keeps the audio that comes in the meantime. `None` when nobody listens any more.
    async fn wait(&mut self, wait: Duration) -> Option<()> {
        if !self.tell(ClientEvent::State(State::Waiting(wait))) {
            return None;
        }
        let until = sleep(wait);
        tokio::pin!(until);
        loop {
            tokio::select! {
                () = &mut until => return Some(()),
                block = self.audio.recv(), if !self.ended => self.take(block),
            }
        }
    }

    fn take(&mut self, block: Option<Vec<i16>>) {
        match block {
            Some(samples) => self.replay.push(&samples),
            None => self.ended = true,
        }
    }

    /// Opens a connection. Audio that comes in the meantime is kept.
    async fn open(&mut self) -> Result<Socket, Failure> {
        let mut request = self
            .config
            .url()
            .into_client_request()
            .map_err(|error| Failure::Never(format!("{}: {error}", self.config.server)))?;
        if let Some(token) = &self.config.token {
            let value = HeaderValue::from_str(&format!("Token {token}"))
                .map_err(|_| Failure::Never("the token has characters that can't be sent".into()))?;
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        let silence = self.config.silence;
        let opening = timeout(silence, connect(request, self.connector.clone()));
        tokio::pin!(opening);
        loop {
            tokio::select! {
                opened = &mut opening => return match opened {
                    Ok(Ok((socket, _))) => Ok(socket),
                    Ok(Err(tungstenite::Error::Http(response))) => Err(refusal(&response)),
                    Ok(Err(tungstenite::Error::Url(error))) => Err(Failure::Never(error.to_string())),
                    Ok(Err(error)) if is_distrust(&error) => Err(Failure::Never(error.to_string())),
                    Ok(Err(_)) | Err(_) => Err(Failure::Later(Duration::ZERO)),
                },
                block = self.audio.recv(), if !self.ended => match block {
                    Some(samples) => self.replay.push(&samples),
                    None => self.ended = true,
                },
            }
        }
    }

    /// Sends audio and receives words until the connection ends.
    async fn talk(&mut self, socket: Socket, backoff: &mut Backoff) -> End {
        // All channels are sent, so what one of them still needs is sent of the others once more.
        let needed = self.covered.iter().copied().min().unwrap_or(0);
        let origin = needed.max(self.replay.start());
        if origin > needed {
            let (at, length) = (self.config.duration(needed), self.config.duration(origin - needed));
            self.covered.iter_mut().for_each(|covered| *covered = (*covered).max(origin));
            self.tell(ClientEvent::Gap { at, length });
        }
        self.counters.replayed += self.config.duration(self.sent.saturating_sub(origin));
        self.sent = origin;
        let (sink, mut stream) = socket.split();
        let mut link = Link { sink, slow: false, closing: false, asked: origin, silence: self.config.silence };
        let mut heard = Instant::now();
        let mut beat = tokio::time::interval(BEAT.min(self.config.silence / 3));
        loop {
            let more = self.replay.end() > self.sent;
            let step = tokio::select! {
                message = stream.next() => {
                    heard = Instant::now();
                    match message {
                        Some(Ok(Message::Text(text))) => {
                            backoff.reset();
                            self.receive(&text, origin, link.closing)
                        }
                        Some(Ok(Message::Close(_))) | Some(Err(_)) | None => Err(End::Broken),
                        Some(Ok(_)) => Ok(()),
                    }
                }
                block = self.audio.recv(), if !self.ended => {
                    self.take(block);
                    Ok(())
                }
                () = std::future::ready(()), if more => self.send(&mut link).await,
                () = std::future::ready(()), if self.ended && !more && !link.closing => {
                    link.closing = true;
                    link.send(Message::text(r#"{"type":"CloseStream"}"#)).await
                }
                _ = beat.tick() => {
                    if heard.elapsed() > self.config.silence { Err(End::Broken) } else { link.beat().await }
                }
            };
            if self.events.is_closed() {
                return End::Unwanted;
            }
            if let Err(end) = step {
                return end;
            }
        }
    }

    /// Sends the next message of audio.
    async fn send(&mut self, link: &mut Link) -> Result<(), End> {
        if self.replay.start() > self.sent {
            // More was pushed than is kept, while this connection did not take it.
            return Err(End::Broken);
        }
        let most = self.config.frames(if link.slow { LONG_MESSAGE } else { MESSAGE }) as usize;
        let bytes = self.replay.bytes(self.sent, most.max(1));
        let frames = bytes.len() / 2 / usize::from(self.config.channels.max(1));
        let began = Instant::now();
        link.send(Message::binary(bytes)).await?;
        link.slow = began.elapsed() > SLOW;
        self.sent += frames as u64;
        // Audio without words has no finals; asking for one makes room in what is kept.
        let uncovered = self.sent - self.covered.iter().copied().min().unwrap_or(0).max(link.asked);
        if uncovered > self.replay.capacity() as u64 / UNCOVERED {
            link.asked = self.sent;
            link.send(Message::text(r#"{"type":"Finalize"}"#)).await?;
        }
        Ok(())
    }

    /// Takes a message of a connection that started at a position.
    fn receive(&mut self, text: &str, origin: u64, closing: bool) -> Result<(), End> {
        match serde_json::from_str(text) {
            Ok(wire::Message::Results(results)) => {
                self.take_results(results, origin);
                Ok(())
            }
            Ok(wire::Message::Metadata {}) if closing => Err(End::Done),
            // The server ends the stream for a reason of its own.
            Ok(wire::Message::Metadata {}) => Err(End::Broken),
            Ok(wire::Message::Other) | Err(_) => Ok(()),
        }
    }

    fn take_results(&mut self, results: wire::Results, origin: u64) {
        let channel = results.channel_index[0];
        let Some(&covered) = self.covered.get(channel) else { return };
        let base = self.config.duration(origin);
        let start = base + duration(results.start);
        let end = start + duration(results.duration);
        let mut words = Words { channel, start, end, speech_final: results.speech_final, ..Words::default() };
        if let Some(alternative) = results.channel.alternatives.into_iter().next() {
            words.text = alternative.transcript;
            words.words = alternative
                .words
                .into_iter()
                .map(|word| Word {
                    text: word.punctuated_word.unwrap_or(word.word),
                    start: base + duration(word.start),
                    end: base + duration(word.end),
                    confidence: word.confidence,
                })
                .collect();
        }
        if !results.is_final {
            self.tell(ClientEvent::Interim(words));
            return;
        }
        let end = origin + self.config.frames(duration(results.start) + duration(results.duration));
        // Words of another channel's replay that were told before.
        if end <= covered && !words.text.is_empty() {
            return;
        }
        self.covered[channel] = end.max(covered).min(self.replay.end());
        self.replay.forget(self.covered.iter().copied().min().unwrap_or(0).min(self.sent));
        self.tell(ClientEvent::Final(words));
    }
}

/// The sending side of a connection.
struct Link {
    sink: SplitSink<Socket, Message>,
    slow: bool,
    /// The end of the stream was sent.
    closing: bool,
    /// Position at which a final was asked for last.
    asked: u64,
    silence: Duration,
}

impl Link {
    async fn send(&mut self, message: Message) -> Result<(), End> {
        match timeout(self.silence, self.sink.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Broken),
        }
    }

    /// Keeps the stream open, and asks the other side for a sign of life.
    async fn beat(&mut self) -> Result<(), End> {
        if !self.closing {
            self.send(Message::text(r#"{"type":"KeepAlive"}"#)).await?;
        }
        self.send(Message::Ping(Default::default())).await
    }
}

/// What an answer other than an upgrade means.
fn refusal(response: &Response<Option<Vec<u8>>>) -> Failure {
    let status = response.status();
    let text = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    if status.as_u16() == 429 || status.as_u16() == 408 || status.is_server_error() {
        let seconds = text("retry-after").and_then(|seconds| seconds.parse().ok()).unwrap_or(0);
        return Failure::Later(Duration::from_secs(seconds));
    }
    Failure::Never(format!("{status}: {}", text("dg-error").unwrap_or("no reason given")))
}
