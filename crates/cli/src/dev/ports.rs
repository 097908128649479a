//! A port on which nobody else listens.

use std::{
    io::{Error, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use anyhow::{Context, bail};
use tokio::net::TcpListener;

/// How many ports are tried.
const TRIES: u16 = 100;

/// Listens on `localhost`, both families where there are both: which one a browser or Node asks first differs. The port is the one
/// wanted, or the next that is free.
///
/// # Errors
/// No free port.
pub(super) async fn listen(wanted: u16) -> anyhow::Result<(Vec<TcpListener>, u16)> {
    for step in 0..TRIES {
        // 0 lets the system choose, each time anew.
        let port = if wanted == 0 { 0 } else { wanted.saturating_add(step) };
        match both(port).await {
            Ok(listeners) => return Ok(listeners),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => {
                return Err(error).with_context(|| format!("cannot listen on port {port}"));
            }
        }
    }
    bail!("the ports from {wanted} on are all taken; give another one with --port")
}

async fn both(port: u16) -> Result<(Vec<TcpListener>, u16), Error> {
    let first = TcpListener::bind((IpAddr::V4(Ipv4Addr::LOCALHOST), port)).await?;
    let port = first.local_addr()?.port();
    match TcpListener::bind((IpAddr::V6(Ipv6Addr::LOCALHOST), port)).await {
        Ok(second) => Ok((vec![first, second], port)),
        // Somebody else would answer half of the requests.
        Err(error) if error.kind() == ErrorKind::AddrInUse => Err(error),
        Err(_) => Ok((vec![first], port)),
    }
}
