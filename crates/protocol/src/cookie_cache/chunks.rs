use crate::cookie::{Cookies, Presented, SetCookie};

/// The whole header's value, a little under what Safari takes.
const LARGEST: usize = 4050;
/// More parts than that do not belong into cookies.
const MOST: usize = 100;

/// A cookie as it is, or cut into `name.0`, `name.1`, … when it is too large for browsers; nothing
/// when even a hundred parts do not hold it.
#[must_use]
pub fn split(cookie: SetCookie) -> Vec<SetCookie> {
    let empty =
        SetCookie { name: format!("{}.99", cookie.name), value: String::new(), ..cookie.clone() };
    let room = LARGEST.saturating_sub(empty.to_string().len());
    if cookie.value.len() <= room {
        return vec![cookie];
    }
    if room == 0 || cookie.value.len().div_ceil(room) > MOST {
        return Vec::new();
    }
    let parts = cookie.value.as_bytes().chunks(room).enumerate();
    parts
        .map(|(index, part)| SetCookie {
            name: format!("{}.{index}", cookie.name),
            // Values of the cache are ASCII.
            value: String::from_utf8_lossy(part).into_owned(),
            ..cookie.clone()
        })
        .collect()
}

/// The value presented under `name`, or put together from its parts.
#[must_use]
pub fn join(cookies: &Cookies<'_>, name: &str) -> Option<String> {
    match cookies.get(name) {
        Presented::One(value) if !value.is_empty() => return Some(value.to_owned()),
        Presented::Ambiguous(_) => return None,
        Presented::None | Presented::One(_) => {}
    }
    let mut parts: Vec<(usize, &str)> =
        cookies.iter().filter_map(|(other, part)| Some((index(name, other)?, part))).collect();
    parts.sort_unstable_by_key(|(index, _)| *index);
    // All of them, each once.
    let whole = parts.iter().enumerate().all(|(expected, (index, _))| expected == *index);
    (whole && !parts.is_empty()).then(|| parts.into_iter().map(|(_, part)| part).collect())
}

/// The names under which a browser holds `name` or parts of it: what to delete with it.
#[must_use]
pub fn chunk_names(cookies: &Cookies<'_>, name: &str) -> Vec<String> {
    let mut names: Vec<String> = cookies
        .iter()
        .filter(|(other, _)| *other == name || index(name, other).is_some())
        .map(|(other, _)| other.to_owned())
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The number of a part, in its one spelling.
fn index(name: &str, part: &str) -> Option<usize> {
    let text = part.strip_prefix(name)?.strip_prefix('.')?;
    let index: usize = text.parse().ok()?;
    (index < MOST && index.to_string() == text).then_some(index)
}
