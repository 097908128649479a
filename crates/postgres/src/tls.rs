//! TLS to Postgres. Nothing is loaded before a server agrees to TLS: start-up stays fast where none is used.

use std::{
    error::Error as StdError,
    future::Future,
    path::PathBuf,
    pin::Pin,
    sync::{Arc, OnceLock},
};

use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::Error;

/// Which server certificates are good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Any. Only for `sslmode=prefer`, where whoever sits in between can switch TLS off anyway.
    Anybody,
    /// Those the operating system trusts, with the right host name.
    Platform,
    /// Those signed by a certificate of this PEM file, with the right host name.
    File(PathBuf),
}

/// A connector that sets TLS up when the first server wants it.
#[derive(Clone)]
pub(crate) struct Tls {
    trust: Trust,
    connector: Arc<OnceLock<MakeRustlsConnect>>,
}

impl Tls {
    pub(crate) fn new(trust: Trust) -> Self {
        Self { trust, connector: Arc::default() }
    }

    fn connector(&self) -> Result<MakeRustlsConnect, Error> {
        if let Some(connector) = self.connector.get() {
            return Ok(connector.clone());
        }
        let made = MakeRustlsConnect::new(client_config(&self.trust)?);
        Ok(self.connector.get_or_init(|| made).clone())
    }
}

fn client_config(trust: &Trust) -> Result<ClientConfig, Error> {
    let failed = |error: rustls::Error| Error::Tls(error.to_string());
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(failed)?;
    let builder = match trust {
        Trust::Anybody => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        }
        Trust::Platform => builder.with_platform_verifier().map_err(failed)?,
        Trust::File(path) => {
            let unreadable = |error: &dyn std::fmt::Display| {
                Error::Tls(format!("sslrootcert {}: {error}", path.display()))
            };
            let mut roots = RootCertStore::empty();
            for certificate in
                CertificateDer::pem_file_iter(path).map_err(|error| unreadable(&error))?
            {
                roots
                    .add(certificate.map_err(|error| unreadable(&error))?)
                    .map_err(|error| unreadable(&error))?;
            }
            builder.with_root_certificates(roots)
        }
    };
    let mut config = builder.with_no_client_auth();
    // What `sslnegotiation=direct` requires; ignored by servers that do not know it.
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    Ok(config)
}

/// A stream under TLS.
pub(crate) type Encrypted<S> = <MakeRustlsConnect as MakeTlsConnect<S>>::Stream;

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> MakeTlsConnect<S> for Tls {
    type Stream = Encrypted<S>;
    type TlsConnect = Handshake;
    type Error = std::convert::Infallible;

    fn make_tls_connect(&mut self, host: &str) -> Result<Handshake, Self::Error> {
        Ok(Handshake { tls: self.clone(), host: host.to_owned() })
    }
}

/// One handshake to come.
pub(crate) struct Handshake {
    tls: Tls,
    host: String,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for Handshake {
    type Stream = Encrypted<S>;
    type Error = Box<dyn StdError + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Encrypted<S>, Self::Error>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move {
            let mut connector = self.tls.connector()?;
            let handshake = MakeTlsConnect::<S>::make_tls_connect(&mut connector, &self.host)?;
            Ok(handshake.connect(stream).await?)
        })
    }
}

/// Encrypts to whoever answers; see [`Trust::Anybody`].
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
