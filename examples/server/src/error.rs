//! Refusals over HTTP.

use std::time::Duration;

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{admission::Refusal, listen::params::ParamError};

/// Header with the identifier of a request; clients refuse answers without it.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("dg-request-id");
/// Header with the text of an error, for clients that don't read the body of a failed upgrade.
pub const ERROR: HeaderName = HeaderName::from_static("dg-error");

/// An answer in JSON.
pub fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let text = serde_json::to_string(body).expect("answers are plain data");
    (status, [(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// An answer other than what was asked for.
#[derive(Clone, Debug)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    retry_after: Option<Duration>,
}

#[derive(Serialize)]
struct Body<'a> {
    err_code: &'a str,
    err_msg: &'a str,
    request_id: &'a str,
}

impl ApiError {
    /// The request is wrong.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "Bad Request", message)
    }

    /// No token, or one that is not known.
    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "INVALID_AUTH", "Invalid credentials.")
    }

    /// A page of another site.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "INSUFFICIENT_PERMISSIONS", message)
    }

    /// The body is longer than what is taken.
    pub fn too_large(limit: u64) -> Self {
        let message = format!("the body is longer than {limit} bytes; send it in parts, or raise --max-body-mb");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", message)
    }

    /// The body stopped coming.
    pub fn timeout() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "REQUEST_TIMEOUT", "the body stopped coming; send it again")
    }

    /// No such path.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", "there is nothing here; recognition is at /v1/listen")
    }

    /// The path has other methods.
    pub fn method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", "use GET for live streams, POST for recordings")
    }

    /// A defect of the server.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_SERVER_ERROR", message)
    }

    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after: None }
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// The answer.
    pub fn response(&self, request_id: &str) -> Response {
        let body = Body { err_code: self.code, err_msg: &self.message, request_id };
        let mut response = json(self.status, &body);
        let headers = response.headers_mut();
        if let Ok(text) = HeaderValue::from_str(&self.message) {
            headers.insert(ERROR, text);
        }
        if let Some(after) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs()));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Token, Bearer"));
        }
        response
    }
}

impl From<ParamError> for ApiError {
    fn from(error: ParamError) -> Self {
        Self::bad_request(error.to_string())
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let (status, code) = match refusal {
            Refusal::Stopping | Refusal::Broken => (StatusCode::SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE"),
            _ => (StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_REQUESTS"),
        };
        let after = refusal.retry_after();
        let message = format!("{refusal}; try again in {} s", after.as_secs());
        Self { retry_after: Some(after), ..Self::new(status, code, message) }
    }
}
