//! Counts of a suite, and the summary over several steps.

use std::fmt;
use std::future::Future;
use std::ops::AddAssign;
use std::time::{Duration, Instant};

use anyhow::Result;

/// How many tests passed and failed.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

struct Step {
    name: &'static str,
    took: Duration,
    outcome: Result<Counts>,
}

impl Step {
    fn outcome(&self) -> String {
        match &self.outcome {
            // Formatters and lints count nothing.
            Ok(Counts { passed: 0, failed: 0 }) => "ok".to_owned(),
            Ok(counts) => counts.to_string(),
            Err(error) => format!("FAILED: {error:#}"),
        }
    }
}

/// Steps that ran, in order. A failed step does not keep the next from running.
#[derive(Default)]
pub(crate) struct Report {
    steps: Vec<Step>,
}

impl Report {
    /// Runs one step, and prints what it is and how long it took.
    pub(crate) async fn step(
        &mut self,
        name: &'static str,
        work: impl Future<Output = Result<Counts>>,
    ) {
        println!("\n== {name}");
        let start = Instant::now();
        let outcome = work.await;
        let took = start.elapsed();
        let step = Step { name, took, outcome };
        println!("== {name}: {} in {:.1} s", step.outcome(), took.as_secs_f64());
        self.steps.push(step);
    }

    /// The sum. A step that could not run counts as one failure.
    pub(crate) fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        for step in &self.steps {
            match &step.outcome {
                Ok(counts) => sum += *counts,
                Err(_) => sum.failed += 1,
            }
        }
        sum
    }

    /// Prints every step with its outcome, then the closing line.
    pub(crate) fn print(&self) {
        println!();
        for step in &self.steps {
            println!("{:<32} {:>7.1} s  {}", step.name, step.took.as_secs_f64(), step.outcome());
        }
        println!("\n{}", self.counts());
    }
}

/// Reads the counts out of the closing lines of a test runner: `N passed, M failed` of the suites,
/// `test result:` lines of cargo, the `Summary` line of nextest.
pub(crate) fn counts_in(output: &str) -> Counts {
    let mut sum = Counts::default();
    for line in output.lines() {
        let line = line.trim();
        let closing = line.starts_with("test result:")
            || line.starts_with("Summary [")
            || line.split_once(' ').is_some_and(|(number, rest)| {
                number.parse::<u64>().is_ok() && rest.starts_with("passed")
            });
        if closing {
            sum.passed += number_before(line, "passed");
            sum.failed += number_before(line, "failed") + number_before(line, "timed out");
        }
    }
    sum
}

fn number_before(line: &str, word: &str) -> u64 {
    line.split([',', ';', ':', '.'])
        .filter_map(|part| part.trim().strip_suffix(word).or_else(|| part_with(part, word)))
        .find_map(|number| number.split_whitespace().next_back()?.parse().ok())
        .unwrap_or(0)
}

fn part_with<'a>(part: &'a str, word: &str) -> Option<&'a str> {
    part.find(word).and_then(|at| part.get(..at))
}

#[cfg(test)]
mod tests;
