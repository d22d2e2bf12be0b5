//! Phrases that are not finished: who says "with" or "forty" is likely to go on.

/// English words after which something follows: articles, prepositions, conjunctions, possessives, auxiliaries and
/// fillers.
const LEADING: &[&str] = &[
    "a", "an", "the", "my", "your", "his", "her", "its", "our", "their", "this", "these", "those", "some", "any",
    "every", "each", "of", "to", "for", "with", "without", "in", "on", "at", "by", "from", "into", "about", "than",
    "as", "and", "or", "but", "because", "if", "when", "while", "so", "then", "plus", "extra", "is", "are", "was",
    "were", "am", "i'm", "i'd", "i'll", "i've", "we'd", "we'll", "it's", "that's", "can", "could", "would", "should",
    "will", "may", "might", "get", "give", "have", "has", "had", "i", "we", "he", "she", "they", "which", "um", "uh",
    "er", "erm", "hmm", "dot", "dash", "point", "comma",
];

/// English words of numbers, which come in groups.
const NUMBERS: &[&str] = &[
    "zero",
    "oh",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
    "thirty",
    "forty",
    "fifty",
    "sixty",
    "seventy",
    "eighty",
    "ninety",
    "hundred",
    "thousand",
    "million",
    "double",
    "triple",
];

/// Whether an English utterance that ends in this word is likely to go on: it is a word that leads to another, part of
/// a number, or a single letter of a spelling.
pub fn is_unfinished(last_word: &str) -> bool {
    let is = |word: &&str| word.eq_ignore_ascii_case(last_word);
    let letter = last_word.len() == 1 && last_word.bytes().all(|byte| byte.is_ascii_alphanumeric());
    letter || LEADING.iter().any(&is) || NUMBERS.iter().any(&is)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_lead_on_are_known() {
        for word in ["with", "the", "And", "twenty", "OH", "b", "7", "i'd"] {
            assert!(is_unfinished(word), "{word}");
        }
        for word in ["", "please", "coffee", "thanks", "no", "yes", "ones", "é"] {
            assert!(!is_unfinished(word), "{word}");
        }
    }
}
