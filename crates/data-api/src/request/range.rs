//! Row ranges: `Range` headers, `limit` and `offset`.

/// Rows `lower..=upper`; without an upper end all that follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowRange {
    /// First row, zero-based.
    pub lower: i128,
    /// Last row. Below `lower`: empty.
    pub upper: Option<i128>,
}

impl Default for RowRange {
    fn default() -> Self {
        Self::ALL
    }
}

impl RowRange {
    /// Every row.
    pub const ALL: Self = Self { lower: 0, upper: None };
    /// `limit=0`: the only empty range that is allowed.
    pub const LIMIT_ZERO: Self = Self { lower: 0, upper: Some(-1) };

    /// From `lower` on.
    pub fn from(lower: i128) -> Self {
        Self { lower, upper: None }
    }

    /// `count` rows from `lower` on. What passes the largest number ends there: the database refuses it.
    pub fn rows(lower: i128, count: i128) -> Self {
        Self { lower, upper: Some(lower.saturating_add(count.saturating_sub(1))) }
    }

    /// Whether no row can be in it.
    pub fn is_empty(self) -> bool {
        self.upper.is_some_and(|upper| upper < self.lower)
    }

    /// Rows in both.
    pub fn intersection(self, other: Self) -> Self {
        let upper = match (self.upper, other.upper) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Self { lower: self.lower.max(other.lower), upper }
    }

    /// Number of rows, if bounded.
    pub fn limit(self) -> Option<i128> {
        self.upper.map(|upper| upper.saturating_sub(self.lower).saturating_add(1))
    }

    /// At most `limit` rows of it.
    pub fn restricted(self, limit: Option<i128>) -> Self {
        match limit {
            None => self,
            Some(limit) => self.intersection(Self::rows(self.lower, limit)),
        }
    }

    /// Whether it came from `limit=0`.
    pub fn is_limit_zero(self) -> bool {
        self.upper == Some(-1)
    }

    /// Reads a `Range` header (`from-to`, `from-`). Anything else is every row, as RFC 9110 lets a server ignore it.
    pub fn parse_header(text: &str) -> Self {
        let parsed = text.split_once('-').and_then(|(from, to)| {
            let digits = |s: &str| s.chars().all(|c| c.is_ascii_digit());
            if from.is_empty() || !digits(from) || !digits(to) {
                return None;
            }
            let lower = from.parse().ok()?;
            let upper = if to.is_empty() { None } else { Some(to.parse().ok()?) };
            Some(Self { lower, upper })
        });
        parsed.unwrap_or(Self::ALL)
    }
}
