//! Reads grammars: a subset of the JSpeech Grammar Format (W3C Note, 5 June 2000, <https://www.w3.org/TR/jsgf/>).
//!
//! Supported are the header, rules, sequences, alternatives with weights, groups, optional groups, `*` and `+`, tags,
//! comments, quoted words, and the special rules `<NULL>` and `<VOID>`. `<GARBAGE>` is taken from SRGS: any speech.
//! Imports, recursion and qualified rule names are refused.

use std::collections::BTreeMap;

use super::GrammarError;

/// What may be said.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expansion {
    Word(String),
    /// A reference to another rule.
    Rule {
        name: String,
        line: usize,
    },
    Sequence(Vec<Self>),
    /// With their weights.
    Alternatives(Vec<(f32, Self)>),
    Optional(Box<Self>),
    /// Once or more often.
    Repeated(Box<Self>),
    /// What is said fills a slot, with itself or with a fixed value.
    Slot {
        name: String,
        value: Option<String>,
        inner: Box<Self>,
    },
    /// Any speech.
    Garbage,
    /// Nothing, which can be said.
    Null,
    /// What can't be said.
    Void,
}

/// A grammar as it is written.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub(super) rules: BTreeMap<String, Expansion>,
    /// Names of the public rules in their order.
    pub(super) public: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
enum Lexeme {
    Word(String),
    Rule(String),
    Tag(String),
    Weight(f32),
    Sign(char),
}

/// Deepest nesting of groups.
const MAX_DEPTH: usize = 64;

/// Most operators and tags after one word, rule or group.
const MAX_MARKS: usize = 4;

/// Reads a grammar.
///
/// # Errors
/// [`GrammarError::Syntax`] with the line.
pub(super) fn read(source: &str) -> Result<Rules, GrammarError> {
    let source = source.trim_start_matches('\u{feff}');
    let mut reader = Reader { lexemes: lex(source)?, at: 0, depth: 0 };
    let mut rules = Rules::default();
    reader.skip_declaration(source)?;
    while reader.at < reader.lexemes.len() {
        let public = reader.take_word("public");
        let line = reader.line();
        let Some(Lexeme::Rule(name)) = reader.next() else {
            return Err(reader.error(line, "a rule begins with its name, as in `<size> = small | large;`"));
        };
        reader.expect('=')?;
        let expansion = reader.alternatives()?;
        reader.expect(';')?;
        if public {
            rules.public.push(name.clone());
        }
        if rules.rules.insert(name.clone(), expansion).is_some() {
            return Err(reader.error(line, &format!("<{name}> was defined before")));
        }
    }
    Ok(rules)
}

/// Lexemes with their lines.
fn lex(source: &str) -> Result<Vec<(usize, Lexeme)>, GrammarError> {
    let mut lexemes = Vec::new();
    let mut rest = source;
    let mut line = 1;
    while let Some(first) = rest.chars().next() {
        let error = |reason: &str| GrammarError::Syntax { line, reason: reason.into() };
        let until = |end: &str, from: usize| {
            rest.get(from..).and_then(|rest| rest.find(end)).map(|length| &rest[from..from + length])
        };
        let (lexeme, length) = match first {
            _ if rest.starts_with("//") || (rest.starts_with("#JSGF") && lexemes.is_empty()) => {
                (None, rest.find('\n').unwrap_or(rest.len()))
            }
            _ if rest.starts_with("/*") => {
                (None, until("*/", 2).ok_or_else(|| error("this comment has no end: `*/`"))?.len() + 4)
            }
            '<' => {
                let name = until(">", 1).ok_or_else(|| error("this rule name has no `>`"))?;
                if name.trim().is_empty() || name.contains(['<', '\n', ';']) {
                    return Err(error("a rule name is written <name>"));
                }
                (Some(Lexeme::Rule(name.trim().into())), name.len() + 2)
            }
            '{' => {
                let tag = until("}", 1).ok_or_else(|| error("this tag has no `}`"))?;
                (Some(Lexeme::Tag(tag.trim().into())), tag.len() + 2)
            }
            '"' => {
                let word = until("\"", 1).ok_or_else(|| error("this quoted word has no end"))?;
                (Some(Lexeme::Word(word.into())), word.len() + 2)
            }
            '/' => {
                let weight = until("/", 1).ok_or_else(|| error("a weight is written /2.5/"))?;
                let value = weight.trim().parse::<f32>().ok().filter(|value| *value >= 0.0 && value.is_finite());
                (
                    Some(Lexeme::Weight(value.ok_or_else(|| error("a weight is a number of at least zero"))?)),
                    weight.len() + 2,
                )
            }
            '=' | ';' | '|' | '(' | ')' | '[' | ']' | '*' | '+' => (Some(Lexeme::Sign(first)), 1),
            _ if first.is_whitespace() => (None, first.len_utf8()),
            _ => {
                let ends = |c: char| c.is_whitespace() || "=;|()[]*+<>{}\"/".contains(c);
                let length = rest.find(ends).unwrap_or(rest.len());
                if length == 0 {
                    return Err(error(&format!("{first:?} has no meaning here; quote it if it is part of a word")));
                }
                (Some(Lexeme::Word(rest[..length].into())), length)
            }
        };
        lexemes.extend(lexeme.map(|lexeme| (line, lexeme)));
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    Ok(lexemes)
}

struct Reader {
    lexemes: Vec<(usize, Lexeme)>,
    at: usize,
    depth: usize,
}

impl Reader {
    fn peek(&self) -> Option<&Lexeme> {
        self.lexemes.get(self.at).map(|(_, lexeme)| lexeme)
    }

    fn next(&mut self) -> Option<Lexeme> {
        self.at += 1;
        self.lexemes.get(self.at - 1).map(|(_, lexeme)| lexeme.clone())
    }

    /// Line of the next lexeme, or of the last one.
    fn line(&self) -> usize {
        self.lexemes.get(self.at).or(self.lexemes.last()).map_or(1, |(line, _)| *line)
    }

    fn error(&self, line: usize, reason: &str) -> GrammarError {
        GrammarError::Syntax { line, reason: reason.into() }
    }

    fn take_sign(&mut self, sign: char) -> bool {
        let is_next = self.peek() == Some(&Lexeme::Sign(sign));
        self.at += usize::from(is_next);
        is_next
    }

    fn take_word(&mut self, word: &str) -> bool {
        let is_next = matches!(self.peek(), Some(Lexeme::Word(next)) if next == word);
        self.at += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, sign: char) -> Result<(), GrammarError> {
        let line = self.line();
        if self.take_sign(sign) { Ok(()) } else { Err(self.error(line, &format!("`{sign}` was expected"))) }
    }

    /// The optional `grammar name;` after the header.
    fn skip_declaration(&mut self, source: &str) -> Result<(), GrammarError> {
        if !source.starts_with("#JSGF") {
            return Err(self.error(1, "a grammar begins with `#JSGF V1.0;`"));
        }
        if self.take_word("grammar") {
            self.next();
            self.expect(';')?;
        }
        if matches!(self.peek(), Some(Lexeme::Word(word)) if word == "import") {
            return Err(self.error(self.line(), "imports are not supported; copy the rules into this grammar"));
        }
        Ok(())
    }

    fn alternatives(&mut self) -> Result<Expansion, GrammarError> {
        let line = self.line();
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(line, "groups are nested too deeply"));
        }
        let mut alternatives = Vec::new();
        loop {
            let mut weight = 1.0;
            if let Some(&Lexeme::Weight(given)) = self.peek() {
                weight = given;
                self.at += 1;
            }
            alternatives.push((weight, self.sequence()?));
            if !self.take_sign('|') {
                break;
            }
        }
        self.depth -= 1;
        match alternatives.len() {
            1 => Ok(alternatives.swap_remove(0).1),
            _ => Ok(Expansion::Alternatives(alternatives)),
        }
    }

    fn sequence(&mut self) -> Result<Expansion, GrammarError> {
        let line = self.line();
        let mut parts = Vec::new();
        while let Some(part) = self.part()? {
            parts.push(part);
        }
        match parts.len() {
            0 => Err(self.error(line, "something to say is missing here; <NULL> says nothing")),
            1 => Ok(parts.swap_remove(0)),
            _ => Ok(Expansion::Sequence(parts)),
        }
    }

    /// A word, rule or group with its operators and tags; `None` at the end of a sequence.
    fn part(&mut self) -> Result<Option<Expansion>, GrammarError> {
        let line = self.line();
        let mut part = match self.peek() {
            Some(Lexeme::Word(word)) => {
                let word = Expansion::Word(word.clone());
                self.at += 1;
                word
            }
            Some(Lexeme::Rule(name)) => {
                let part = match name.as_str() {
                    "NULL" => Expansion::Null,
                    "VOID" => Expansion::Void,
                    "GARBAGE" => Expansion::Garbage,
                    _ => Expansion::Rule { name: name.clone(), line },
                };
                self.at += 1;
                part
            }
            Some(Lexeme::Sign('(')) => {
                self.at += 1;
                let inner = self.alternatives()?;
                self.expect(')')?;
                inner
            }
            Some(Lexeme::Sign('[')) => {
                self.at += 1;
                let inner = self.alternatives()?;
                self.expect(']')?;
                Expansion::Optional(Box::new(inner))
            }
            Some(Lexeme::Weight(_)) => return Err(self.error(line, "a weight stands before an alternative")),
            Some(Lexeme::Tag(_)) => return Err(self.error(line, "a tag stands after what it names")),
            Some(Lexeme::Sign(_)) | None => return Ok(None),
        };
        for _ in 0..=MAX_MARKS {
            if self.take_sign('+') {
                part = Expansion::Repeated(Box::new(part));
            } else if self.take_sign('*') {
                part = Expansion::Optional(Box::new(Expansion::Repeated(Box::new(part))));
            } else if let Some(Lexeme::Tag(tag)) = self.peek() {
                let (name, value) = match tag.split_once('=') {
                    Some((name, value)) => (name.trim(), Some(value.trim().to_owned())),
                    None => (tag.as_str(), None),
                };
                if name.is_empty() {
                    return Err(self.error(line, "a tag names a slot: {size} or {size=large}"));
                }
                part = Expansion::Slot { name: name.to_owned(), value, inner: Box::new(part) };
                self.at += 1;
            } else {
                return Ok(Some(part));
            }
        }
        Err(self.error(line, "one word, rule or group has more than four operators and tags; use parentheses"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn word(word: &str) -> Expansion {
        Expansion::Word(word.into())
    }

    #[test]
    fn rules_are_read() {
        let source = "#JSGF V1.0 UTF-8 en;\ngrammar menu; // a comment\n/* and\none more */\n\
            public <order> = [a] <size>{size} (/3/ tea | /1/ \"oat milk\"+ {drink=oat})*;\n<size> = small | large;";
        let rules = read(source).unwrap();
        assert_eq!(rules.public, ["order"]);
        let size = Expansion::Alternatives(vec![(1.0, word("small")), (1.0, word("large"))]);
        assert_eq!(rules.rules["size"], size);
        let drink = Expansion::Slot {
            name: "drink".into(),
            value: Some("oat".into()),
            inner: Box::new(Expansion::Repeated(Box::new(word("oat milk")))),
        };
        let slot = Expansion::Rule { name: "size".into(), line: 5 };
        let order = Expansion::Sequence(vec![
            Expansion::Optional(Box::new(word("a"))),
            Expansion::Slot { name: "size".into(), value: None, inner: Box::new(slot) },
            Expansion::Optional(Box::new(Expansion::Repeated(Box::new(Expansion::Alternatives(vec![
                (3.0, word("tea")),
                (1.0, drink),
            ]))))),
        ]);
        assert_eq!(rules.rules["order"], order);
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        let cases = [
            ("<a> = b;", "#JSGF"),
            ("#JSGF V1.0;\n<a> = ;", "line 2"),
            ("#JSGF V1.0;\n<a> = b", "`;`"),
            ("#JSGF V1.0;\n<a> = (b;", "`)`"),
            ("#JSGF V1.0;\n<a> = b;\n<a> = c;", "line 3"),
            ("#JSGF V1.0;\nimport <x.y>;", "imports"),
            ("#JSGF V1.0;\n<a> = {x} b;", "after what it names"),
            ("#JSGF V1.0;\n<a> = /-1/ b;", "at least zero"),
            ("#JSGF V1.0;\n<a = b;", "line 2"),
            ("#JSGF V1.0;\n<a> = b {x;", "`}`"),
            ("#JSGF V1.0;\n<a> = b /* c", "comment"),
            ("#JSGF V1.0;\nb = c;", "begins with its name"),
        ];
        for (source, part) in cases {
            let message = read(source).unwrap_err().to_string();
            assert!(message.contains(part), "{source}: {message}");
        }
        let deep = format!("#JSGF V1.0;\n<a> = {}b{};", "(".repeat(200), ")".repeat(200));
        assert!(read(&deep).unwrap_err().to_string().contains("nested"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(source in "[<>a-c=;|()\\[\\]*+{}/\"0-9. \n]{0,60}") {
            let _ = read(&format!("#JSGF V1.0;\n{source}"));
        }
    }
}
