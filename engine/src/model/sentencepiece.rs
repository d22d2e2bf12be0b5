//! Reads the pieces of a SentencePiece model: the `ModelProto` of
//! <https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto>, of which only field 1, the
//! repeated pieces, and of these only field 1, the text, matter here.

/// The pieces in the order of their ids; `None` when the bytes are no such message.
pub(super) fn pieces(model: &[u8]) -> Option<Vec<String>> {
    let mut pieces = Vec::new();
    let mut fields = Fields(model);
    while !fields.0.is_empty() {
        if let (1, Value::Bytes(piece)) = fields.next()? {
            pieces.push(text(piece)?);
        }
    }
    Some(pieces)
}

/// The text of one piece.
fn text(piece: &[u8]) -> Option<String> {
    let mut fields = Fields(piece);
    let mut text = None;
    while !fields.0.is_empty() {
        if let (1, Value::Bytes(bytes)) = fields.next()? {
            text = Some(String::from_utf8(bytes.to_vec()).ok()?);
        }
    }
    text
}

/// The rest of a message in the wire format of protocol buffers.
struct Fields<'a>(&'a [u8]);

enum Value<'a> {
    Bytes(&'a [u8]),
    /// Numbers: skipped.
    Other,
}

impl<'a> Fields<'a> {
    /// Number and value of the next field; `None` when the message is malformed.
    fn next(&mut self) -> Option<(u64, Value<'a>)> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => self.varint().map(|_| Value::Other),
            1 => self.take(8).map(|_| Value::Other),
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                self.take(length).map(Value::Bytes)
            }
            5 => self.take(4).map(|_| Value::Other),
            _ => None,
        }?;
        Some((tag >> 3, value))
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A model of two pieces with score and type, and a trainer specification (field 2).
    fn model() -> Vec<u8> {
        let piece = |text: &str| {
            let mut piece = vec![0x0A, text.len() as u8];
            piece.extend_from_slice(text.as_bytes());
            piece.extend_from_slice(&[0x15, 0, 0, 0x80, 0xBF, 0x18, 2]);
            let mut field = vec![0x0A, piece.len() as u8];
            field.extend_from_slice(&piece);
            field
        };
        [piece("<unk>"), piece("▁the"), vec![0x12, 3, 0x18, 0x80, 8]].concat()
    }

    #[test]
    fn pieces_are_read_and_the_rest_is_skipped() {
        assert_eq!(pieces(&model()).unwrap(), ["<unk>", "▁the"]);
    }

    #[test]
    fn malformed_messages_are_refused() {
        let model = model();
        assert!(pieces(&model[..5]).is_none());
        assert!(pieces(b"\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01").is_none());
        assert!(pieces(b"not a model").is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = pieces(&bytes);
        }
    }
}
