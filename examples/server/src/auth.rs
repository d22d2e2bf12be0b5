//! Tokens: who may use the server.
//!
//! The file holds SHA-256 hashes, so that it gives no token away. A fast hash is enough because tokens are random
//! strings of 256 bits that this program makes; passwords that people choose would need a slow one.

use std::{collections::HashSet, fmt, path::Path};

use axum::http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use uuid::Uuid;

/// Why a token file can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenFileError {
    /// It can't be read.
    #[error("cannot read the token file {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// A line is not of the form `NAME SHA256 [STREAMS [RECORDINGS]]`.
    #[error(
        "{path}, line {line}: expected NAME SHA256 [STREAMS [RECORDINGS]]; make lines with `linnet-server new-token NAME`"
    )]
    Line {
        /// The file.
        path: String,
        /// From one.
        line: usize,
    },
    /// Two lines have the same name.
    #[error("{path}, line {line}: the name {name:?} is used above already")]
    Twice {
        /// The file.
        path: String,
        /// From one.
        line: usize,
        /// The name.
        name: String,
    },
    /// There is no token in it.
    #[error("{path} holds no token, so that nobody could connect; add one with `linnet-server new-token NAME`")]
    Empty {
        /// The file.
        path: String,
    },
}

/// The holder of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The token's name in the file.
    pub name: String,
    /// Most live streams at once; `None` for no limit of its own.
    pub max_streams: Option<usize>,
    /// Most recordings at once; `None` for no limit of its own.
    pub max_recordings: Option<usize>,
}

/// The tokens of a file.
#[derive(Clone, Default)]
pub struct Tokens(Vec<(Client, [u8; 32])>);

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(client, _)| &client.name)).finish()
    }
}

impl Tokens {
    /// Reads a file of lines `NAME SHA256 [STREAMS [RECORDINGS]]`; empty lines and those that start with `#` are comments.
    ///
    /// # Errors
    /// [`TokenFileError`] when it can't be read or understood.
    pub fn read(path: &Path) -> Result<Self, TokenFileError> {
        let name = path.display().to_string();
        let text =
            std::fs::read_to_string(path).map_err(|source| TokenFileError::Read { path: name.clone(), source })?;
        Self::parse(&text, &name)
    }

    fn parse(text: &str, path: &str) -> Result<Self, TokenFileError> {
        let path = path.to_owned();
        let mut tokens = Vec::new();
        let mut names = HashSet::new();
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let fields: Vec<_> = text.split_whitespace().collect();
            let (name, hash, limits) = match fields[..] {
                [name, hash, ref limits @ ..] if limits.len() <= 2 => (name, hash, limits),
                _ => return Err(TokenFileError::Line { path, line }),
            };
            let limits = limits.iter().map(|limit| limit.parse().ok()).collect::<Option<Vec<usize>>>();
            let (Some(hash), Some(limits)) = (from_hex(hash), limits) else {
                return Err(TokenFileError::Line { path, line });
            };
            let (max_streams, max_recordings) = (limits.first().copied(), limits.get(1).copied());
            if !names.insert(name) {
                return Err(TokenFileError::Twice { path, line, name: name.into() });
            }
            tokens.push((Client { name: name.into(), max_streams, max_recordings }, hash));
        }
        if tokens.is_empty() { Err(TokenFileError::Empty { path }) } else { Ok(Self(tokens)) }
    }

    /// Whose token this is. Takes the same time whichever it is, and whether it is any.
    pub fn client(&self, token: &str) -> Option<&Client> {
        let hash: [u8; 32] = Sha256::digest(token).into();
        let (mut found, mut at) = (Choice::from(0), 0u64);
        for (index, (_, known)) in self.0.iter().enumerate() {
            let same = hash.ct_eq(known);
            at = u64::conditional_select(&at, &(index as u64), same);
            found |= same;
        }
        if bool::from(found) { self.0.get(at as usize).map(|(client, _)| client) } else { None }
    }
}

/// A new random token, and its line for the file.
pub fn new_token(name: &str) -> (String, String) {
    // Two version 4 UUIDs carry 244 random bits from the system's generator.
    let token = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    let line = format!("{name} {}", hex(&Sha256::digest(&token)));
    (token, line)
}

/// The token that a request carries: `Authorization: Token KEY` or `Bearer KEY`, or the second of the WebSocket
/// protocols `token, KEY`, which is all that a browser can set.
pub fn presented(headers: &HeaderMap) -> Option<&str> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let (scheme, token) = value.to_str().ok()?.trim().split_once(' ')?;
        let known = scheme.eq_ignore_ascii_case("token") || scheme.eq_ignore_ascii_case("bearer");
        return known.then(|| token.trim());
    }
    let mut protocols = headers.get(header::SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?.split(',').map(str::trim);
    let scheme = protocols.next()?;
    if scheme == "token" || scheme == "bearer" { protocols.next() } else { None }
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_found_by_what_hashes_to_their_line() {
        let (token, line) = new_token("kiosk");
        let (other, other_line) = new_token("office");
        let tokens = Tokens::parse(&format!("# ours\n\n{line}\n{other_line} 3 0\n"), "tokens").unwrap();
        assert_eq!(
            tokens.client(&token),
            Some(&Client { name: "kiosk".into(), max_streams: None, max_recordings: None })
        );
        let office = Client { name: "office".into(), max_streams: Some(3), max_recordings: Some(0) };
        assert_eq!(tokens.client(&other), Some(&office));
        for wrong in ["", "kiosk", &token[1..], &line, &new_token("kiosk").0] {
            assert_eq!(tokens.client(wrong), None);
        }
        assert!(!format!("{tokens:?}").contains(line.split(' ').nth(1).unwrap()));
        assert!(token.len() == 64 && !line.contains(&token));
    }

    #[test]
    fn bad_files_say_where() {
        let hash = "0".repeat(64);
        for (text, part) in [
            ("name", "line 1"),
            ("# x\nname zz", "line 2"),
            (&format!("name {hash} many"), "line 1"),
            (&format!("name {hash}\nname {hash}"), "line 2"),
            (&format!("name {hash} 1 2 3"), "line 1"),
            (&format!("name {hash} 1 -2"), "line 1"),
            ("# nothing", "no token"),
        ] {
            let error = Tokens::parse(text, "tokens").unwrap_err().to_string();
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }

    #[test]
    fn tokens_come_in_three_ways() {
        let headers = |name: header::HeaderName, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            headers
        };
        for value in ["Token abc", "token  abc", "Bearer abc"] {
            assert_eq!(presented(&headers(header::AUTHORIZATION, value)), Some("abc"));
        }
        assert_eq!(presented(&headers(header::AUTHORIZATION, "Basic abc")), None);
        assert_eq!(presented(&headers(header::SEC_WEBSOCKET_PROTOCOL, "token, abc")), Some("abc"));
        assert_eq!(presented(&headers(header::SEC_WEBSOCKET_PROTOCOL, "chat, abc")), None);
        assert_eq!(presented(&HeaderMap::new()), None);
    }
}
