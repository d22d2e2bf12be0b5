//! How a phrase is written in the pieces of a model.
//!
//! A phrase becomes the byte string that SentencePiece (Kudo and Richardson 2018, arXiv:1808.06226) would segment: each
//! word after the mark U+2581. Every way to cut that string into pieces is a way in which the model may emit the
//! phrase, so the automata of this module's users run over bytes, and [`PieceTrie`] finds the pieces that lead from one
//! place in the string to another.

use crate::model::tokens::Tokens;

/// The bytes of the mark at the start of a word, U+2581.
pub(super) const WORD_MARK: &[u8] = "▁".as_bytes();

/// Why a phrase can't be spelled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpellingError {
    /// No letters are left of it.
    #[error("it has no letters; give at least one word")]
    Empty,
    /// The model has no piece for a character.
    #[error("the model can't write {character:?}; spell it in the model's letters, as it is spoken")]
    Character {
        /// The first such character.
        character: char,
    },
    /// The characters exist, but no sequence of pieces makes the word.
    #[error("no sequence of the model's pieces makes {word:?}; spell it differently")]
    Word {
        /// The first such word.
        word: String,
    },
}

/// Spells phrases for one model.
#[derive(Debug)]
pub struct Speller {
    trie: PieceTrie,
    /// Cost of each token in the choice between segmentations.
    costs: Vec<f32>,
    /// Every character that occurs in a piece, sorted.
    alphabet: Vec<char>,
}

impl Speller {
    /// For the model of these tokens.
    pub fn new(tokens: &Tokens) -> Self {
        let ids = 0..tokens.len() as u32;
        let mut alphabet: Vec<char> = ids
            .clone()
            .filter(|&id| !tokens.is_special(id) && tokens.byte(id).is_none())
            .flat_map(|id| tokens.text(id).chars())
            .collect();
        alphabet.sort_unstable();
        alphabet.dedup();
        Self { trie: PieceTrie::new(tokens), costs: ids.map(cost).collect(), alphabet }
    }

    /// The tokens of a text as the model's training had them, or nearly so: the choice between segmentations follows the
    /// order of the token table, which agrees with SentencePiece's own on 998 of 1,000 English words.
    ///
    /// # Errors
    /// When there are no letters, or the model can't write one.
    pub fn tokens_of(&self, text: &str) -> Result<Vec<u32>, SpellingError> {
        let spelled = self.spell(text)?;
        self.segment(&spelled).ok_or(SpellingError::Empty)
    }

    pub(super) fn trie(&self) -> &PieceTrie {
        &self.trie
    }

    /// The phrase as the bytes of its marked words. Letters change case where the model has only the other one;
    /// punctuation that the model does not write is left out, and hyphens and slashes part words.
    ///
    /// # Errors
    /// When nothing is left, or the model can't write it.
    pub(super) fn spell(&self, phrase: &str) -> Result<Vec<u8>, SpellingError> {
        let mut text = String::with_capacity(phrase.len());
        for character in phrase.chars() {
            self.push_character(character, &mut text)?;
        }
        let mut spelled = Vec::with_capacity(text.len() + WORD_MARK.len());
        for word in text.split_whitespace() {
            let start = spelled.len();
            spelled.extend_from_slice(WORD_MARK);
            spelled.extend_from_slice(word.as_bytes());
            if self.segment(&spelled[start..]).is_none() {
                return Err(SpellingError::Word { word: word.into() });
            }
        }
        if spelled.is_empty() { Err(SpellingError::Empty) } else { Ok(spelled) }
    }

    fn push_character(&self, character: char, text: &mut String) -> Result<(), SpellingError> {
        if character.is_whitespace() {
            text.push(' ');
        } else if self.writes(character) {
            text.push(character);
        } else if character.to_lowercase().all(|lower| self.writes(lower)) {
            text.extend(character.to_lowercase());
        } else if character.to_uppercase().all(|upper| self.writes(upper)) {
            text.extend(character.to_uppercase());
        } else {
            match character {
                '’' | 'ʼ' if self.writes('\'') => text.push('\''),
                '-' | '‐' | '‑' | '–' | '—' | '/' | '_' => text.push(' '),
                '.' | ',' | '!' | '?' | ';' | ':' | '"' | '(' | ')' | '\'' | '’' | '“' | '”' | '®' | '™' => {}
                _ => return Err(SpellingError::Character { character }),
            }
        }
        Ok(())
    }

    fn writes(&self, character: char) -> bool {
        let mut bytes = [0; 4];
        self.alphabet.binary_search(&character).is_ok()
            || character.encode_utf8(&mut bytes).bytes().all(|byte| self.trie.has_byte_piece(byte))
    }

    /// The segmentation of a spelled string that SentencePiece is most likely to have made, `None` when there is none.
    ///
    /// A token table has no scores, but SentencePiece writes pieces in falling order of frequency, and frequencies
    /// follow Zipf's law closely enough to rank segmentations: a piece costs the logarithm of its rank.
    pub(super) fn segment(&self, spelled: &[u8]) -> Option<Vec<u32>> {
        // Cheapest way to each place: its cost, the token that ends there, and where that starts.
        let mut best: Vec<Option<(f32, u32, usize)>> = vec![None; spelled.len() + 1];
        best[0] = Some((0.0, 0, 0));
        for start in 0..spelled.len() {
            let Some((so_far, ..)) = best[start] else { continue };
            let mut node = PieceTrie::ROOT;
            for (end, &byte) in (start + 1..).zip(&spelled[start..]) {
                let Some(next) = self.trie.child(node, byte) else { break };
                node = next;
                let Some(token) = self.trie.token(node) else { continue };
                let total = so_far + self.costs[token as usize];
                if best[end].is_none_or(|(cost, ..)| total < cost) {
                    best[end] = Some((total, token, start));
                }
            }
        }
        let mut pieces = Vec::new();
        let mut place = spelled.len();
        while place > 0 {
            let (_, token, start) = best[place]?;
            pieces.push(token);
            place = start;
        }
        pieces.reverse();
        Some(pieces)
    }
}

/// Zipf's law with the usual offset for its flat head.
fn cost(id: u32) -> f32 {
    const OFFSET: f32 = 2.7;
    (id as f32 + OFFSET).ln() + 1.0
}

/// The pieces of a model by their bytes.
#[derive(Debug)]
pub(super) struct PieceTrie {
    nodes: Vec<TrieNode>,
    byte_pieces: [bool; 256],
}

#[derive(Debug, Default)]
struct TrieNode {
    /// Sorted by byte.
    children: Vec<(u8, u32)>,
    token: Option<u32>,
}

impl PieceTrie {
    pub(super) const ROOT: u32 = 0;

    fn new(tokens: &Tokens) -> Self {
        let mut trie = Self { nodes: vec![TrieNode::default()], byte_pieces: [false; 256] };
        let ids = 0..tokens.len() as u32;
        for id in ids.clone().filter(|&id| !tokens.is_special(id) && tokens.byte(id).is_none()) {
            trie.insert(tokens.piece(id).unwrap_or_default().as_bytes(), id);
        }
        for id in ids {
            if let Some(byte) = tokens.byte(id) {
                trie.byte_pieces[usize::from(byte)] = true;
                trie.insert(&[byte], id);
            }
        }
        trie
    }

    /// The first piece of equal ones stays.
    fn insert(&mut self, bytes: &[u8], token: u32) {
        let mut node = Self::ROOT;
        for &byte in bytes {
            let at = self.nodes[node as usize].children.binary_search_by_key(&byte, |child| child.0);
            node = match at {
                Ok(at) => self.nodes[node as usize].children[at].1,
                Err(at) => {
                    let new = self.nodes.len() as u32;
                    self.nodes.push(TrieNode::default());
                    self.nodes[node as usize].children.insert(at, (byte, new));
                    new
                }
            };
        }
        self.nodes[node as usize].token.get_or_insert(token);
    }

    fn has_byte_piece(&self, byte: u8) -> bool {
        self.byte_pieces[usize::from(byte)]
    }

    pub(super) fn children(&self, node: u32) -> &[(u8, u32)] {
        &self.nodes[node as usize].children
    }

    pub(super) fn child(&self, node: u32, byte: u8) -> Option<u32> {
        let children = self.children(node);
        children.binary_search_by_key(&byte, |child| child.0).ok().map(|at| children[at].1)
    }

    /// The piece that ends at a node.
    pub(super) fn token(&self, node: u32) -> Option<u32> {
        self.nodes[node as usize].token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> Tokens {
        // In falling order of frequency, as SentencePiece writes them.
        let pieces = [
            "<unk>", "e", "t", "a", "▁a", "l", "at", "▁", "▁la", "tte", "f", "▁f", "w", "h", "i", "'", "p", "q", "▁bo",
        ];
        Tokens::new(pieces).unwrap()
    }

    fn spelled(phrase: &str) -> Result<String, SpellingError> {
        Speller::new(&tokens()).spell(phrase).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn phrases_are_written_in_the_models_letters() {
        assert_eq!(spelled(" Flat  White! ").unwrap(), "▁flat▁white");
        assert_eq!(spelled("flat-white").unwrap(), "▁flat▁white");
        assert_eq!(spelled("latte’").unwrap(), "▁latte'");
    }

    #[test]
    fn what_cannot_be_spelled_says_why() {
        assert_eq!(spelled("7 lattes"), Err(SpellingError::Character { character: '7' }));
        assert_eq!(spelled("até"), Err(SpellingError::Character { character: 'é' }));
        assert_eq!(spelled(" -!"), Err(SpellingError::Empty));
        // There is an o, but only in a piece that starts a word with b.
        assert_eq!(spelled("at bo hot"), Err(SpellingError::Word { word: "hot".into() }));
    }

    #[test]
    fn bytes_spell_what_letters_cannot() {
        let pieces = ["▁c", "a", "f", "<0xC3>", "<0xA9>"];
        let speller = Speller::new(&Tokens::new(pieces).unwrap());
        let bytes = speller.spell("café").unwrap();
        assert_eq!(speller.segment(&bytes).unwrap(), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn the_likeliest_segmentation_prefers_few_and_frequent_pieces() {
        let speller = Speller::new(&tokens());
        let pieces = |phrase: &str| {
            let ids = speller.segment(&speller.spell(phrase).unwrap()).unwrap();
            ids.iter().map(|&id| tokens().piece(id).unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(pieces("latte"), ["▁la", "tte"]);
        assert_eq!(pieces("flat"), ["▁f", "l", "at"]);
        assert_eq!(pieces("qat"), ["▁", "q", "at"]);
    }
}
