//! Numbers for Prometheus (OpenMetrics text format).

use std::{fmt::Write, time::Duration};

use http::StatusCode;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};

use crate::events::{Event, Refused};

/// The counters of one server.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    seconds: Family<Operation, Histogram>,
    events: Family<Named, Counter>,
    refusals: Family<Named, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    operation: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Operation {
    operation: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Named {
    name: &'static str,
}

/// Bounds in seconds: from a look-up to a password hash in a queue.
const BOUNDS: [f64; 9] = [0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("gatepost");
        let requests = Family::default();
        let seconds =
            Family::<Operation, Histogram>::new_with_constructor(|| Histogram::new(BOUNDS));
        let (events, refusals) = (Family::default(), Family::default());
        registry.register("requests", "Answers of the auth API", requests.clone());
        registry.register("request_seconds", "Time to an answer", seconds.clone());
        registry.register("events", "Security events", events.clone());
        registry.register("refusals", "People turned away, by reason", refusals.clone());
        Self { registry, requests, seconds, events, refusals }
    }
}

impl Metrics {
    /// Counts an answer.
    pub fn answered(&self, operation: &'static str, status: StatusCode, took: Duration) {
        self.requests.get_or_create(&Answered { operation, status: status.as_u16() }).inc();
        self.seconds.get_or_create(&Operation { operation }).observe(took.as_secs_f64());
    }

    /// Counts a security event.
    pub fn happened(&self, event: &Event) {
        self.events.get_or_create(&Named { name: event.name() }).inc();
        if let Event::Refused { why, .. } = event {
            self.refusals.get_or_create(&Named { name: Refused::as_str(*why) }).inc();
        }
    }

    /// All numbers as text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        if encode(&mut text, &self.registry).is_err() {
            let _ = text.write_str("# the numbers could not be written\n");
        }
        text
    }
}
