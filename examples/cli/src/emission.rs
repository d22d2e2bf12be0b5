//! How long after its end a word is shown.
//!
//! A word counts as shown at the first interim or final that has it at its place with the text of the final. Its
//! latency is that moment less the end of the word as the recognizer estimates it; with early estimates it can be
//! negative. The moment is on the clock of the caller: the position in the audio at the end of the push that brought
//! the event (what the model waits for, without computing time), or the time since the audio began (all of it).

use std::time::Duration;

/// Latencies of words and finals, in milliseconds.
#[derive(Clone, Debug, Default)]
pub struct Emissions {
    /// Words of the running utterance and when they were first shown.
    shown: Vec<(String, Duration)>,
    /// From the end of each word until it was shown.
    pub words: Vec<f64>,
    /// From the end of the last word of each utterance until its final.
    pub finals: Vec<f64>,
}

impl Emissions {
    /// Notes an interim with the texts of its words.
    pub fn interim<'a>(&mut self, words: impl IntoIterator<Item = &'a str>, now: Duration) {
        let mut count = 0;
        for (i, word) in words.into_iter().enumerate() {
            match self.shown.get_mut(i) {
                None => self.shown.push((word.to_owned(), now)),
                Some((text, at)) if text != word => {
                    *at = now;
                    text.clear();
                    text.push_str(word);
                }
                Some(_) => {}
            }
            count = i + 1;
        }
        self.shown.truncate(count);
    }

    /// Notes a final with the texts and ends of its words. Words shown beyond it belong to the next utterance.
    pub fn final_<'a>(&mut self, words: impl IntoIterator<Item = (&'a str, Duration)>, now: Duration) {
        let mut last = None;
        let mut count = 0;
        for (word, end) in words {
            let at = self.shown.get(count).filter(|(text, _)| text == word).map_or(now, |&(_, at)| at);
            self.words.push(difference_ms(at, end));
            last = Some(end);
            count += 1;
        }
        self.shown.drain(..count.min(self.shown.len()));
        self.finals.extend(last.map(|end| difference_ms(now, end)));
    }
}

fn difference_ms(later: Duration, earlier: Duration) -> f64 {
    (later.as_secs_f64() - earlier.as_secs_f64()) * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    fn rounded(values: &[f64]) -> Vec<i64> {
        values.iter().map(|value| value.round() as i64).collect()
    }

    #[test]
    fn a_word_is_shown_when_it_has_its_final_text() {
        let mut emissions = Emissions::default();
        emissions.interim(["app"], ms(500));
        emissions.interim(["apple", "pi"], ms(700));
        emissions.interim(["apple", "pie"], ms(1000));
        emissions.final_([("apple", ms(600)), ("pie", ms(900)), ("please", ms(1300))], ms(1500));
        assert_eq!(rounded(&emissions.words), [100, 100, 200]);
        assert_eq!(rounded(&emissions.finals), [200]);
    }

    #[test]
    fn utterances_do_not_mix() {
        let mut emissions = Emissions::default();
        emissions.interim(["one", "two"], ms(100));
        emissions.final_([("one", ms(50))], ms(200));
        emissions.interim(["two", "three"], ms(400));
        emissions.final_([("two", ms(150)), ("three", ms(450))], ms(500));
        assert_eq!(rounded(&emissions.words), [50, -50, -50]);
        assert_eq!(rounded(&emissions.finals), [150, 50]);
        emissions.final_([], ms(900));
        assert_eq!(emissions.finals.len(), 2);
    }

    #[test]
    fn a_word_that_vanished_is_shown_again() {
        let mut emissions = Emissions::default();
        emissions.interim(["a", "b"], ms(100));
        emissions.interim(["a"], ms(200));
        emissions.interim(["a", "b"], ms(300));
        emissions.final_([("a", ms(0)), ("b", ms(0))], ms(400));
        assert_eq!(rounded(&emissions.words), [100, 300]);
    }
}
