//! Opening a connection: tokio-postgres finds the host and signs in, over a stream that is only lent to it.
//!
//! Everything a URL can say about hosts, time limits, channel binding and passwords so means here what it means elsewhere.

use std::{
    error::Error as StdError,
    hash::{BuildHasher as _, RandomState},
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::BytesMut;
use postgres_protocol::message::frontend;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    net::UnixStream,
    time::timeout,
};
use tokio_postgres::{
    Config,
    config::{Host, LoadBalanceHosts, SslMode, SslNegotiation, TargetSessionAttrs},
    tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream},
};

use super::{Connection, Error as Failure};
use crate::{Error, tls::Tls};

/// A stream to Postgres, encrypted or not.
pub(super) trait Wire: TlsStream + Send + Unpin {}
impl<S: TlsStream + Send + Unpin> Wire for S {}

/// Opens a connection to the first host that takes it.
pub(super) async fn open(config: &Config, tls: &Tls) -> Result<Connection, Error> {
    let mut hosts: Vec<usize> =
        (0..config.get_hosts().len().max(config.get_hostaddrs().len())).collect();
    if config.get_load_balance_hosts() == LoadBalanceHosts::Random {
        hosts.sort_by_cached_key(|host| RandomState::new().hash_one(host));
    }
    let mut last = Error::Url("it names no host".to_owned());
    for host in hosts {
        match open_at(config, tls, host).await {
            Ok(connection) => return Ok(connection),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn open_at(whole: &Config, tls: &Tls, at: usize) -> Result<Connection, Error> {
    let config = only(whole, at);
    let lender = Lender {
        lent: Lent::default(),
        tls: tls.clone(),
        host: String::new(),
        mode: whole.get_ssl_mode(),
        negotiation: whole.get_ssl_negotiation(),
    };
    let lent = lender.lent.clone();
    match config.get_hosts().first() {
        Some(Host::Unix(directory)) => {
            let port = config.get_ports().first().copied().unwrap_or(5432);
            let path = directory.join(format!(".s.PGSQL.{port}"));
            let limit = config.get_connect_timeout().copied().unwrap_or_default();
            let opened = timeout(limit, UnixStream::connect(&path)).await;
            let stream = opened
                .map_err(|_| Error::Timeout(limit.as_secs()))?
                .map_err(crate::error::at(&path))?;
            // Postgres has no TLS on Unix sockets.
            let lender = Lender { mode: SslMode::Disable, ..lender };
            drop(config.connect_raw(stream, lender).await?);
        }
        _ => drop(config.connect(lender).await?),
    }
    let wire = lent.take_back().ok_or_else(|| Error::Tls("no stream".to_owned()))?;
    let mut connection = Connection::new(wire);
    let wanted = whole.get_target_session_attrs();
    if wanted != TargetSessionAttrs::Any {
        suits(&mut connection, wanted).await?;
    }
    Ok(connection)
}

/// The same for one of its hosts. Whatever that host says about encryption is left to [`Lender`].
fn only(config: &Config, at: usize) -> Config {
    let mut one = Config::new();
    let address = config.get_hostaddrs().get(at);
    match config.get_hosts().get(at) {
        Some(Host::Tcp(name)) => one.host(name),
        Some(Host::Unix(directory)) => one.host_path(directory),
        None => one.host(address.map(ToString::to_string).unwrap_or_default()),
    };
    if let Some(address) = address {
        one.hostaddr(*address);
    }
    let ports = config.get_ports();
    one.port(ports.get(at).or(ports.first()).copied().unwrap_or(5432));
    if let Some(user) = config.get_user() {
        one.user(user);
    }
    if let Some(password) = config.get_password() {
        one.password(password);
    }
    if let Some(name) = config.get_dbname() {
        one.dbname(name);
    }
    if let Some(options) = config.get_options() {
        one.options(options);
    }
    if let Some(name) = config.get_application_name() {
        one.application_name(name);
    }
    if let Some(limit) = config.get_connect_timeout() {
        one.connect_timeout(*limit);
    }
    if let Some(limit) = config.get_tcp_user_timeout() {
        one.tcp_user_timeout(*limit);
    }
    if let Some(interval) = config.get_keepalives_interval() {
        one.keepalives_interval(interval);
    }
    if let Some(retries) = config.get_keepalives_retries() {
        one.keepalives_retries(retries);
    }
    one.keepalives(config.get_keepalives())
        .keepalives_idle(config.get_keepalives_idle())
        .channel_binding(config.get_channel_binding())
        .load_balance_hosts(config.get_load_balance_hosts())
        .ssl_mode(SslMode::Require)
        .ssl_negotiation(SslNegotiation::Direct);
    one
}

/// Whether the server is of the kind that was asked for.
async fn suits(connection: &mut Connection, wanted: TargetSessionAttrs) -> Result<(), Error> {
    let mut batch = connection.batch();
    batch.push("SHOW transaction_read_only", [].into_iter(), false);
    let answer = batch.send().await.and_then(|rows| {
        let row = rows.first().and_then(super::Rows::first);
        row.ok_or_else(|| Failure::Unexpected("no row".to_owned()))?.at::<String>(0)
    });
    let (read_only, word) = match wanted {
        TargetSessionAttrs::ReadOnly => ("on", "read-only"),
        _ => ("off", "read-write"),
    };
    match answer {
        Ok(state) if state == read_only => Ok(()),
        _ => Err(Error::SessionAttributes(word)),
    }
}

/// A stream without TLS.
struct Plain<S>(S);

impl<S: AsyncRead + Unpin> AsyncRead for Plain<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Plain<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(context)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Plain<S> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

/// Stands where the driver expects the maker of its TLS stream: agrees with the server about TLS, and lends the driver what comes of it.
struct Lender {
    lent: Lent,
    tls: Tls,
    host: String,
    mode: SslMode,
    negotiation: SslNegotiation,
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> MakeTlsConnect<S> for Lender {
    type Stream = Lent;
    type TlsConnect = Self;
    type Error = std::convert::Infallible;

    fn make_tls_connect(&mut self, host: &str) -> Result<Self, Self::Error> {
        let Self { lent, tls, mode, negotiation, .. } = self;
        let (lent, tls, host) = (lent.clone(), tls.clone(), host.to_owned());
        Ok(Self { lent, tls, host, mode: *mode, negotiation: *negotiation })
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> TlsConnect<S> for Lender {
    type Stream = Lent;
    type Error = Box<dyn StdError + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Lent, Self::Error>> + Send>>;

    fn connect(mut self, mut stream: S) -> Self::Future {
        Box::pin(async move {
            let wire: Box<dyn Wire> = match self.encrypts(&mut stream).await? {
                false => Box::new(Plain(stream)),
                true => {
                    let handshake =
                        MakeTlsConnect::<S>::make_tls_connect(&mut self.tls, &self.host)?;
                    Box::new(handshake.connect(stream).await?)
                }
            };
            self.lent.lend(wire);
            Ok(self.lent)
        })
    }
}

impl Lender {
    /// `SSLRequest`, where `sslmode` wants it: `S` is yes, anything else no.
    async fn encrypts<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
    ) -> Result<bool, Box<dyn StdError + Send + Sync>> {
        if self.mode == SslMode::Disable {
            return Ok(false);
        }
        if self.negotiation == SslNegotiation::Direct {
            return match self.mode {
                SslMode::Require => Ok(true),
                _ => Err("sslnegotiation=direct needs sslmode=require or stricter".into()),
            };
        }
        let mut request = BytesMut::new();
        frontend::ssl_request(&mut request);
        stream.write_all(&request).await?;
        match (stream.read_u8().await?, self.mode) {
            (b'S', _) => Ok(true),
            (_, SslMode::Require) => Err("server does not support TLS".into()),
            _ => Ok(false),
        }
    }
}

/// A stream that is taken back once the driver has signed in.
///
/// It hands out no byte of a message before the last one was read whole: nothing of what the server says later is left
/// in a buffer of the driver.
#[derive(Clone, Default)]
struct Lent(Arc<Mutex<Loan>>);

#[derive(Default)]
struct Loan {
    wire: Option<Box<dyn Wire>>,
    /// Type and length of the message being read, as far as they have come.
    header: Vec<u8>,
    /// Bytes of it still to come.
    left: usize,
}

/// Length of a message's type and length.
const HEADER: usize = 5;

impl Lent {
    fn lend(&self, wire: Box<dyn Wire>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
            Loan { wire: Some(wire), ..Loan::default() };
    }

    fn take_back(&self) -> Option<Box<dyn Wire>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).wire.take()
    }

    fn with<T>(
        &self,
        act: impl FnOnce(Pin<&mut dyn Wire>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let mut loan = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut loan.wire {
            Some(wire) => act(Pin::new(&mut **wire)),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl Loan {
    /// How much may be read without touching the next message.
    fn allowed(&self) -> usize {
        if self.left > 0 { self.left } else { HEADER - self.header.len() }
    }

    fn note(&mut self, bytes: &[u8]) {
        if self.left > 0 {
            self.left -= bytes.len();
            return;
        }
        self.header.extend_from_slice(bytes);
        if let [_, length @ ..] = self.header.as_slice()
            && let Ok(length) = <[u8; 4]>::try_from(length)
        {
            self.left = (u32::from_be_bytes(length) as usize).saturating_sub(length.len());
            self.header.clear();
        }
    }
}

impl AsyncRead for Lent {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut loan = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = [0; 512];
        let most = loan.allowed().min(buffer.remaining()).min(bytes.len());
        let mut piece = ReadBuf::new(bytes.get_mut(..most).unwrap_or_default());
        let Some(wire) = &mut loan.wire else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        ready!(Pin::new(wire).poll_read(context, &mut piece))?;
        loan.note(piece.filled());
        buffer.put_slice(piece.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Lent {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.with(|wire| wire.poll_write(context, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|wire| wire.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|wire| wire.poll_shutdown(context))
    }
}

impl TlsStream for Lent {
    fn channel_binding(&self) -> ChannelBinding {
        let loan = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        loan.wire.as_ref().map_or_else(ChannelBinding::none, |wire| wire.channel_binding())
    }
}
