//! Addresses to listen on, and how to call them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use super::output::Failure;

/// Returns the address at which this machine calls a server that listens there: the loopback address if the server listens
/// on all addresses.
pub(super) fn local_address(listen: SocketAddr) -> SocketAddr {
    let host = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(host, listen.port())
}

/// Checks that the address is free, before the slow part of a start.
pub(super) fn check_is_free(listen: SocketAddr) -> Result<(), Failure> {
    use std::io::ErrorKind::{AddrInUse, PermissionDenied};
    let Err(error) = TcpListener::bind(listen) else {
        return Ok(());
    };
    let (port, host) = (listen.port(), listen.ip());
    let cause = match error.kind() {
        AddrInUse => format!("port {port} is in use on {host}: stop the process that listens there"),
        PermissionDenied => format!("port {port} is reserved for root"),
        _ => return Err(Failure(format!("cannot listen on {listen}: {error}"))),
    };
    let any = SocketAddr::new(host, 0);
    Err(Failure(format!("{cause}, or choose another with --listen ADDR (--listen {any} picks a free port)")))
}
