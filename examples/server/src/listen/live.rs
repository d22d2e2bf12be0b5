//! One live stream over a WebSocket.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use linnet::FormatConfig;
use serde_json::{Map, Value};
use tokio::{
    sync::{
        mpsc::{UnboundedReceiver, unbounded_channel},
        watch,
    },
    time::{sleep_until, timeout},
};
use tracing::{info, warn};

use super::{
    client::ClientMessage,
    messages::{Request, ServerMessage, pair, seconds},
    params::{Params, change_format, keyterm_hotwords},
};
use crate::{
    App,
    admission::Place,
    audio::{Feed, Framing, Piece},
    pool::Class,
    recognition::{Command, Output, Recognition},
    telemetry,
};

/// Audio that may wait for an inference thread, in milliseconds. More waits in the client's socket.
const INBOX_MS: usize = 2_000;

/// How long the client may take to answer the closing of the connection.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Most bytes of a closing reason; the frame takes 125 with its code.
const CLOSE_REASON: usize = 120;

/// Wrong text messages that are answered.
const MISTAKES: usize = 16;

/// Most characters of them that are given back.
const ECHO: usize = 200;

/// Why a stream ends.
#[derive(Debug)]
enum End {
    /// The client has gone, or takes nothing any more.
    Gone,
    /// The connection is closed with a code and a reason.
    Close(u16, String),
}

/// Talks to a client until its stream ends. The place is given back then.
pub async fn serve(app: Arc<App>, mut socket: WebSocket, request: Request, params: Params, place: Place) {
    let began = Instant::now();
    info!(warnings = params.warnings.len(), "opened");
    let end = match Live::open(&app, &request, &params, &place) {
        Ok(mut live) => live.run(&mut socket).await,
        Err(error) => out_of_threads(&error),
    };
    let code = match end {
        End::Gone => close_code::ABNORMAL,
        End::Close(code, reason) => {
            close(&mut socket, code, &reason, app.config.write_timeout).await;
            code
        }
    };
    telemetry::closed(code);
    info!(code, seconds = began.elapsed().as_secs_f32(), "closed");
    drop(place);
}

fn out_of_threads(error: &std::io::Error) -> End {
    warn!(%error, "no thread for the stream");
    End::Close(close_code::ERROR, "the server is out of threads; try again later".into())
}

struct Live<'a> {
    app: &'a App,
    request: &'a Request,
    params: &'a Params,
    place: &'a Place,
    feed: Feed,
    outputs: UnboundedReceiver<Output>,
    /// Received, and not passed on for lack of room. Nothing more is received until it is empty.
    pending: VecDeque<Piece>,
    /// The client's last sign of life.
    heard: Instant,
    /// Audio has come.
    begun: bool,
    /// How words are written now.
    format: FormatConfig,
    /// Text messages that were none of the protocol's.
    mistakes: usize,
    /// The code to close with once all is recognized; set when no more audio is taken.
    ending: Option<u16>,
}

impl<'a> Live<'a> {
    fn open(app: &'a App, request: &'a Request, params: &'a Params, place: &'a Place) -> std::io::Result<Self> {
        let (sender, outputs) = unbounded_channel();
        let settings = params.settings.clone();
        let framing = settings.raw.map(|(encoding, format)| Framing::new(encoding, format));
        let recognition = Recognition::new(app.engine.clone(), settings, sender);
        let seat = Arc::new(app.pool.seat(Class::Live, INBOX_MS, recognition));
        let feed = Feed::new(seat, framing)?;
        let pending = VecDeque::new();
        let format = params.settings.stream.format.clone();
        let heard = Instant::now();
        Ok(Self {
            app,
            request,
            params,
            place,
            feed,
            outputs,
            pending,
            heard,
            begun: false,
            format,
            mistakes: 0,
            ending: None,
        })
    }

    async fn run(&mut self, socket: &mut WebSocket) -> End {
        let mut stop = self.app.stop.clone();
        loop {
            let takes = self.pending.is_empty() && self.ending.is_none();
            let deadline = tokio::time::Instant::from_std(self.heard + self.app.config.idle_timeout);
            let step = tokio::select! {
                biased;
                output = self.outputs.recv() => self.deliver(socket, output).await,
                () = self.feed.room(), if !self.pending.is_empty() => self.pass_on(),
                message = socket.recv(), if takes => self.receive(socket, message).await,
                () = told_to(&mut stop), if self.ending.is_none() => {
                    self.finish(close_code::RESTART)
                }
                () = sleep_until(deadline), if takes => {
                    let seconds = self.app.config.idle_timeout.as_secs();
                    let reason = format!("NET-0001: no audio or KeepAlive for {seconds} s");
                    Err(End::Close(close_code::ERROR, reason))
                }
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    /// Takes no more audio, and closes with this code when all is recognized.
    fn finish(&mut self, code: u16) -> Result<(), End> {
        self.ending = Some(code);
        self.pending.push_back(Piece::Control(Command::Finish { digest: None, damage: None }));
        self.pass_on()
    }

    fn pass_on(&mut self) -> Result<(), End> {
        while let Some(piece) = self.pending.pop_front() {
            match self.feed.offer(piece) {
                Ok(None) => {}
                Ok(Some(back)) => {
                    self.pending.push_front(back);
                    break;
                }
                // The recognition has ended, and its last output tells why.
                Err(_) => self.pending.clear(),
            }
        }
        Ok(())
    }

    async fn receive(
        &mut self,
        socket: &mut WebSocket,
        message: Option<Result<Message, axum::Error>>,
    ) -> Result<(), End> {
        let message = match message {
            None | Some(Ok(Message::Close(_))) => return Err(End::Gone),
            Some(Err(error)) => return Err(self.broken(&error)),
            Some(Ok(message)) => message,
        };
        self.heard = Instant::now();
        match message {
            // What clients sent before there was CloseStream.
            Message::Binary(bytes) if bytes.is_empty() => self.finish(close_code::NORMAL),
            Message::Binary(bytes) => {
                if !std::mem::replace(&mut self.begun, true)
                    && let Err(error) = self.feed.look_at_start(&bytes)
                {
                    return Err(out_of_threads(&error));
                }
                self.pending.extend(self.feed.pieces(bytes, self.heard));
                self.pass_on()
            }
            Message::Text(text) => match ClientMessage::parse(&text) {
                Ok(message) => self.control(socket, message).await,
                Err(error) => self.mistake(socket, &text, &error).await,
            },
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => Ok(()),
        }
    }

    async fn control(&mut self, socket: &mut WebSocket, message: ClientMessage) -> Result<(), End> {
        match message {
            ClientMessage::KeepAlive => Ok(()),
            ClientMessage::Finalize { channel } => {
                self.pending.push_back(Piece::Control(Command::Finalize(channel)));
                self.pass_on()
            }
            ClientMessage::CloseStream => self.finish(close_code::NORMAL),
            ClientMessage::Configure { features, keyterms } => {
                let request = self.request;
                let request_id = request.id.as_str();
                let answer = match self.configure(&features, keyterms.as_deref()) {
                    Ok(commands) => {
                        self.pending.extend(commands.into_iter().map(Piece::Control));
                        self.pass_on()?;
                        serde_json::to_string(&ServerMessage::ConfigureSuccess { request_id })
                    }
                    Err((code, description)) => serde_json::to_string(&ServerMessage::ConfigureFailure {
                        request_id,
                        code,
                        description: &description,
                    }),
                };
                self.send(socket, answer).await
            }
        }
    }

    /// What a `Configure` asks of the recognition; or the protocol's code for why it can't be done, and a description.
    /// It is done as a whole or not at all.
    fn configure(
        &mut self,
        features: &Map<String, Value>,
        keyterms: Option<&[String]>,
    ) -> Result<Vec<Command>, (&'static str, String)> {
        let hotwords = keyterms
            .map(keyterm_hotwords)
            .transpose()
            .map_err(|error| ("CONFIGURE_KEYTERMS_REFUSED", error.to_string()))?;
        let values = features.iter().map(|(name, value)| (name.as_str(), value.as_bool()));
        change_format(&mut self.format, values).map_err(|name| {
            let name: String = name.chars().take(ECHO).collect();
            ("CONFIGURE_INTERNAL_ERROR", format!("{name} can't be changed to that in mid-stream"))
        })?;
        let mut commands = vec![Command::Format(self.format.clone())];
        commands.extend(hotwords.map(Command::Hotwords));
        Ok(commands)
    }

    /// Tells a client that it sent something else than the protocol has, and gives up on one that goes on with it.
    async fn mistake(&mut self, socket: &mut WebSocket, text: &str, error: &serde_json::Error) -> Result<(), End> {
        self.mistakes += 1;
        if self.mistakes > MISTAKES {
            return Err(End::Close(close_code::POLICY, "too many messages that are none of this protocol".into()));
        }
        let description = format!("not a message of this protocol: {error}");
        let message: String = text.chars().take(ECHO).collect();
        let answer = ServerMessage::Error { variant: "SchemaError", description: &description, message: &message };
        self.send(socket, serde_json::to_string(&answer)).await
    }

    /// A message that is too long is the client's mistake and is answered; other errors mean that it has gone.
    fn broken(&self, error: &axum::Error) -> End {
        let text = error.to_string();
        if text.contains("too long") || text.contains("too big") {
            let limit = self.app.config.max_message;
            return End::Close(close_code::SIZE, format!("a message is longer than {limit} bytes; send shorter ones"));
        }
        End::Gone
    }

    async fn send(&self, socket: &mut WebSocket, message: serde_json::Result<String>) -> Result<(), End> {
        // Messages are plain data, which always can be written.
        let Ok(text) = message else { return Ok(()) };
        match timeout(self.app.config.write_timeout, socket.send(Message::Text(text.into()))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }

    /// Sends what the recognition tells.
    async fn deliver(&mut self, socket: &mut WebSocket, output: Option<Output>) -> Result<(), End> {
        match output {
            Some(Output::Results(results)) => {
                telemetry::results(results.is_final, results.received.elapsed());
                if results.is_final || self.params.interim_results {
                    let message = self.request.results(&results, &self.params.settings.search);
                    self.send(socket, serde_json::to_string(&message)).await?;
                }
                Ok(())
            }
            Some(Output::SpeechStarted { channel, at }) => {
                if self.params.vad_events {
                    let message = ServerMessage::SpeechStarted { channel: pair(channel), timestamp: seconds(at) };
                    self.send(socket, serde_json::to_string(&message)).await?;
                }
                Ok(())
            }
            Some(Output::UtteranceEnd { channel, last_word_end }) => {
                let last_word_end = seconds(last_word_end);
                let message = ServerMessage::UtteranceEnd { channel: pair(channel), last_word_end };
                self.send(socket, serde_json::to_string(&message)).await
            }
            Some(Output::Finished(summary)) => {
                self.place.ended(true);
                let Params { tags, extra, warnings, .. } = self.params;
                let metadata = self.request.metadata(&summary, tags, extra, warnings);
                self.send(socket, serde_json::to_string(&ServerMessage::Metadata(metadata))).await?;
                let code = self.ending.unwrap_or(close_code::NORMAL);
                let reason = if code == close_code::NORMAL { "" } else { "the server is stopping" };
                Err(End::Close(code, reason.into()))
            }
            Some(Output::BadAudio(why)) => Err(End::Close(close_code::POLICY, format!("DATA-0000: {why}"))),
            Some(Output::Failed(why)) => {
                warn!(why, "recognition failed");
                self.place.ended(false);
                Err(End::Close(close_code::ERROR, format!("NET-0000: {why}")))
            }
            None => Err(End::Close(close_code::ERROR, "NET-0000: the recognition ended".into())),
        }
    }
}

/// Waits until a flag is set. Its sender lives as long as the server.
async fn told_to(flag: &mut watch::Receiver<bool>) {
    let _ = flag.wait_for(|set| *set).await;
}

/// Says goodbye, and reads on until the client has said it too: else what it still sends would reset the connection
/// before it has read the reason.
async fn close(socket: &mut WebSocket, code: u16, reason: &str, write_timeout: Duration) {
    let mut end = reason.len().min(CLOSE_REASON);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let frame = CloseFrame { code, reason: reason[..end].into() };
    if let Ok(Ok(())) = timeout(write_timeout, socket.send(Message::Close(Some(frame)))).await {
        let _ = timeout(CLOSE_TIMEOUT, async { while let Some(Ok(_)) = socket.recv().await {} }).await;
    }
}
