//! Hides numbers in written words.

use std::ops::Range;

use super::{config::Redaction, written::Written};

/// What is written instead.
const HIDDEN: &str = "****";

/// Digits of a payment card's number.
const CARD_DIGITS: std::ops::RangeInclusive<usize> = 13..=19;

/// Digits of a social security number.
const SSN_DIGITS: usize = 9;

/// Digits at the edge of an utterance that may be a part of a longer number.
const EDGE_DIGITS: usize = 4;

/// Hides what has to be hidden. Returns the number of leading words that later words can't change: a run of digits may
/// go on where the word behind it is not confirmed.
pub(super) fn redact(written: &mut Written, redaction: Redaction) -> usize {
    let mut settled = written.words.len();
    let mut i = 0;
    while i < written.words.len() {
        let run = run_of_digits(written, i);
        if run.is_empty() {
            if redaction.all_numbers && text(written, i).bytes().any(|b| b.is_ascii_digit()) {
                hide(written, i);
            }
            i += 1;
            continue;
        }
        if run.end >= written.confirmed {
            settled = settled.min(run.start);
        }
        let secret = is_secret(written, run.clone(), redaction);
        let end = run.end;
        for word in run {
            if secret || (redaction.numbers && count_digits(text(written, word)) >= 3) {
                hide(written, word);
            }
        }
        i = end;
    }
    settled
}

fn text(written: &Written, index: usize) -> &str {
    written.word_text(&written.words[index])
}

fn digits(text: &str) -> impl DoubleEndedIterator<Item = u32> {
    text.bytes().filter(u8::is_ascii_digit).map(|b| u32::from(b - b'0'))
}

fn count_digits(text: &str) -> usize {
    digits(text).count()
}

/// Words of nothing but digits and the marks between them.
fn run_of_digits(written: &Written, start: usize) -> Range<usize> {
    let is_digits = |i: &usize| {
        let text = text(written, *i);
        count_digits(text) > 0 && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b',' | b'.'))
    };
    let end = (start..written.words.len()).take_while(is_digits).last().map_or(start, |last| last + 1);
    start..end
}

fn is_secret(written: &Written, run: Range<usize>, redaction: Redaction) -> bool {
    let all = || run.clone().flat_map(|i| digits(text(written, i)));
    let count = all().count();
    let at_edge = (run.start == 0 || run.end == written.words.len()) && count >= EDGE_DIGITS;
    redaction.all_numbers
        || (redaction.numbers && count >= 3)
        || (redaction.cards && (at_edge || holds_card(written, run.clone(), count)))
        || (redaction.ssn && (at_edge || count == SSN_DIGITS))
}

/// Whether some of the digits in a row are the number of a card.
fn holds_card(written: &Written, run: Range<usize>, count: usize) -> bool {
    let digit_run = || run.clone().flat_map(|i| digits(text(written, i)));
    CARD_DIGITS
        .filter(|&length| length <= count)
        .any(|length| (0..=count - length).any(|skip| is_luhn(digit_run().skip(skip).take(length), length)))
}

/// The formula of H. P. Luhn: every second digit from the right is doubled, and the sum of all digits ends in zero.
fn is_luhn(digits: impl Iterator<Item = u32>, length: usize) -> bool {
    let sum: u32 = digits
        .enumerate()
        .map(|(place, digit)| if (length - place).is_multiple_of(2) { digit * 2 / 10 + digit * 2 % 10 } else { digit })
        .sum();
    sum.is_multiple_of(10)
}

/// Replaces a word, and moves those behind it.
fn hide(written: &mut Written, index: usize) {
    let span = written.words[index].span.clone();
    written.text.replace_range(span.clone(), HIDDEN);
    let (old, new) = (span.len(), HIDDEN.len());
    written.words[index].span = span.start..span.start + new;
    for word in &mut written.words[index + 1..] {
        word.span = word.span.start + new - old..word.span.end + new - old;
    }
}

#[cfg(test)]
mod tests {
    use super::is_luhn;

    #[test]
    fn check_digits() {
        let valid = |number: &str| is_luhn(number.bytes().map(|b| u32::from(b - b'0')), number.len());
        for number in ["4111111111111111", "378282246310005", "5555555555554444", "79927398713"] {
            assert!(valid(number), "{number}");
        }
        for number in ["4111111111111112", "1234567890123456", "79927398710"] {
            assert!(!valid(number), "{number}");
        }
    }
}
