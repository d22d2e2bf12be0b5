//! Sockets, routes, and the end of the server.

use std::{
    future::Future,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use linnet::{Engine, StreamConfig};
use metrics_exporter_prometheus::PrometheusHandle;
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    time::{interval, timeout},
};
use tracing::{debug, info, warn};
use uuid::Uuid;

#[cfg(feature = "tls")]
use crate::tls::{Tls, TlsError};
use crate::{
    App, Config,
    admission::Admission,
    canary,
    error::{ApiError, json},
    listen, page,
    pool::Pool,
    telemetry,
};

/// Part of the threads' time that live streams may take. The rest is for the bursts of streams whose chunks fall
/// together, for the sockets and for recordings.
const UTILIZATION: f64 = 0.5;

/// Bounds of the number of live streams that is found by measuring.
const MEASURED_STREAMS: std::ops::RangeInclusive<usize> = 1..=1000;

/// Most fields in the head of a request, and most bytes.
const MAX_HEADERS: usize = 64;
const MAX_HEAD: usize = 16 * 1024;

/// Why a server can't start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// Everybody on the network could use it.
    #[error("{0} can be reached by other machines; give --tokens FILE, or --allow-open to let everybody in")]
    Open(SocketAddr),
    /// The address can't be used.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The system has no threads left.
    #[error("cannot start the inference threads: {0}")]
    Threads(std::io::Error),
    /// The certificate can't be used.
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The model does not run.
    #[error("the model does not run: {0}")]
    Model(#[from] linnet::Error),
}

/// A server that listens.
pub struct Server {
    app: Arc<App>,
    listener: TcpListener,
    router: Router,
    connections: Arc<AtomicUsize>,
    stop: watch::Sender<bool>,
    metrics: PrometheusHandle,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
}

#[derive(Clone)]
struct Pages {
    app: Arc<App>,
    connections: Arc<AtomicUsize>,
    metrics: PrometheusHandle,
}

impl Server {
    /// Opens the socket and warms the model up.
    ///
    /// # Errors
    /// [`ServerError`] when it can't be reached, may not be, or can't recognize.
    pub async fn bind(address: SocketAddr, engine: Engine, config: Config) -> Result<Self, ServerError> {
        let loopback = address.ip().is_loopback();
        if !loopback && config.tokens.is_none() && !config.allow_open {
            return Err(ServerError::Open(address));
        }
        let metrics = telemetry::install();
        #[cfg(feature = "tls")]
        let tls = config.tls.clone().map(Tls::new).transpose()?;
        let listener = TcpListener::bind(address).await.map_err(|source| ServerError::Bind { address, source })?;
        let real_time_factor = measure(&engine, config.second_pass)?;
        let workers = config.workers.max(1);
        let max_streams = config.max_streams.unwrap_or_else(|| {
            let streams = workers as f64 * UTILIZATION / real_time_factor;
            (streams as usize).clamp(*MEASURED_STREAMS.start(), *MEASURED_STREAMS.end())
        });
        let pool = Pool::new(workers).map_err(ServerError::Threads)?;
        let admission = Admission::new(max_streams, config.max_recordings);
        info!(workers, max_streams, real_time_factor, auth = config.tokens.is_some(), "ready");
        let (stop, stopped) = watch::channel(false);
        let model_id = model_id(&engine);
        let app = Arc::new(App { config, engine, model_id, pool, admission, stop: stopped, loopback });
        let connections = Arc::new(AtomicUsize::new(0));
        let router = router(Pages { app: app.clone(), connections: connections.clone(), metrics: metrics.clone() });
        Ok(Self {
            app,
            listener,
            router,
            connections,
            stop,
            metrics,
            #[cfg(feature = "tls")]
            tls,
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system doesn't tell.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `shutdown` is ready. New requests are refused from then on; open streams may go on for
    /// [`Config::drain_timeout`], then they are finalized, told and closed.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let places = Arc::new(Semaphore::new(self.app.config.max_connections));
        let (closing, closed) = watch::channel(false);
        let mut shutdown = pin!(shutdown);
        let mut drained = pin!(self.drain());
        let mut draining = false;
        let mut upkeep = interval(Duration::from_secs(5));
        if let Some(canary) = self.app.config.canary.clone() {
            tokio::spawn(canary::run(self.app.clone(), canary, closed.clone()));
        }
        loop {
            tokio::select! {
                accepted = accept(&self.listener, &places) => match accepted {
                    Ok((socket, place)) => {
                        let guard = Connection::new(&self.connections);
                        let serving = self.serve(socket, closed.clone());
                        tokio::spawn(async move {
                            serving.await;
                            drop((guard, place));
                        });
                    }
                    Err(error) => {
                        // Out of file descriptors, most likely: some will be free soon.
                        warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
                () = &mut shutdown, if !draining => {
                    info!("stopping");
                    self.app.admission.stop();
                    draining = true;
                }
                () = &mut drained, if draining => break,
                _ = upkeep.tick() => {
                    self.metrics.run_upkeep();
                    #[cfg(feature = "tls")]
                    if let Some(tls) = &self.tls {
                        tls.refresh();
                    }
                }
            }
        }
        // Idle connections are closed, and answers that are under way are sent.
        closing.send_replace(true);
        let _ = timeout(Duration::from_secs(2), async {
            while self.connections.load(Ordering::Relaxed) > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
        info!("stopped");
    }

    /// Serves one connection, over TLS where that is set up.
    fn serve(&self, socket: TcpStream, closed: watch::Receiver<bool>) -> impl Future<Output = ()> + use<> {
        let (router, header_timeout) = (self.router.clone(), self.app.config.header_timeout);
        #[cfg(feature = "tls")]
        let acceptor = self.tls.as_ref().map(Tls::acceptor);
        async move {
            #[cfg(feature = "tls")]
            if let Some(acceptor) = acceptor {
                match timeout(header_timeout, acceptor.accept(socket)).await {
                    Ok(Ok(stream)) => serve(stream, router, header_timeout, closed).await,
                    Ok(Err(error)) => debug!(%error, "no TLS"),
                    Err(_) => debug!("no TLS in time"),
                }
                return;
            }
            serve(socket, router, header_timeout, closed).await;
        }
    }

    /// Waits for the open streams; after the drain timeout tells them to end, and waits on for their last words.
    async fn drain(&self) {
        let config = &self.app.config;
        if timeout(config.drain_timeout, self.app.admission.empty()).await.is_err() {
            self.stop.send_replace(true);
            let _ = timeout(config.write_timeout, self.app.admission.empty()).await;
        }
    }
}

/// Counts an open connection.
struct Connection(Arc<AtomicUsize>);

impl Connection {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count.clone())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    // More than the limit wait in the system's queue.
    let place = places.clone().acquire_owned().await.map_err(std::io::Error::other)?;
    let (socket, _) = listener.accept().await?;
    // Words are small messages that must not wait for more.
    socket.set_nodelay(true)?;
    Ok((socket, place))
}

async fn serve(
    socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    header_timeout: Duration,
    mut closed: watch::Receiver<bool>,
) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(socket), TowerToHyperService::new(router))
        .with_upgrades();
    let mut connection = pin!(connection);
    let mut closing = false;
    loop {
        tokio::select! {
            result = connection.as_mut() => {
                if let Err(error) = result {
                    debug!(%error, "connection ended");
                }
                return;
            }
            _ = closed.wait_for(|closed| *closed), if !closing => {
                connection.as_mut().graceful_shutdown();
                closing = true;
            }
        }
    }
}

fn router(pages: Pages) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(pages.clone())
        .merge(page::routes())
        .route("/v1/listen", get(listen::live).post(listen::recording).with_state(pages.app))
        .fallback(async || not_found())
        .method_not_allowed_fallback(async || ApiError::method().response(&Uuid::new_v4().to_string()))
}

fn not_found() -> Response {
    ApiError::not_found().response(&Uuid::new_v4().to_string())
}

async fn ready(State(pages): State<Pages>) -> Response {
    let (streams, recordings) = pages.app.admission.count();
    let ready = !pages.app.admission.is_stopping() && !pages.app.admission.is_broken();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = serde_json::json!({
        "ready": ready,
        "streams": streams,
        "max_streams": pages.app.admission.max_streams(),
        "recordings": recordings,
    });
    json(status, &body)
}

async fn metrics(State(pages): State<Pages>) -> Response {
    let connections = pages.connections.load(Ordering::Relaxed);
    telemetry::state(&pages.app.admission, connections, pages.app.pool.delay());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], pages.metrics.render()).into_response()
}

/// An identifier that stays the same for the same model.
fn model_id(engine: &Engine) -> Uuid {
    let info = engine.info();
    let digest = Sha256::digest(format!("{} {} {}", info.name, info.parameters, info.size_bytes));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// Processor time for a second of audio, in seconds: the better of two runs over noise.
fn measure(engine: &Engine, second_pass: bool) -> Result<f64, linnet::Error> {
    const SECONDS: usize = 2;
    let mut state = 1u32;
    let noise: Vec<f32> = (0..16_000 * SECONDS)
        .map(|_| {
            // Xorshift, G. Marsaglia 2003.
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (f64::from(state) / f64::from(u32::MAX) - 0.5) as f32 * 0.1
        })
        .collect();
    let mut best = f64::INFINITY;
    let mut config = StreamConfig::default();
    // Else the encoder would rest, as noise is no speech.
    config.gate = false;
    config.second_pass = second_pass;
    for _ in 0..2 {
        let mut stream = engine.stream(config.clone())?;
        let began = Instant::now();
        for block in noise.chunks(1600) {
            stream.push_f32(block)?;
        }
        stream.finish()?;
        best = best.min(began.elapsed().as_secs_f64());
    }
    Ok((best / SECONDS as f64).max(1e-6))
}
