//! A small parser with the error wording clients of PostgREST see: position, what was found, what was expected.

/// A parse failure: the furthest place reached and what would have fitted there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Zero-based index of the character, in characters.
    pub position: usize,
    /// Found, already quoted; `None` at the end of the input.
    pub found: Option<String>,
    /// Labels in the order they were tried.
    pub expected: Vec<&'static str>,
}

impl ParseError {
    /// `unexpected … expecting a, b or c`.
    pub fn details(&self) -> String {
        let mut text = match &self.found {
            Some(found) => format!("unexpected {found}"),
            None => "unexpected end of input".to_owned(),
        };
        if let Some((last, others)) = self.expected.split_last() {
            text.push_str(" expecting ");
            if !others.is_empty() {
                text.push_str(&others.join(", "));
                text.push_str(" or ");
            }
            text.push_str(last);
        }
        text
    }
}

/// Marker: this alternative did not match. The reason is in the parser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMatch;

/// Result of one rule.
pub type Parsed<T> = Result<T, NoMatch>;

/// Characters with a position and the furthest failure so far.
pub struct Parser {
    chars: Vec<char>,
    position: usize,
    furthest: usize,
    expected: Vec<&'static str>,
    as_char: bool,
}

impl Parser {
    /// At the start of `text`.
    pub fn new(text: &str) -> Self {
        Self {
            chars: text.chars().collect(),
            position: 0,
            furthest: 0,
            expected: Vec::new(),
            as_char: false,
        }
    }

    /// The next character.
    pub fn peek(&self) -> Option<char> {
        self.chars.get(self.position).copied()
    }

    /// Where the parser stands.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Goes back.
    pub fn reset(&mut self, position: usize) {
        self.position = position;
    }

    /// Records that `label` would have fitted here.
    pub fn expect(&mut self, label: &'static str) {
        self.expect_at(self.position, label, false);
    }

    fn expect_at(&mut self, position: usize, label: &'static str, as_char: bool) {
        if position > self.furthest {
            self.furthest = position;
            self.expected.clear();
            self.as_char = false;
        }
        if position == self.furthest {
            self.as_char |= as_char;
            if !self.expected.contains(&label) {
                self.expected.push(label);
            }
        }
    }

    /// Fails here, naming what would have fitted.
    pub fn fail<T>(&mut self, label: &'static str) -> Parsed<T> {
        self.expect(label);
        Err(NoMatch)
    }

    /// Takes `c`.
    pub fn char(&mut self, c: char, label: &'static str) -> Parsed<()> {
        if self.peek() == Some(c) {
            self.position += 1;
            return Ok(());
        }
        self.fail(label)
    }

    /// Takes `text` or nothing.
    pub fn string(&mut self, text: &str, label: &'static str) -> Parsed<()> {
        let end = self.position + text.chars().count();
        if self
            .chars
            .get(self.position..end)
            .is_some_and(|found| found.iter().copied().eq(text.chars()))
        {
            self.position = end;
            return Ok(());
        }
        self.fail(label)
    }

    /// Takes `text` in any case, or nothing.
    pub fn string_any_case(&mut self, text: &str) -> bool {
        let end = self.position + text.chars().count();
        let fits = self.chars.get(self.position..end).is_some_and(|found| {
            found.iter().zip(text.chars()).all(|(a, b)| a.eq_ignore_ascii_case(&b))
        });
        if fits {
            self.position = end;
        }
        fits
    }

    /// Whether `text` comes next.
    pub fn looking_at(&self, text: &str) -> bool {
        let end = self.position + text.chars().count();
        self.chars
            .get(self.position..end)
            .is_some_and(|found| found.iter().copied().eq(text.chars()))
    }

    /// Takes characters while `keep`.
    pub fn take_while(&mut self, keep: impl Fn(char) -> bool) -> String {
        let mut taken = String::new();
        while let Some(c) = self.peek().filter(|c| keep(*c)) {
            taken.push(c);
            self.position += 1;
        }
        taken
    }

    /// Takes the next character, whatever it is.
    pub fn any(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.position += 1;
        Some(c)
    }

    /// Takes all that is left.
    pub fn rest(&mut self) -> String {
        self.take_while(|_| true)
    }

    /// Blanks and tabs.
    pub fn blanks(&mut self) {
        self.take_while(|c| c == ' ' || c == '\t');
    }

    /// Runs `rule`; on failure goes back, so that the next alternative starts here.
    pub fn attempt<T>(&mut self, rule: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        let start = self.position;
        let result = rule(self);
        if result.is_err() {
            self.position = start;
        }
        result
    }

    /// The end of the input.
    pub fn end(&mut self) -> Parsed<()> {
        if self.position == self.chars.len() {
            return Ok(());
        }
        self.expect_at(self.position, "end of input", true);
        Err(NoMatch)
    }

    /// Runs `rule` over the whole of `text`, which must be used up when `whole`.
    pub fn parse<T>(
        text: &str,
        whole: bool,
        rule: impl FnOnce(&mut Parser) -> Parsed<T>,
    ) -> Result<T, ParseError> {
        let mut parser = Self::new(text);
        let result = rule(&mut parser);
        let result = match result {
            Ok(value) if whole && parser.end().is_err() => {
                drop(value);
                Err(NoMatch)
            }
            other => other,
        };
        result.map_err(|NoMatch| parser.error())
    }

    fn error(self) -> ParseError {
        let found = self.chars.get(self.furthest).map(|c| {
            if self.as_char { format!("'{c}'") } else { format!("\"{}\"", c.escape_default()) }
        });
        ParseError { position: self.furthest, found, expected: self.expected }
    }
}
