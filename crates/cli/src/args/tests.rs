use std::{fmt::Write, fs, path::Path};

use clap::{Command, CommandFactory};

use super::Args;

#[test]
fn the_command_line_is_described_as_it_is() {
    let mut text = "# Commands\n\nWritten by a test from the program's own help.\n".to_owned();
    let mut command = Args::command().term_width(100);
    command.build();
    describe(&mut command, &mut text);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    if fs::read_to_string(&path).unwrap_or_default() != text {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        panic!("docs/cli.md was out of date and is written anew: look at the difference");
    }
}

fn describe(command: &mut Command, text: &mut String) {
    let name = command.get_bin_name().unwrap_or("gatepost").to_owned();
    let help = command.render_long_help().to_string();
    let help: String = help.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    write!(text, "\n## `{name}`\n\n```text\n{}\n```\n", help.trim_end()).unwrap();
    for inner in command.get_subcommands_mut() {
        if inner.get_name() != "help" {
            describe(inner, text);
        }
    }
}

#[test]
fn every_argument_is_well_formed() {
    Args::command().debug_assert();
}
