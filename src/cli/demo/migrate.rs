//! `sidecache demo migrate`: the tables of a database that stays.

use super::backend::Place;
use crate::{
    cli::{failure::Failure, output::say},
    demo::{Database, IndexState, Schema, StepState},
};
use clap::{Args, Subcommand};

/// Arguments of `demo migrate`.
#[derive(Debug, Args)]
#[command(
    after_help = "The database is that of --database or DATABASE_URL. `sidecache demo` takes all steps up when it starts."
)]
pub(super) struct Migrate {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Takes the steps that were not taken yet
    Up {
        /// The last step to take; without it all
        #[arg(long, value_name = "NUMBER")]
        to: Option<i64>,
    },
    /// Takes the last step back; what only it had room for is gone
    Down {
        /// The last step to keep, 0: none; without it one step is taken back
        #[arg(long, value_name = "NUMBER")]
        to: Option<i64>,
    },
    /// Shows which steps were taken
    Status,
    /// Refreshes the statistics that plans are made with, and shows of each index whether the statement that it is for uses it
    Analyze {
        /// Gives space back as well, which takes a while and as much free space
        #[arg(long)]
        vacuum: bool,
        /// Shows the plans
        #[arg(long)]
        plans: bool,
    },
}

impl Migrate {
    pub(super) fn execute(&self, place: &Place) -> Result<(), Failure> {
        let database = place.lasting()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::new("no thread to run on", error))?;
        let text = runtime.block_on(self.command.run(&database));
        say(text?.trim_end());
        Ok(())
    }
}

impl Command {
    async fn run(&self, database: &Database) -> Result<String, Failure> {
        let create = matches!(self, Self::Up { .. });
        let failed = |error| Failure::new("migrate", error);
        let schema = Schema::open(database, create).await.map_err(failed)?;
        let done = self.run_on(&schema).await;
        schema.close().await;
        done
    }

    async fn run_on(&self, schema: &Schema) -> Result<String, Failure> {
        let failed = |error| Failure::new("migrate", error);
        match self {
            Self::Up { to } => {
                let to = within(to.unwrap_or(Schema::latest()))?;
                schema.up(to).await.map_err(failed)?;
            }
            Self::Down { to } => {
                let steps = schema.steps().await.map_err(failed)?;
                let to = match to {
                    Some(to) => within(*to)?,
                    None => before_the_last(&steps),
                };
                schema.down(to).await.map_err(failed)?;
            }
            Self::Status => {}
            Self::Analyze { vacuum, plans } => {
                let states = schema.analyze(*vacuum).await.map_err(failed)?;
                return Ok(indexes(&states, *plans));
            }
        }
        let steps = schema.steps().await.map_err(failed)?;
        Ok(status(&steps))
    }
}

fn within(step: i64) -> Result<i64, Failure> {
    if (0..=Schema::latest()).contains(&step) {
        Ok(step)
    } else {
        Err(Failure::Usage(
            "--to is the number of a step, or 0; `sidecache demo migrate status` shows them",
        ))
    }
}

/// The step that is the last one when the last one is taken back.
fn before_the_last(steps: &[StepState]) -> i64 {
    let mut taken = steps.iter().rev().filter(|step| step.taken);
    taken.nth(1).map_or(0, |step| step.number)
}

fn status(steps: &[StepState]) -> String {
    let line = |step: &StepState| {
        let taken = if step.taken { "taken" } else { "pending" };
        format!("{:>4}  {:<8}{}\n", step.number, taken, step.name)
    };
    steps.iter().map(line).collect()
}

fn indexes(states: &[IndexState], plans: bool) -> String {
    let number = |number: Option<u64>| number.map_or("-".to_owned(), |number| number.to_string());
    let line = |state: &IndexState| {
        let used = match (state.size, state.is_used()) {
            (None, _) => "missing",
            (_, true) => "used",
            (_, false) => "unused",
        };
        let (size, scans) = (number(state.size), number(state.scans));
        let mut text = format!(
            "{:<30}{used:<9}{size:>12}{scans:>10}  {}\n",
            state.name, state.serves
        );
        if plans {
            text.extend(state.plan.iter().map(|line| format!("    {line}\n")));
        }
        text
    };
    let head = format!(
        "{:<30}{:<9}{:>12}{:>10}  made for\n",
        "index", "plan", "bytes", "scans"
    );
    let lines: String = states.iter().map(line).collect();
    head + &lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(number: i64, taken: bool) -> StepState {
        StepState {
            number,
            name: "step",
            taken,
        }
    }

    #[test]
    fn the_step_before_the_last_one_that_was_taken_is_the_next() {
        let steps = |taken: [bool; 3]| {
            let numbered = (1..).zip(taken);
            let steps = numbered.map(|(number, taken)| step(number, taken));
            before_the_last(&steps.collect::<Vec<_>>())
        };
        assert_eq!(steps([true, true, true]), 2);
        assert_eq!(steps([true, true, false]), 1);
        assert_eq!(steps([true, false, false]), 0);
        assert_eq!(steps([false, false, false]), 0);
    }
}
