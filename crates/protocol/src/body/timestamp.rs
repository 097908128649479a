use chrono::{DateTime, Datelike, SecondsFormat, Timelike, Utc};
use serde::{Serialize, Serializer};

/// A time on the wire: ISO 8601 in UTC with exactly three digits of milliseconds and `Z`, as
/// JavaScript writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp(pub DateTime<Utc>);

impl Timestamp {
    /// The 24 ASCII bytes, for years of four digits.
    fn ascii(self) -> Option<[u8; 24]> {
        let time = self.0;
        let year = u32::try_from(time.year()).ok().filter(|&year| year < 10_000)?;
        let mut text = *b"0000-00-00T00:00:00.000Z";
        // A leap second is a second like others to JavaScript.
        let milliseconds = (time.nanosecond() / 1_000_000).min(999);
        let fields = [
            (0, 4, year),
            (5, 2, time.month()),
            (8, 2, time.day()),
            (11, 2, time.hour()),
            (14, 2, time.minute()),
            (17, 2, time.second()),
            (20, 3, milliseconds),
        ];
        for (start, length, mut value) in fields {
            for digit in text.get_mut(start..start + length)?.iter_mut().rev() {
                *digit = b'0' + u8::try_from(value % 10).ok()?;
                value /= 10;
            }
        }
        Some(text)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ascii = self.ascii();
        match ascii.as_ref().and_then(|text| std::str::from_utf8(text).ok()) {
            Some(text) => serializer.serialize_str(text),
            None => serializer.serialize_str(&self.0.to_rfc3339_opts(SecondsFormat::Millis, true)),
        }
    }
}
