//! Log lines on standard error, for people or for machines, and traces to a collector.

#[cfg(feature = "otel")]
mod otel;

use tracing_subscriber::{Layer, filter::Targets, fmt, layer::SubscriberExt, registry};

use crate::config::{Log, LogFormat, Telemetry};

/// Ends what logging holds open, when dropped.
pub(crate) struct Logging {
    #[cfg(feature = "otel")]
    traces: Option<opentelemetry_sdk::trace::SdkTracerProvider>,
}

/// Which lines are wanted.
///
/// # Errors
/// A level that is none.
pub(crate) fn filter(log: &Log) -> anyhow::Result<Targets> {
    log.level.parse().map_err(|_| {
        anyhow::anyhow!(
            "[log] level: {:?} is none; try \"info\" or \"warn,gatepost_auth=debug\"",
            log.level
        )
    })
}

/// Starts logging for the whole process. Called once, within the runtime that sends traces.
///
/// # Errors
/// A level or endpoint that cannot be used.
pub(crate) fn start(log: &Log, telemetry: &Telemetry) -> anyhow::Result<Logging> {
    let filter = filter(log)?;
    let lines = match log.format {
        LogFormat::Human => {
            let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
            fmt::layer().with_writer(std::io::stderr).with_ansi(ansi).with_target(false).boxed()
        }
        LogFormat::Json => fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .with_writer(std::io::stderr)
            .boxed(),
    };
    let subscriber = registry().with(lines.with_filter(filter.clone()));
    #[cfg(feature = "otel")]
    let logging = {
        let traces = otel::provider(telemetry)?;
        let layer = traces.as_ref().map(|provider| otel::layer(provider).with_filter(filter));
        tracing::subscriber::set_global_default(subscriber.with(layer))?;
        Logging { traces }
    };
    #[cfg(not(feature = "otel"))]
    let logging = {
        anyhow::ensure!(
            telemetry.otlp_endpoint.is_none(),
            "[telemetry] otlp_endpoint: this binary was built without the feature `otel`"
        );
        tracing::subscriber::set_global_default(subscriber)?;
        Logging {}
    };
    Ok(logging)
}

impl Drop for Logging {
    fn drop(&mut self) {
        #[cfg(feature = "otel")]
        if let Some(traces) = self.traces.take()
            && let Err(error) = traces.shutdown()
        {
            eprintln!("the last traces were not sent: {error}");
        }
    }
}
