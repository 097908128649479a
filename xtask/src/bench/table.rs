//! The printed comparison.

use super::{OPERATIONS, Results, Sample, process};

/// Prints every operation with medians of both and their ratio, then memory and start.
pub(crate) fn print(results: &[Results], scrypt: Option<f64>) {
    let [node, gatepost] = results else { return };
    println!(
        "\nBetter Auth | Gatepost (median of the rounds), load average {}",
        process::load_average()
    );
    println!(
        "{:<16} {:>21} {:>17} {:>19} {:>19} {:>17} {:>6}",
        "operation@conns", "requests/s", "ratio", "p50 ms", "p99 ms", "CPU us (pg)", "CPU x"
    );
    for (at, (operation, connections)) in OPERATIONS.iter().enumerate() {
        let (Some(a), Some(b)) = (node.samples.get(at), gatepost.samples.get(at)) else { continue };
        let rate = |samples: &[Sample]| median(samples.iter().map(|it| it.wrk.per_second()));
        let milliseconds =
            |samples: &[Sample], of: fn(&Sample) -> f64| median(samples.iter().map(of)) / 1000.0;
        let cpu = |samples: &[Sample]| {
            (
                median(samples.iter().map(|it| it.server_cpu)),
                median(samples.iter().map(|it| it.postgres_cpu)),
            )
        };
        let (ca, cb) = (cpu(a), cpu(b));
        println!(
            "{:<16} {:>10.0} {:>10.0} {:>16.1}x {:>9.2} {:>9.2} {:>9.2} {:>9.2} {:>5.0}+{:<4.0} {:>4.0}+{:<3.0} {:>6.1}x{}",
            format!("{operation}@{connections}"),
            rate(a),
            rate(b),
            rate(b) / rate(a),
            milliseconds(a, |it| it.wrk.p50),
            milliseconds(b, |it| it.wrk.p50),
            milliseconds(a, |it| it.wrk.p99),
            milliseconds(b, |it| it.wrk.p99),
            ca.0,
            ca.1,
            cb.0,
            cb.1,
            (ca.0 + ca.1) / (cb.0 + cb.1).max(0.001),
            errors(a, b),
        );
    }
    println!();
    line("get-session p99 ms, quiet", node, gatepost, |it| {
        median(it.p99_idle.iter().copied()) / 1000.0
    });
    line("… during sign-ins", node, gatepost, |it| median(it.p99_busy.iter().copied()) / 1000.0);
    line("cold start ms", node, gatepost, |it| {
        median(it.cold_start.iter().map(|took| took.as_secs_f64() * 1000.0))
    });
    line("memory idle MiB", node, gatepost, |it| it.idle);
    line("memory peak MiB, reads", node, gatepost, |it| peak(it, false));
    line("memory peak MiB, passwords", node, gatepost, |it| peak(it, true));
    if let Some(baseline) = scrypt {
        let sign_ins = OPERATIONS.iter().position(|it| *it == ("sign-in", 16));
        let samples = sign_ins.and_then(|at| gatepost.samples.get(at));
        let ours =
            samples.map_or(0.0, |samples| median(samples.iter().map(|it| it.wrk.per_second())));
        println!(
            "scrypt alone, a thread per core: {baseline:.1}/s; Gatepost's sign-in: {:.2} of it",
            ours / baseline
        );
    }
}

fn line(what: &str, node: &Results, gatepost: &Results, of: impl Fn(&Results) -> f64) {
    let (a, b) = (of(node), of(gatepost));
    println!("{what:<28} {a:>10.1} {b:>10.1}   1/{:.1}", a / b.max(0.001));
}

/// The highest memory seen, with or without the operations that hash.
fn peak(results: &Results, hashing: bool) -> f64 {
    let operations = OPERATIONS.iter().zip(&results.samples);
    let chosen = operations.filter(|((name, _), _)| name.starts_with("sign-") == hashing);
    chosen.flat_map(|(_, samples)| samples).map(|it| it.peak).fold(0.0, f64::max)
}

fn errors(a: &[Sample], b: &[Sample]) -> String {
    let count = |samples: &[Sample]| samples.iter().map(|it| it.wrk.errors()).sum::<u64>();
    match (count(a), count(b)) {
        (0, 0) => String::new(),
        (a, b) => format!("  ERRORS {a} | {b}"),
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
