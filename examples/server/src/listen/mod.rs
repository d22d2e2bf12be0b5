//! `/v1/listen`: recognition of live streams and recordings.

pub mod client;
mod live;
mod messages;
mod paragraphs;
pub mod params;
mod recording;

use std::{net::IpAddr, sync::Arc, time::SystemTime};

use axum::{
    body::Body,
    extract::{
        FromRequestParts, State,
        ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::{HeaderMap, HeaderValue, Request as HttpRequest, Uri, header},
    response::Response,
};
use tracing::{Instrument, info, info_span};
use uuid::Uuid;

use crate::{
    App,
    auth::{Client, presented},
    error::{ApiError, REQUEST_ID},
    telemetry,
};
use messages::Request;
use params::{Kind, Params};

/// `GET /v1/listen`, a WebSocket.
pub async fn live(State(app): State<Arc<App>>, request: HttpRequest<Body>) -> Response {
    let (mut parts, _) = request.into_parts();
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &app).await;
    let request = app.new_request();
    let id = request.id.clone();
    let answer = open_live(app, request, upgrade, &parts.headers, &parts.uri);
    finish("live", &id, answer)
}

fn open_live(
    app: Arc<App>,
    request: Request,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    headers: &HeaderMap,
    uri: &Uri,
) -> Result<Response, ApiError> {
    let client = authorize(&app, headers)?;
    let upgrade = upgrade.map_err(|error| ApiError::bad_request(error.to_string()))?;
    let mut params = Params::parse(uri.query().unwrap_or_default(), Kind::Live, app.engine.info())?;
    params.settings.stream.second_pass = app.config.second_pass;
    let place = app.admission.stream(client.as_ref(), app.pool.delay())?;
    let span = info_span!("live", request = %request.id, client = client.as_ref().map(|client| client.name.as_str()));
    let config = &app.config;
    Ok(upgrade
        .protocols(["token", "bearer"])
        .max_message_size(config.max_message)
        .max_frame_size(config.max_message)
        .read_buffer_size(SOCKET_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(config.max_message.max(1 << 20))
        .on_upgrade(move |socket| live::serve(app, socket, request, params, place).instrument(span)))
}

/// Bytes of a connection's read buffer, of which an idle one keeps no more than this.
const SOCKET_BUFFER: usize = 8 * 1024;

/// `POST /v1/listen` with a recording as the body.
pub async fn recording(State(app): State<Arc<App>>, http: HttpRequest<Body>) -> Response {
    let request = app.new_request();
    let id = request.id.clone();
    let span = info_span!("recording", request = %id);
    let answer = recording::serve(app, request, http).instrument(span).await;
    finish("recording", &id, answer)
}

/// Puts the identifier on an answer, and counts it.
fn finish(kind: &'static str, id: &str, answer: Result<Response, ApiError>) -> Response {
    let mut response = answer.unwrap_or_else(|error| {
        info!(kind, request = id, status = error.status(), "refused");
        error.response(id)
    });
    if let Ok(id) = HeaderValue::from_str(id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    telemetry::request(kind, response.status().as_u16());
    response
}

/// Who sends a request.
fn authorize(app: &App, headers: &HeaderMap) -> Result<Option<Client>, ApiError> {
    match &app.config.tokens {
        Some(tokens) => {
            let client = presented(headers).and_then(|token| tokens.client(token));
            client.cloned().map(Some).ok_or_else(ApiError::unauthorized)
        }
        None => check_origin(app, headers).map(|()| None),
    }
}

/// Without tokens any page that a browser on this machine shows could listen in: browsers let pages of all sites open
/// WebSockets, and a name of the page's own site may be made to resolve to this address. So a page has to be of this
/// server, and on a loopback address the server has to be called by a loopback name.
fn check_origin(app: &App, headers: &HeaderMap) -> Result<(), ApiError> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let host = text(header::HOST).unwrap_or_default();
    if app.loopback && !is_loopback_name(host) {
        return Err(ApiError::forbidden("this server answers to localhost only; call it by that name"));
    }
    let Some(origin) = text(header::ORIGIN) else { return Ok(()) };
    let site = origin.split_once("://").map_or("", |(_, site)| site);
    if site.eq_ignore_ascii_case(host) {
        Ok(())
    } else {
        Err(ApiError::forbidden("pages of other sites need a token; start the server with --tokens"))
    }
}

fn is_loopback_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl App {
    fn new_request(&self) -> Request {
        let info = self.engine.info();
        Request {
            id: Uuid::new_v4().to_string(),
            created: SystemTime::now(),
            model_id: self.model_id.to_string(),
            model_name: info.name.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_loopback_name;

    #[test]
    fn loopback_names() {
        for name in ["localhost", "LOCALHOST:80", "127.0.0.1:8080", "127.9.9.9", "[::1]:80", "[::1]"] {
            assert!(is_loopback_name(name), "{name}");
        }
        for name in ["", "example.org", "localhost.example.org:80", "127.0.0.1.example.org", "10.0.0.1", "[::2]"] {
            assert!(!is_loopback_name(name), "{name}");
        }
    }
}
