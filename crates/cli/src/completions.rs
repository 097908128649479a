//! `gatepost completions`.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::{args::Args, output};

pub(crate) fn print(shell: Shell) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "gatepost", &mut script);
    output::print(&String::from_utf8(script)?)
}
