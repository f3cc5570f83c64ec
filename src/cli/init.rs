//! `sidecache init`: a first proxy.toml, to be changed by hand.

use super::{
    failure::Failure,
    output::{complain, say},
};
use crate::config::Config;
use clap::Args;
use std::{
    fs::File,
    io::{self, Write},
    path::PathBuf,
};

/// Arguments of `init`.
#[derive(Debug, Args)]
pub(super) struct Init {
    /// The backend, as in `http://127.0.0.1:3000`
    #[arg(value_name = "URL")]
    upstream: String,
    /// Where to write it; a file that is there is left alone
    #[arg(long, value_name = "FILE", default_value = "proxy.toml")]
    output: PathBuf,
}

const TEMPLATE: &str = include_str!("init.toml");

impl Init {
    pub(super) fn execute(self) -> Result<(), Failure> {
        let text = TEMPLATE.replace("{URL}", &quoted(&self.upstream));
        let name = self.output.display().to_string();
        // What is wrong with the URL is said as of any other configuration.
        Config::parse(&name, &text, &[], &|_| None)?;
        let written =
            File::create_new(&self.output).and_then(|mut file| file.write_all(text.as_bytes()));
        match written {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                complain(&format!(
                    "error: {name} is there already and is left alone: change it, or name another file with --output"
                ));
                return Err(Failure::Told(2));
            }
            Err(error) => return Err(Failure::new("the file cannot be written", error)),
        }
        say(&format!(
            "{name} is written: `sidecache check {name}` looks at it, `sidecache run --config {name}` starts"
        ));
        Ok(())
    }
}

/// As a string of TOML, whatever is in it.
fn quoted(text: &str) -> String {
    let escape = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_control() => format!("\\u{:04x}", u32::from(c)),
        c => c.to_string(),
    };
    text.chars().map(escape).collect()
}
