//! Addresses as PostgREST's configuration names them, and sockets bound to them.

use std::io::{Error, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, UnixListener};

use crate::config::Config;
use crate::targets::Typed;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 2048;

/// Where to listen.
pub(crate) enum Address {
    Tcp { host: String, port: u16, shared: bool },
    Unix { path: PathBuf, mode: u32 },
}

/// Listens.
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A listener whose connections take request targets as people type them.
pub(crate) struct AsTyped<L>(pub L);

impl<L: axum::serve::Listener> axum::serve::Listener for AsTyped<L> {
    type Io = Typed<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, address) = self.0.accept().await;
        (Typed::new(stream), address)
    }

    fn local_addr(&self) -> Result<Self::Addr, Error> {
        self.0.local_addr()
    }
}

/// The other end of a TCP connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub SocketAddr);

impl<L> Connected<IncomingStream<'_, AsTyped<L>>> for Peer
where
    L: axum::serve::Listener<Addr = SocketAddr>,
{
    fn connect_info(stream: IncomingStream<'_, AsTyped<L>>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// `server-unix-socket`, or `server-host` and `server-port`.
pub(crate) fn of_requests(config: &Config) -> Address {
    match &config.server_unix_socket {
        Some(path) => Address::Unix { path: path.clone(), mode: config.server_unix_socket_mode },
        None => Address::Tcp {
            host: config.server_host.clone(),
            port: config.server_port,
            shared: config.server_reuseport,
        },
    }
}

/// `admin-server-unix-socket`, or `admin-server-host` and `admin-server-port`, if there is one.
pub(crate) fn of_operators(config: &Config) -> Option<Address> {
    let socket = config.admin_server_unix_socket.clone();
    let unix = |path| Address::Unix { path, mode: config.admin_server_unix_socket_mode };
    let tcp = |port| Address::Tcp { host: config.admin_server_host.clone(), port, shared: false };
    socket.map(unix).or_else(|| config.admin_server_port.map(tcp))
}

/// Binds and listens. A Unix socket left behind by an earlier run is replaced.
pub(crate) async fn listen(address: &Address) -> Result<Listener, Error> {
    match address {
        Address::Unix { path, mode } => {
            let _ = std::fs::remove_file(path);
            let listener = UnixListener::bind(path)?;
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(*mode))?;
            Ok(Listener::Unix(listener))
        }
        Address::Tcp { host, port, shared } => {
            let mut last = Error::new(ErrorKind::AddrNotAvailable, format!("{host}: no address"));
            for address in candidates(host, *port).await? {
                match bind(address, host == "!6", *shared) {
                    Ok(listener) => return Ok(Listener::Tcp(listener)),
                    Err(error) => last = error,
                }
            }
            Err(last)
        }
    }
}

/// `!4` and `!6` are one family, `*4` and `*6` prefer one; the first that can be bound is taken.
async fn candidates(host: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
    let v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let v6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    Ok(match host {
        "!4" => vec![v4],
        "!6" => vec![v6],
        "*" | "*4" => vec![v4, v6],
        "*6" => vec![v6, v4],
        host => {
            let host = host.trim_start_matches('[').trim_end_matches(']');
            tokio::net::lookup_host((host, port)).await?.collect()
        }
    })
}

fn bind(address: SocketAddr, only_v6: bool, shared: bool) -> Result<TcpListener, Error> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if only_v6 {
        socket.set_only_v6(true)?;
    }
    if shared {
        socket.set_reuse_port(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}
