//! The token table of a model: SentencePiece pieces (Kudo and Richardson 2018, arXiv:1808.06226) and their text.

use super::error::ModelFileError;

/// Marks the start of a word in a piece: U+2581.
pub(crate) const WORD_START: char = '▁';
/// Longest piece accepted, in bytes.
const MAX_PIECE_BYTES: usize = 256;

/// The pieces a model can emit. Token `id` is the piece at that place; the blank follows the last piece.
#[derive(Clone, Debug, PartialEq)]
pub struct Tokens {
    tokens: Vec<Token>,
}

#[derive(Clone, Debug, PartialEq)]
struct Token {
    piece: String,
    text: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Text that starts a word.
    WordStart,
    /// Text that continues a word.
    Inside,
    /// One byte of a UTF-8 sequence, written `<0xE2>`.
    Byte(u8),
    /// A control token such as `<unk>` or `<EOU>`; it has no text.
    Special,
}

impl Tokens {
    /// Makes the table of these pieces, in the order of their ids.
    ///
    /// # Errors
    /// [`ModelFileError::BadTokens`] when there are none, or one is empty or longer than 256 bytes.
    pub fn new<S: Into<String>>(pieces: impl IntoIterator<Item = S>) -> Result<Self, ModelFileError> {
        let tokens = pieces
            .into_iter()
            .enumerate()
            .map(|(id, piece)| Token::new(id, piece.into()))
            .collect::<Result<Vec<_>, _>>()?;
        if tokens.is_empty() {
            return Err(ModelFileError::BadTokens { reason: "there are none".into() });
        }
        Ok(Self { tokens })
    }

    /// Number of tokens without the blank.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Always false: a table holds at least one token.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Id of the blank: the number of tokens.
    pub fn blank(&self) -> u32 {
        self.tokens.len() as u32
    }

    /// The piece as SentencePiece writes it; `None` for the blank and beyond.
    pub fn piece(&self, id: u32) -> Option<&str> {
        Some(&self.get(id)?.piece)
    }

    /// The pieces in the order of their ids.
    pub fn pieces(&self) -> impl ExactSizeIterator<Item = &str> {
        self.tokens.iter().map(|token| token.piece.as_str())
    }

    /// Id of a piece.
    pub fn id(&self, piece: &str) -> Option<u32> {
        self.tokens.iter().position(|token| token.piece == piece).map(|id| id as u32)
    }

    /// Text of a token without the mark of its word start. Empty for special tokens, the blank and byte pieces, whose
    /// text is known only together with their neighbours: see [`Tokens::byte`].
    pub fn text(&self, id: u32) -> &str {
        self.get(id).map_or("", |token| &token.text)
    }

    /// Whether a new word starts with this token.
    pub fn is_word_start(&self, id: u32) -> bool {
        matches!(self.get(id), Some(Token { kind: Kind::WordStart, .. }))
    }

    /// Whether this is a control token such as `<unk>` or `<EOU>`.
    pub fn is_special(&self, id: u32) -> bool {
        matches!(self.get(id), Some(Token { kind: Kind::Special, .. }))
    }

    /// The byte that a byte piece such as `<0xE2>` stands for.
    pub fn byte(&self, id: u32) -> Option<u8> {
        match self.get(id)?.kind {
            Kind::Byte(byte) => Some(byte),
            _ => None,
        }
    }

    /// Text of a sequence: words separated by one space, byte pieces joined (bytes that are no UTF-8 become U+FFFD),
    /// special tokens left out.
    pub fn decode(&self, ids: &[u32]) -> String {
        let mut bytes = Vec::new();
        for &id in ids {
            let Some(token) = self.get(id) else { continue };
            match token.kind {
                Kind::Byte(byte) => bytes.push(byte),
                Kind::WordStart if !bytes.is_empty() && bytes.last() != Some(&b' ') => bytes.push(b' '),
                _ => {}
            }
            bytes.extend_from_slice(token.text.as_bytes());
        }
        while bytes.last() == Some(&b' ') {
            bytes.pop();
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn get(&self, id: u32) -> Option<&Token> {
        self.tokens.get(id as usize)
    }
}

impl Token {
    fn new(id: usize, piece: String) -> Result<Self, ModelFileError> {
        if piece.is_empty() || piece.len() > MAX_PIECE_BYTES {
            let reason = format!("token {id} has {} bytes; pieces have between 1 and {MAX_PIECE_BYTES}", piece.len());
            return Err(ModelFileError::BadTokens { reason });
        }
        let kind = if let Some(byte) = byte_piece(&piece) {
            Kind::Byte(byte)
        } else if piece.len() > 2 && piece.starts_with('<') && piece.ends_with('>') {
            Kind::Special
        } else if piece.starts_with(WORD_START) {
            Kind::WordStart
        } else {
            Kind::Inside
        };
        let text = match kind {
            // A piece that spans words has the mark between them too.
            Kind::WordStart | Kind::Inside => piece.trim_start_matches(WORD_START).replace(WORD_START, " "),
            Kind::Byte(_) | Kind::Special => String::new(),
        };
        Ok(Self { piece, text, kind })
    }
}

/// The byte of a piece of the form `<0xE2>`.
fn byte_piece(piece: &str) -> Option<u8> {
    let hex = piece.strip_prefix("<0x")?.strip_suffix('>')?;
    let digits = hex.len() == 2 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    if digits { u8::from_str_radix(hex, 16).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> Tokens {
        Tokens::new(["<unk>", "▁the", "▁c", "at", "▁", "s", "<0xC3>", "<0xA9>", "<EOU>", "▁of▁a", "<", "<0xG1>"])
            .unwrap()
    }

    #[test]
    fn pieces_have_ids_and_the_blank_is_last() {
        let tokens = tokens();
        assert_eq!(tokens.len(), 12);
        assert_eq!(tokens.blank(), 12);
        assert_eq!(tokens.piece(1), Some("▁the"));
        assert_eq!(tokens.piece(tokens.blank()), None);
        assert_eq!(tokens.id("<EOU>"), Some(8));
        assert_eq!(tokens.id("dog"), None);
    }

    #[test]
    fn kinds_of_pieces() {
        let tokens = tokens();
        let starts: Vec<u32> = (0..14).filter(|&id| tokens.is_word_start(id)).collect();
        assert_eq!(starts, [1, 2, 4, 9]);
        let special: Vec<u32> = (0..14).filter(|&id| tokens.is_special(id)).collect();
        assert_eq!(special, [0, 8, 11]);
        let bytes: Vec<Option<u8>> = [5, 6, 7].iter().map(|&id| tokens.byte(id)).collect();
        assert_eq!(bytes, [None, Some(0xC3), Some(0xA9)]);
        assert_eq!(tokens.text(1), "the");
        assert_eq!(tokens.text(4), "");
        assert_eq!(tokens.text(8), "");
        assert_eq!(tokens.text(9), "of a");
        assert_eq!(tokens.text(10), "<");
        assert_eq!(tokens.text(12), "");
        assert_eq!(tokens.text(u32::MAX), "");
    }

    #[test]
    fn sequences_become_text() {
        let tokens = tokens();
        assert_eq!(tokens.decode(&[1, 2, 3, 5, 8]), "the cats");
        assert_eq!(tokens.decode(&[3, 0, 4, 2, 6, 7, 4]), "at cé");
        assert_eq!(tokens.decode(&[2, 6]), "c\u{fffd}");
        assert_eq!(tokens.decode(&[12, 99]), "");
    }

    #[test]
    fn unusable_tables_are_refused() {
        assert!(Tokens::new(Vec::<String>::new()).unwrap_err().to_string().contains("there are none"));
        assert!(Tokens::new(["a", ""]).unwrap_err().to_string().contains("token 1 has 0 bytes"));
        assert!(Tokens::new(["a".repeat(257)]).is_err());
    }
}
