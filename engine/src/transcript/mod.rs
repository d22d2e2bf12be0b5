//! Tokens to words, words to interim and final text.
