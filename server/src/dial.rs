//! Connections that this program opens: plain, or with TLS.

use std::{
    io,
    sync::{Arc, LazyLock},
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs::default_provider, pki_types::ServerName},
};

/// What is read from and written to, whether there is TLS below or not.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Connects to a host, which is a name or an address without brackets.
pub async fn dial(host: &str, port: u16, is_tls: bool) -> io::Result<Box<dyn Stream>> {
    let stream = TcpStream::connect((host, port)).await?;
    // Messages are small, and each is waited for.
    stream.set_nodelay(true)?;
    if !is_tls {
        return Ok(Box::new(stream));
    }
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "the host's name cannot be in a certificate"))?;
    Ok(Box::new(tls().connect(name, stream).await?))
}

/// TLS that trusts the certificate authorities that browsers trust, whatever the machine has.
pub fn tls_config() -> ClientConfig {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has the usual cipher suites");
    builder.with_root_certificates(roots).with_no_client_auth()
}

fn tls() -> TlsConnector {
    static CONFIG: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| Arc::new(tls_config()));
    TlsConnector::from(CONFIG.clone())
}
