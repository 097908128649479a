//! libpq's password file: `host:port:database:user:password`, a line each, `*` for any, a backslash before `:` and `\`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// The password of the first line that fits host, port, database and user.
pub(super) fn password(path: &Path, wanted: [&str; 4]) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    if mode & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "the password file is not used: others may read it");
        return None;
    }
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let mut fields = fields(line);
        let password = (fields.len() == 5).then(|| fields.pop()).flatten()?;
        let fits = |(field, wanted): (&String, &&str)| field == "*" || field == wanted;
        fields.iter().zip(&wanted).all(fits).then_some(password)
    })
}

/// At most five: the password may hold colons.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        let last = fields.len() == 5;
        let Some(field) = fields.last_mut() else { break };
        match c {
            '\\' => field.extend(chars.next()),
            ':' if !last => fields.push(String::new()),
            c => field.push(c),
        }
    }
    fields
}
