//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use clap_complete::Shell;

/// A release sets `GATEPOST_VERSION` while building, as `0.1.0 (commit)`.
const VERSION: &str = match option_env!("GATEPOST_VERSION") {
    Some(version) => version,
    None => env!("CARGO_PKG_VERSION"),
};

/// Authentication for any Postgres, in one binary.
#[derive(Debug, Parser)]
#[command(name = "gatepost", version = VERSION, propagate_version = true, max_term_width = 100)]
pub(crate) struct Args {
    /// Settings file [default: $GATEPOST_CONFIG, else ./gatepost.toml if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run everything for development: a private Postgres, test users, an inbox for mail
    Dev(Dev),
    /// Run the server
    Serve,
    /// Bring the database to the schema of this version
    Migrate {
        /// Print the SQL and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Serve tables over HTTP as PostgREST does, advise on them, print their types
    DataApi(DataApi),
    /// Create, list and repair users
    #[command(subcommand)]
    User(UserCommand),
    /// Make, list, verify and delete API keys
    #[command(subcommand)]
    ApiKey(ApiKeyCommand),
    /// List and rotate the keys that sign tokens
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Look at the mails
    #[command(subcommand)]
    Mail(MailCommand),
    /// Check, show and explain settings
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print completions for a shell
    Completions { shell: Shell },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Dev {
    /// Where to listen; when taken, the next free port is used
    #[arg(long, default_value_t = 4000)]
    pub(crate) port: u16,

    /// Where Postgres and the development secret are kept
    #[arg(long, value_name = "DIR", default_value = "./.gatepost")]
    pub(crate) data_dir: PathBuf,

    /// Use this Postgres (14 or newer) instead of a private one
    #[arg(long, value_name = "URL")]
    pub(crate) database_url: Option<String>,

    /// Print one JSON object per line
    #[arg(long)]
    pub(crate) json: bool,

    /// The npm registry from which Postgres is downloaded, should none be installed [env: GATEPOST_NPM_REGISTRY]
    #[arg(long, value_name = "URL")]
    pub(crate) npm_registry: Option<String>,
}

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct DataApi {
    #[command(subcommand)]
    pub(crate) command: Option<DataApiCommand>,

    /// Print an example configuration file
    #[arg(short, long, conflicts_with_all = ["dump_config", "dump_schema", "ready"])]
    pub(crate) example: bool,

    /// Print the settings in force, secrets included
    #[arg(long, conflicts_with_all = ["dump_schema", "ready"])]
    pub(crate) dump_config: bool,

    /// Print what is known of the database's schemas, as JSON
    #[arg(long, conflicts_with = "ready")]
    pub(crate) dump_schema: bool,

    /// Ask the admin server of a running Data API with this configuration whether it is ready
    #[arg(long)]
    pub(crate) ready: bool,

    /// PostgREST's configuration file; `PGRST_*` variables win over it
    #[arg(value_name = "CONF")]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DataApiCommand {
    /// Name tables, views, policies and keys that are unsafe or slow, each with the SQL that mends it
    ///
    /// Changes nothing. Exits with 1 when there are findings.
    Advise(Inspected),
    /// Print the types of tables, views, functions and enums for a client
    Types {
        /// Language of the client
        #[arg(long)]
        lang: Language,
        #[command(flatten)]
        inspected: Inspected,
    },
}

/// What is looked at.
#[derive(Debug, clap::Args)]
pub(crate) struct Inspected {
    /// Postgres [default: $DATABASE_URL, else `database_url` of the settings file]
    #[arg(long, value_name = "URL")]
    pub(crate) database_url: Option<String>,

    /// Schemas to look at; may be repeated
    #[arg(long = "schema", value_name = "NAME", num_args = 1.., default_value = "public")]
    pub(crate) schemas: Vec<String>,
}

/// Languages for which there are types.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Language {
    /// The `Database` type of `postgrest-js`, `supabase-js` and `neon-js`
    Typescript,
    /// Structs with serde
    Rust,
}

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Create a user
    Create {
        /// Email address
        email: String,
        /// Name; without it, what stands before the @
        #[arg(long)]
        name: Option<String>,
        /// Read the password from standard input; without it the user has none and can ask for a reset link
        #[arg(long)]
        password_stdin: bool,
        /// The address needs no proof
        #[arg(long)]
        verified: bool,
        /// Give the role `admin`
        #[arg(long)]
        admin: bool,
    },
    /// List users, oldest first
    List {
        /// Print one JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Read an outside provider's list of users and bring `neon_auth.users_sync` in step with it
    Sync {
        /// The name under `[users_sync.sources]`; without it, every source that has an `api_key`
        source: Option<String>,
    },
    /// Set a user's password, read from standard input, and end all sessions
    SetPassword {
        /// Email address
        email: String,
    },
    /// Give a user another role; the last administrator stays one
    SetRole {
        /// Email address
        email: String,
        /// A role, or several with commas
        role: String,
    },
    /// Shut a user out and end all sessions
    Ban {
        /// Email address
        email: String,
        /// Shown to administrators
        #[arg(long)]
        reason: Option<String>,
        /// Hours after which the user may sign in again; 0: never
        #[arg(long, default_value_t = 0)]
        hours: u32,
    },
    /// Let a user in again
    Unban {
        /// Email address
        email: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ApiKeyCommand {
    /// Make a key for a user; it is printed once
    Create {
        /// Email address of the owner
        email: String,
        /// What the key is for
        #[arg(long)]
        name: Option<String>,
        /// What the key permits, as `resource:action`; may be repeated
        #[arg(long, value_name = "RESOURCE:ACTION")]
        permit: Vec<String>,
        /// How often it may be used; without it, any number of times
        #[arg(long, value_name = "NUMBER")]
        uses: Option<i32>,
        /// Days until it ends; without it, as configured
        #[arg(long)]
        days: Option<u32>,
    },
    /// List the keys of a user
    List {
        /// Email address of the owner
        email: String,
    },
    /// Check a key, read from standard input; counts as a use
    Verify {
        /// What the key must permit, as `resource:action`; may be repeated
        #[arg(long, value_name = "RESOURCE:ACTION")]
        permit: Vec<String>,
    },
    /// Delete a key
    Delete {
        /// Its id, as `list` shows it
        id: uuid::Uuid,
    },
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// List the keys and what each is used for
    List {
        /// Print one JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Publish a new key; it signs as soon as every verifier can know it
    Rotate,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum MailCommand {
    /// Write every mail in every language as files, with sample data, as the settings make them look
    Preview {
        /// Where to; made if need be
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Say everything that is wrong with the settings, and what to do
    Check,
    /// Print the settings in force as TOML, without secrets
    Dump,
    /// Print a JSON Schema of the settings file
    Schema,
    /// Print a settings file with every key, its default and what it does
    Example,
}

#[cfg(test)]
mod tests;
