/// More cookies than any browser sends to one site; the rest is ignored.
const MOST: usize = 256;

/// The cookies of a request, in the order they came.
#[derive(Clone, Debug, Default)]
pub struct Cookies<'request> {
    pairs: Vec<(&'request str, &'request str)>,
}

/// What a request presents under one cookie name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presented<'request> {
    /// No such cookie.
    None,
    /// One cookie.
    One(&'request str),
    /// Several cookies of this name, in order: nobody can say which one is ours (SE-05).
    Ambiguous(Vec<&'request str>),
}

impl<'request> Presented<'request> {
    /// The single cookie, or nothing if there is none or if there are several.
    #[must_use]
    pub fn one(&self) -> Option<&'request str> {
        match self {
            Self::One(value) => Some(value),
            Self::None | Self::Ambiguous(_) => None,
        }
    }
}

impl<'request> Cookies<'request> {
    /// Reads the `Cookie` headers of a request (RFC 6265 section 5.4, tolerant as Better Auth is):
    /// `;` with or without a space, quotes around a value are dropped, a pair with an impossible
    /// name or value is skipped.
    #[must_use]
    pub fn parse(headers: impl Iterator<Item = &'request str>) -> Self {
        let pairs = headers.flat_map(|header| header.split(';')).filter_map(pair).take(MOST);
        Self { pairs: pairs.collect() }
    }

    /// Whether no cookie was presented.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// What is presented under `name`. Names are compared byte by byte: `__Secure-x` is not `x` (SE-02).
    #[must_use]
    pub fn get(&self, name: &str) -> Presented<'request> {
        let mut values = self.pairs.iter().filter(|(other, _)| *other == name).map(|pair| pair.1);
        match (values.next(), values.next()) {
            (None, _) => Presented::None,
            (Some(value), None) => Presented::One(value),
            (Some(first), Some(second)) => {
                Presented::Ambiguous([first, second].into_iter().chain(values).collect())
            }
        }
    }

    /// Every name and value, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'request str, &'request str)> {
        self.pairs.iter().copied()
    }
}

fn pair(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_once('=')?;
    let name = name.trim_matches([' ', '\t']);
    let value = value.trim_matches([' ', '\t']);
    let value = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
    let named = !name.is_empty() && name.bytes().all(is_token);
    (named && value.bytes().all(is_value)).then_some((name, value))
}

/// RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// RFC 6265 section 4.1.1, and the space and comma that browsers send.
fn is_value(byte: u8) -> bool {
    (0x20..0x7f).contains(&byte) && !b"\";\\".contains(&byte)
}
