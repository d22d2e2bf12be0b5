//! The page at `/`: captions of a browser's microphone, and transcripts of files. Nothing in it comes from elsewhere.

use axum::{
    Router,
    http::{HeaderName, header},
    response::{IntoResponse, Response},
    routing::get,
};

/// Only this server's own files may be loaded, and no site may put the page in a frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; \
                      worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page and its parts.
pub fn routes() -> Router {
    Router::new()
        .route("/", get(async || file("text/html; charset=utf-8", include_str!("index.html"))))
        .route("/page.css", get(async || file("text/css; charset=utf-8", include_str!("page.css"))))
        .route("/page.js", get(async || file("text/javascript; charset=utf-8", include_str!("page.js"))))
        .route("/capture.js", get(async || file("text/javascript; charset=utf-8", include_str!("capture.js"))))
}

fn file(kind: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-cache"),
        (HeaderName::from_static("x-content-type-options"), "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, text).into_response()
}
