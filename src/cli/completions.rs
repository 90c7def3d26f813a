//! `kiln completions` and `kiln man`: files for shells and for `man`, derived from the command line.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use clap_complete::Shell;

use super::output::Target;
use super::{print_message, print_text};
use crate::error::{Error, Result};

/// Print the completion script of a shell.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  kiln completions bash > ~/.local/share/bash-completion/completions/kiln
  kiln completions zsh > ~/.zfunc/_kiln
  kiln completions fish > ~/.config/fish/completions/kiln.fish")]
pub(super) struct CompletionArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Print the manual page, or write the pages of all commands to a folder.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  kiln man | man -l -
  kiln man --folder ~/.local/share/man/man1")]
pub(super) struct ManArgs {
    /// Write kiln.1 and a page for each command, such as kiln-render.1, to this folder
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// Runs `kiln completions`.
pub(super) fn print_completions(args: &CompletionArgs, mut command: clap::Command) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "kiln", &mut script);
    print_text(&String::from_utf8_lossy(&script))
}

/// Runs `kiln man`.
pub(super) fn print_manual(args: &ManArgs, mut command: clap::Command) -> Result<()> {
    command.build();
    let Some(folder) = &args.folder else { return print_text(&String::from_utf8_lossy(&page(&command)?)) };
    std::fs::create_dir_all(folder).map_err(|error| Error::io(folder, "create", error))?;
    let pages = write_pages(folder, &command)?;
    print_message(&format!("{}: {pages} pages", folder.display()));
    Ok(())
}

/// Writes the page of a command and those of its subcommands, and returns their number.
fn write_pages(folder: &Path, command: &clap::Command) -> Result<usize> {
    let name = command.get_display_name().unwrap_or(command.get_name());
    let path = folder.join(format!("{name}.1")).to_string_lossy().into_owned();
    let mut output = Target::new(&path, &[])?.create()?;
    output.file().write_all(&page(command)?).map_err(|error| Error::io(&path, "write", error))?;
    output.commit()?;
    let subcommands = command.get_subcommands().filter(|command| command.get_name() != "help");
    subcommands.map(|command| write_pages(folder, command)).try_fold(1, |pages, written| Ok(pages + written?))
}

/// The manual page of a command, in roff.
fn page(command: &clap::Command) -> Result<Vec<u8>> {
    let mut roff = Vec::new();
    let written = clap_mangen::Man::new(command.clone()).render(&mut roff);
    written.map(|()| roff).map_err(|error| Error::io("-", "write", error))
}
