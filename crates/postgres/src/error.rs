use std::{io, path::PathBuf};

/// Why Postgres is not reachable, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database URL cannot be read. The text never repeats the URL: it may hold a password.
    #[error(
        "the database URL is not valid: {0}; expected postgres://user:password@host:5432/database?sslmode=require"
    )]
    Url(String),
    /// The trusted certificates cannot be used.
    #[error("TLS to Postgres cannot be set up: {0}")]
    Tls(String),
    /// Postgres refused the connection or a statement.
    #[error("Postgres: {}", chain(.0))]
    Postgres(#[from] tokio_postgres::Error),
    /// It is not one of those that `target_session_attrs` asks for.
    #[error("Postgres: the server is not {0}, as target_session_attrs asks")]
    SessionAttributes(&'static str),
    /// No answer in time.
    #[error(
        "Postgres did not answer within {0} s; check that host and port are right and reachable"
    )]
    Timeout(u64),
    /// A file of the data directory or the cache.
    #[error("{}: {source}", path.display())]
    File {
        /// What was touched.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No usable PostgreSQL on this machine, and none could be fetched.
    #[error(
        "no PostgreSQL {wanted} found on this machine, and none could be fetched ({reason}). Install one (apt-get install \
         postgresql, apk add postgresql, brew install postgresql@17), or give the URL of a running one with --database-url"
    )]
    NoBinaries {
        /// The majors that would do.
        wanted: String,
        /// Why fetching failed.
        reason: String,
    },
    /// The downloaded archive is not the one this version of Gatepost was made for.
    #[error(
        "the downloaded PostgreSQL archive is not the expected one (sha512 is {got}, expected {expected}) and was discarded; check \
         which registry npm uses"
    )]
    Integrity {
        /// The pinned digest, in npm's notation.
        expected: String,
        /// The digest of what came.
        got: String,
    },
    /// Root cannot run Postgres here.
    #[error(
        "Postgres refuses to run as root, and user {user} cannot reach {}; choose a data directory such as /var/lib/gatepost, or run as a \
         normal user", path.display()
    )]
    Unreachable {
        /// The user that Postgres would run as.
        user: String,
        /// The directory it cannot enter.
        path: PathBuf,
    },
    /// Root, and no user in the password database to become.
    #[error(
        "Postgres refuses to run as root, and none of the users postgres, daemon and nobody exists here; run as a normal user"
    )]
    NoUser,
    /// A data directory made under another way of running as root.
    #[error(
        "{} belongs to root, and user namespaces, with which it was made, are not available here; give it to user {user} with \
         chown -R, or run as a normal user", path.display()
    )]
    NoUserNamespace {
        /// The user that Postgres would run as.
        user: String,
        /// The cluster.
        path: PathBuf,
    },
    /// The directory for the socket belongs to somebody else.
    #[error("{} is not a directory of ours with mode 0700; remove it, or choose a shorter data directory", .0.display())]
    SocketDirectory(PathBuf),
    /// `initdb` failed.
    #[error("initdb failed: {0}")]
    InitDb(String),
    /// Postgres did not come up.
    #[error("Postgres did not start: {reason}; its log is {}{tail}", log.display())]
    NotStarted {
        /// What happened.
        reason: String,
        /// The log file.
        log: PathBuf,
        /// Its last lines.
        tail: String,
    },
    /// A program that this crate needs could not be run.
    #[error("{program} could not be run: {source}")]
    Run {
        /// Its name.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// A template database for tests could not be filled.
    #[error("the template database could not be prepared: {0}")]
    Template(String),
    /// The hidden subcommand was called by hand.
    #[error("this subcommand is internal: it is not meant to be called by hand")]
    Hidden,
}

/// The message of an error and of what lies below it: Postgres' own words are at the bottom.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}

/// Names the file in an I/O error.
pub(crate) fn at(path: &std::path::Path) -> impl FnOnce(io::Error) -> Error + '_ {
    move |source| Error::File { path: path.to_owned(), source }
}
