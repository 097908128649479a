//! Media types and content negotiation headers.

use http::HeaderMap;

/// Format of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PlanFormat {
    /// Text.
    Text,
    /// JSON.
    Json,
}

/// Options of EXPLAIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PlanOption {
    /// `analyze`
    Analyze,
    /// `verbose`
    Verbose,
    /// `settings`
    Settings,
    /// `buffers`
    Buffers,
    /// `wal`
    Wal,
}

const PLAN_OPTIONS: [(&str, PlanOption); 5] = [
    ("analyze", PlanOption::Analyze),
    ("verbose", PlanOption::Verbose),
    ("settings", PlanOption::Settings),
    ("buffers", PlanOption::Buffers),
    ("wal", PlanOption::Wal),
];

/// A media type this server knows or a database function produces.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MediaType {
    /// `application/json`
    Json,
    /// `application/geo+json`
    GeoJson,
    /// `text/csv`
    Csv,
    /// `text/plain`
    Text,
    /// `text/xml`
    Xml,
    /// `application/openapi+json`
    OpenApi,
    /// `application/x-www-form-urlencoded`
    Form,
    /// `application/octet-stream`
    Octets,
    /// `*/*`
    Any,
    /// Anything else, as it was written.
    Other(String),
    /// `application/vnd.pgrst.array+json;nulls=stripped`
    ArrayStripped,
    /// `application/vnd.pgrst.object+json`, with `nulls=stripped` when true.
    Object { stripped: bool },
    /// `application/vnd.pgrst.plan`
    Plan { of: Box<MediaType>, format: PlanFormat, options: Vec<PlanOption> },
}

impl MediaType {
    /// Reads one media type. What cannot be read is `Other`.
    pub fn parse(text: &str) -> Self {
        let Some((main, sub, params)) = tokenize(text) else { return Self::Other(text.to_owned()) };
        let param = |name: &str| {
            params
                .iter()
                .rev()
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, v)| v.as_str())
        };
        let stripped = param("nulls") == Some("stripped");
        let plan = |format| Self::Plan {
            of: Box::new(Self::parse(param("for").unwrap_or("application/json"))),
            format,
            options: PLAN_OPTIONS
                .iter()
                .filter(|(name, _)| {
                    param("options").unwrap_or_default().split('|').any(|given| given == *name)
                })
                .map(|(_, option)| *option)
                .collect(),
        };
        match (main.to_ascii_lowercase().as_str(), sub.to_ascii_lowercase().as_str()) {
            ("application", "json") => Self::Json,
            ("application", "geo+json") => Self::GeoJson,
            ("text", "csv") => Self::Csv,
            ("text", "plain") => Self::Text,
            ("text", "xml") => Self::Xml,
            ("application", "openapi+json") => Self::OpenApi,
            ("application", "x-www-form-urlencoded") => Self::Form,
            ("application", "octet-stream") => Self::Octets,
            ("application", "vnd.pgrst.plan" | "vnd.pgrst.plan+text") => plan(PlanFormat::Text),
            ("application", "vnd.pgrst.plan+json") => plan(PlanFormat::Json),
            ("application", "vnd.pgrst.object+json" | "vnd.pgrst.object") => {
                Self::Object { stripped }
            }
            ("application", "vnd.pgrst.array+json" | "vnd.pgrst.array") if stripped => {
                Self::ArrayStripped
            }
            ("application", "vnd.pgrst.array+json" | "vnd.pgrst.array") => Self::Json,
            ("*", "*") => Self::Any,
            _ => Self::Other(text.to_owned()),
        }
    }

    /// The name on the wire, without charset.
    pub fn name(&self) -> String {
        let name = match self {
            Self::Json => "application/json",
            Self::GeoJson => "application/geo+json",
            Self::Csv => "text/csv",
            Self::Text => "text/plain",
            Self::Xml => "text/xml",
            Self::OpenApi => "application/openapi+json",
            Self::Form => "application/x-www-form-urlencoded",
            Self::Octets => "application/octet-stream",
            Self::Any => "*/*",
            Self::Other(name) => name,
            Self::ArrayStripped => "application/vnd.pgrst.array+json;nulls=stripped",
            Self::Object { stripped: true } => "application/vnd.pgrst.object+json;nulls=stripped",
            Self::Object { stripped: false } => "application/vnd.pgrst.object+json",
            Self::Plan { of, format, options } => return plan_name(of, *format, options),
        };
        name.to_owned()
    }

    /// `Content-Type` value: text formats carry their charset.
    pub fn content_type(&self) -> String {
        match self {
            Self::Octets | Self::Other(_) => self.name(),
            _ => format!("{}; charset=utf-8", self.name()),
        }
    }

    /// Whether exactly one row is wanted.
    pub fn is_object(&self) -> bool {
        matches!(self, Self::Object { .. })
    }
}

fn plan_name(of: &MediaType, format: PlanFormat, options: &[PlanOption]) -> String {
    let format = match format {
        PlanFormat::Json => "json",
        PlanFormat::Text => "text",
    };
    let names: Vec<&str> = PLAN_OPTIONS
        .iter()
        .filter(|(_, option)| options.contains(option))
        .map(|(name, _)| *name)
        .collect();
    let mut text = format!("application/vnd.pgrst.plan+{format}; for=\"{}\"", of.name());
    if !names.is_empty() {
        text.push_str("; options=");
        text.push_str(&names.join("|"));
    }
    text
}

type Tokens<'a> = (&'a str, &'a str, Vec<(&'a str, String)>);

fn tokenize(text: &str) -> Option<Tokens<'_>> {
    let (main, rest) = text.split_once('/')?;
    let main_fits =
        !main.is_empty() && main.chars().all(|c| c.is_alphanumeric() || ".*".contains(c));
    if !main_fits {
        return None;
    }
    let end =
        rest.find(|c: char| !c.is_alphanumeric() && !".*+-".contains(c)).unwrap_or(rest.len());
    let (sub, mut rest) = rest.split_at_checked(end)?;
    if sub.is_empty() {
        return None;
    }
    let mut params = Vec::new();
    while let Some((param, after)) = parameter(rest) {
        params.push(param);
        rest = after;
    }
    Some((main, sub, params))
}

fn parameter(text: &str) -> Option<((&str, String), &str)> {
    let text = text.trim_start().strip_prefix(';')?.trim_start();
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '-')?;
    let (key, rest) = text.split_at_checked(end)?;
    if key.is_empty() {
        return None;
    }
    let rest = rest.trim_start().strip_prefix('=')?.trim_start();
    if let Some(quoted) = rest.strip_prefix('"') {
        let (value, after) = quoted.split_once('"')?;
        return Some(((key, value.to_owned()), after));
    }
    let end = rest.find(|c: char| !c.is_alphanumeric() && !"|-".contains(c)).unwrap_or(rest.len());
    let (value, after) = rest.split_at_checked(end)?;
    (!value.is_empty()).then(|| ((key, value.to_owned()), after))
}

/// Media types of `Accept`, best first: by quality, then by how specific they are, then as written.
pub fn accepted(headers: &HeaderMap) -> Vec<MediaType> {
    let Some(header) = headers.get("accept") else { return vec![MediaType::Any] };
    let text = String::from_utf8_lossy(header.as_bytes());
    let mut entries: Vec<(String, f32, i32)> = split_outside_quotes(&text)
        .into_iter()
        .map(|entry| {
            let (name, quality) = quality(entry.trim());
            let specificity = match name.split(';').next().unwrap_or_default().trim() {
                "*/*" => 0,
                range if range.ends_with("/*") => 1,
                _ => 2 + i32::try_from(name.matches(';').count()).unwrap_or(0),
            };
            (name, quality, specificity)
        })
        .collect();
    entries.sort_by(|a, b| b.1.total_cmp(&a.1).then(b.2.cmp(&a.2)));
    entries.into_iter().map(|(name, _, _)| MediaType::parse(&name)).collect()
}

fn split_outside_quotes(text: &str) -> Vec<&str> {
    let mut quoted = false;
    text.split(|c| {
        if c == '"' {
            quoted = !quoted;
        }
        c == ',' && !quoted
    })
    .collect()
}

fn quality(entry: &str) -> (String, f32) {
    let mut kept = Vec::new();
    let mut quality = 1.0;
    for part in entry.split(';') {
        match part.trim().strip_prefix("q=").map(str::parse) {
            Some(Ok(value)) => quality = value,
            _ => kept.push(part.trim_end()),
        }
    }
    (kept.join(";"), quality)
}
