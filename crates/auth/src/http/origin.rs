//! Which origins and redirect targets are trusted.
