//! What clients send as text.

use serde::Deserialize;
use serde_json::{Map, Value};

/// A message of the protocol.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "type")]
pub enum ClientMessage {
    /// Nothing; the connection is wanted though.
    KeepAlive,
    /// Recognize all audio so far.
    Finalize {
        /// Of this channel only.
        channel: Option<usize>,
    },
    /// No more audio comes.
    CloseStream,
    /// Change what is asked for.
    Configure {
        /// Names and values as in the query.
        #[serde(default)]
        features: Map<String, Value>,
        /// Phrases to expect, in place of those before.
        #[serde(default)]
        keyterms: Option<Vec<String>>,
    },
}

impl ClientMessage {
    /// Reads a message.
    ///
    /// # Errors
    /// When the text is no JSON, or none of the protocol's messages.
    pub fn parse(text: &str) -> serde_json::Result<Self> {
        // Read on its own first: an array of the fields' values would be taken for a message, too.
        let fields: Map<String, Value> = serde_json::from_str(text)?;
        serde_json::from_value(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn messages_of_the_protocol() {
        for (text, message) in [
            (r#"{"type":"KeepAlive"}"#, ClientMessage::KeepAlive),
            (r#"{"type":"Finalize"}"#, ClientMessage::Finalize { channel: None }),
            (r#"{"channel":0,"type":"Finalize","more":[1]}"#, ClientMessage::Finalize { channel: Some(0) }),
            (r#" {"type" : "CloseStream"} "#, ClientMessage::CloseStream),
        ] {
            assert_eq!(ClientMessage::parse(text).unwrap(), message);
        }
        let text = r#"{"type":"Configure","features":{"numerals":true},"keyterms":["oat milk"]}"#;
        let ClientMessage::Configure { features, keyterms } = ClientMessage::parse(text).unwrap() else { panic!() };
        assert_eq!((features["numerals"].as_bool(), keyterms), (Some(true), Some(vec!["oat milk".into()])));
    }

    #[test]
    fn anything_else_is_an_error() {
        for text in [
            "",
            "KeepAlive",
            "{}",
            "null",
            r#"["KeepAlive"]"#,
            r#"{"type":"keepalive"}"#,
            r#"{"type":"Finalize","channel":-1}"#,
            r#"{"type":"Finalize","channel":1e99}"#,
            r#"{"type":"KeepAlive"} {"type":"KeepAlive"}"#,
            r#"{"type":"Configure","features":[]}"#,
            r#"{"type":"Configure","keyterms":"tea"}"#,
            &format!(r#"{{"type":"Configure","features":{{"a":{}1{}}}}}"#, "[".repeat(100_000), "]".repeat(100_000)),
        ] {
            assert!(ClientMessage::parse(text).is_err(), "{}", &text[..text.len().min(80)]);
        }
    }

    /// Pieces that messages are made of, in any order.
    fn almost_message() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            Just("{".to_owned()),
            Just("}".to_owned()),
            Just(r#""type":"#.to_owned()),
            Just(r#""Configure""#.to_owned()),
            Just(r#""Finalize""#.to_owned()),
            Just(r#","channel":"#.to_owned()),
            Just(r#","features":{"numerals":"#.to_owned()),
            Just(r#","keyterms":["#.to_owned()),
            Just("]".to_owned()),
            Just(",".to_owned()),
            any::<i64>().prop_map(|number| number.to_string()),
            any::<f64>().prop_map(|number| number.to_string()),
            "\\PC{0,8}",
        ];
        proptest::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn no_text_panics(text in prop_oneof![any::<String>(), almost_message()]) {
            // What is taken for a message is an object with one of the four types.
            if ClientMessage::parse(&text).is_ok() {
                let value: Value = serde_json::from_str(&text).unwrap();
                let kind = value["type"].as_str().unwrap();
                prop_assert!(["KeepAlive", "Finalize", "CloseStream", "Configure"].contains(&kind));
            }
        }

        #[test]
        fn phrases_come_through_as_they_are(terms in proptest::collection::vec(any::<String>(), 0..5), channel: usize) {
            let text = serde_json::json!({"type": "Configure", "keyterms": terms}).to_string();
            let configure = ClientMessage::Configure { features: Map::new(), keyterms: Some(terms) };
            prop_assert_eq!(ClientMessage::parse(&text).unwrap(), configure);
            let text = serde_json::json!({"type": "Finalize", "channel": channel}).to_string();
            prop_assert_eq!(ClientMessage::parse(&text).unwrap(), ClientMessage::Finalize { channel: Some(channel) });
        }
    }
}
