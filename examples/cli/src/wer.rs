//! Word error rate: how a hypothesis differs from what was said.
//!
//! Both sides are normalized first ([`normalize`]), so that case and punctuation don't count. The difference is the
//! least number of words to substitute, insert and delete (Levenshtein 1966); of several least alignments the one with
//! the most substitutions is counted.

use serde::Serialize;

/// The words of a text as they are scored: lower case; punctuation removed, except that a hyphen, dash or slash
/// separates words and an apostrophe stays; a typographic apostrophe becomes `'`. Words without a letter or digit are
/// dropped.
pub fn normalize(text: &str) -> Vec<String> {
    let mut flat = String::with_capacity(text.len());
    for c in text.chars().flat_map(char::to_lowercase) {
        match c {
            '\'' | '\u{2019}' | '\u{02bc}' => flat.push('\''),
            '-' | '/' | '\u{2010}'..='\u{2015}' => flat.push(' '),
            c if c.is_alphanumeric() || is_mark(c) || c.is_whitespace() => flat.push(c),
            _ => {}
        }
    }
    flat.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).map(str::to_owned).collect()
}

/// Combining marks belong to the letter before them.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{0300}'..='\u{036f}')
}

/// Errors of a set of hypotheses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Errors {
    /// Words of the references.
    pub words: usize,
    /// Words heard as another.
    pub substitutions: usize,
    /// Words heard that were not said.
    pub insertions: usize,
    /// Words said that were not heard.
    pub deletions: usize,
    /// Utterances.
    pub sentences: usize,
    /// Utterances with at least one error.
    pub wrong_sentences: usize,
}

impl Errors {
    /// Compares one utterance.
    pub fn of(reference: &str, hypothesis: &str) -> Self {
        let (said, heard) = (normalize(reference), normalize(hypothesis));
        let edits = align(&said, &heard);
        Self {
            words: said.len(),
            substitutions: edits.substitutions,
            insertions: edits.insertions,
            deletions: edits.deletions,
            sentences: 1,
            wrong_sentences: usize::from(edits.cost() > 0),
        }
    }

    /// Adds the errors of another set.
    pub fn add(&mut self, other: &Self) {
        self.words += other.words;
        self.substitutions += other.substitutions;
        self.insertions += other.insertions;
        self.deletions += other.deletions;
        self.sentences += other.sentences;
        self.wrong_sentences += other.wrong_sentences;
    }

    /// Word error rate in percent. May exceed 100; without a reference word it is 0.
    pub fn word_rate(&self) -> f64 {
        percent(self.substitutions + self.insertions + self.deletions, self.words)
    }

    /// Share of utterances with an error, in percent.
    pub fn sentence_rate(&self) -> f64 {
        percent(self.wrong_sentences, self.sentences)
    }
}

fn percent(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 }
}

/// Which words of `hypothesis` are right in a least alignment with `reference`. Words that normalize to nothing, or to
/// several, count as right when all of them do.
pub fn right_words(reference: &str, hypothesis: &[String]) -> Vec<bool> {
    let said = normalize(reference);
    let heard: Vec<Vec<String>> = hypothesis.iter().map(|word| normalize(word)).collect();
    let flat: Vec<&String> = heard.iter().flatten().collect();
    let said: Vec<&String> = said.iter().collect();
    let mut right = matches(&said, &flat).into_iter();
    heard.iter().map(|parts| right.by_ref().take(parts.len()).filter(|one| !one).count() == 0).collect()
}

/// Which of `heard` are matched in a least alignment with `said`.
fn matches<T: PartialEq>(said: &[T], heard: &[T]) -> Vec<bool> {
    let width = heard.len() + 1;
    let mut cost: Vec<usize> = (0..width).collect();
    cost.resize(width * (said.len() + 1), 0);
    for (i, word) in said.iter().enumerate() {
        let (above, row) = cost[i * width..(i + 2) * width].split_at_mut(width);
        row[0] = i + 1;
        for (j, other) in heard.iter().enumerate() {
            row[j + 1] = (above[j] + usize::from(word != other)).min(row[j] + 1).min(above[j + 1] + 1);
        }
    }
    let mut matched = vec![false; heard.len()];
    let (mut i, mut j) = (said.len(), heard.len());
    while i > 0 && j > 0 {
        let same = said[i - 1] == heard[j - 1];
        let here = cost[i * width + j];
        if here == cost[(i - 1) * width + j - 1] + usize::from(!same) {
            matched[j - 1] = same;
            (i, j) = (i - 1, j - 1);
        } else if here == cost[i * width + j - 1] + 1 {
            j -= 1;
        } else {
            i -= 1;
        }
    }
    matched
}

/// The edits of one alignment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Edits {
    substitutions: usize,
    insertions: usize,
    deletions: usize,
}

impl Edits {
    fn cost(&self) -> usize {
        self.substitutions + self.insertions + self.deletions
    }
}

/// The least edits from `said` to `heard`, row by row over `said`.
fn align<T: PartialEq>(said: &[T], heard: &[T]) -> Edits {
    let mut row: Vec<Edits> = (0..=heard.len()).map(|insertions| Edits { insertions, ..Edits::default() }).collect();
    for (i, word) in said.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = Edits { deletions: i + 1, ..Edits::default() };
        for (j, other) in heard.iter().enumerate() {
            let mut best = diagonal;
            best.substitutions += usize::from(word != other);
            let mut inserted = row[j];
            inserted.insertions += 1;
            let mut deleted = row[j + 1];
            deleted.deletions += 1;
            for candidate in [inserted, deleted] {
                if candidate.cost() < best.cost() {
                    best = candidate;
                }
            }
            diagonal = row[j + 1];
            row[j + 1] = best;
        }
    }
    row[heard.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edits(said: &str, heard: &str) -> (usize, usize, usize) {
        let e = Errors::of(said, heard);
        (e.substitutions, e.insertions, e.deletions)
    }

    #[test]
    fn counts_each_kind_of_error() {
        assert_eq!(edits("a b c", "a b c"), (0, 0, 0));
        assert_eq!(edits("a b c", "a x c"), (1, 0, 0));
        assert_eq!(edits("a b c", "a b c d"), (0, 1, 0));
        assert_eq!(edits("a b c", "b c"), (0, 0, 1));
        assert_eq!(edits("a b c", ""), (0, 0, 3));
        assert_eq!(edits("", "a b"), (0, 2, 0));
        assert_eq!(edits("", ""), (0, 0, 0));
        assert_eq!(edits("one two three four", "two three for five"), (1, 1, 1));
    }

    #[test]
    fn says_which_words_are_right() {
        let right = |said: &str, heard: &str| {
            let heard: Vec<String> = heard.split(' ').map(str::to_owned).collect();
            right_words(said, &heard)
        };
        assert_eq!(right("one two three", "one too three"), [true, false, true]);
        assert_eq!(right("one two", "uh one two"), [false, true, true]);
        assert_eq!(right("one two three", "three"), [true]);
        assert_eq!(right("twenty one", "Twenty-one!"), [true]);
        assert_eq!(right("twenty two", "twenty-one"), [false]);
        assert_eq!(right("", "a"), [false]);
        // As many as the least alignment has.
        for (said, heard) in [("a b c d e", "b x d d e"), ("a a a", "a"), ("x y", "y x y x")] {
            let errors = Errors::of(said, heard);
            let found = right(said, heard).iter().filter(|&&right| right).count();
            assert_eq!(found, errors.words - errors.substitutions - errors.deletions, "{said} / {heard}");
        }
    }

    #[test]
    fn normalization_ignores_case_and_punctuation() {
        assert_eq!(normalize("Hello, WORLD!"), ["hello", "world"]);
        assert_eq!(normalize("twenty-one \u{2014} and/or"), ["twenty", "one", "and", "or"]);
        assert_eq!(normalize("don\u{2019}t 'quote' ' ..."), ["don't", "'quote'"]);
        assert_eq!(normalize("\u{c9}t\u{e9} 3.5"), ["\u{e9}t\u{e9}", "35"]);
        assert!(normalize(" \t-").is_empty());
    }

    #[test]
    fn rates_are_over_words_and_sentences() {
        let mut sum = Errors::of("a b c d", "a b c");
        sum.add(&Errors::of("e f g h", "e f g h"));
        assert_eq!(sum.word_rate(), 12.5);
        assert_eq!(sum.sentence_rate(), 50.0);
        assert_eq!(Errors::default().word_rate(), 0.0);
        assert_eq!(Errors::of("a", "b c d").word_rate(), 300.0);
    }

    /// The distance by its definition, exponential in the lengths.
    fn distance(said: &[u8], heard: &[u8]) -> usize {
        match (said, heard) {
            ([], rest) | (rest, []) => rest.len(),
            ([a, said_rest @ ..], [b, heard_rest @ ..]) => {
                let changed = distance(said_rest, heard_rest) + usize::from(a != b);
                changed.min(distance(said_rest, heard) + 1).min(distance(said, heard_rest) + 1)
            }
        }
    }

    #[test]
    fn the_alignment_is_the_cheapest() {
        // All pairs of sequences of up to five of two symbols.
        let all: Vec<Vec<u8>> = (0..=5_u32)
            .flat_map(|length| {
                (0..1_u32 << length).map(move |bits| (0..length).map(|i| (bits >> i & 1) as u8).collect())
            })
            .collect();
        for said in &all {
            for heard in &all {
                let found = align(said, heard);
                assert_eq!(found.cost(), distance(said, heard), "{said:?} {heard:?}");
                assert_eq!(said.len() + found.insertions, heard.len() + found.deletions);
            }
        }
    }
}
