//! Traces to a collector by OTLP over http.

use std::{pin::Pin, time::Duration};

use anyhow::{Context, ensure};
use opentelemetry::{KeyValue, trace::TracerProvider};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response, hyper::HyperClient};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{SdkTracer, SdkTracerProvider},
};
use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::registry::LookupSpan;

use crate::config::Telemetry;

/// For one batch.
const PATIENCE: Duration = Duration::from_secs(10);

/// What sends spans; nothing is set up without an endpoint.
///
/// # Errors
/// An endpoint that cannot be used.
pub(super) fn provider(telemetry: &Telemetry) -> anyhow::Result<Option<SdkTracerProvider>> {
    let Some(endpoint) = &telemetry.otlp_endpoint else { return Ok(None) };
    ensure!(
        endpoint.scheme() == "http",
        "[telemetry] otlp_endpoint: give an http:// address of a collector nearby, such as http://127.0.0.1:4318/v1/traces"
    );
    let client = OnRuntime {
        client: HyperClient::with_default_connector(PATIENCE, None),
        runtime: Handle::try_current()?,
    };
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_endpoint(endpoint.as_str())
        .build()
        .context("[telemetry] otlp_endpoint")?;
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let resource =
        Resource::builder_empty().with_service_name("gatepost").with_attribute(version).build();
    let provider =
        SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
    Ok(Some(provider))
}

/// Hands spans over.
pub(super) fn layer<S>(provider: &SdkTracerProvider) -> OpenTelemetryLayer<S, SdkTracer>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    tracing_opentelemetry::layer().with_tracer(provider.tracer("gatepost"))
}

/// Batches are sent from a thread that knows no runtime, and the client needs one.
#[derive(Debug)]
struct OnRuntime {
    client: HyperClient,
    runtime: Handle,
}

impl HttpClient for OnRuntime {
    fn send_bytes<'client, 'sending>(
        &'client self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'sending>>
    where
        'client: 'sending,
        Self: 'sending,
    {
        let client = self.client.clone();
        let sent = self.runtime.spawn(async move { client.send_bytes(request).await });
        Box::pin(async move { sent.await? })
    }
}
