//! Audio in: files, sample formats and rates.
