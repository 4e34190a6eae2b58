//! What the TLS servers share: the command line, and the certificate.

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The options of the command line.
pub struct Options {
    pub address: SocketAddr,
    pub config: Arc<ServerConfig>,
    /// A connection without traffic for this long is closed, even during its handshake.
    pub idle: Duration,
}

/// Runs the server `name` with the options of the command line.
pub fn main(name: &str, serve: impl FnOnce(&Options) -> io::Result<()>) -> ExitCode {
    let usage = format!("usage: {name} CERTIFICATE.pem KEY.pem [IP:PORT] [--idle-ms N]");
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "--help") {
        println!("{usage}");
        return ExitCode::SUCCESS;
    }
    let options = match parse(&words) {
        Ok(options) => options,
        Err(wrong) => {
            eprintln!("{name}: {wrong}\n{usage}");
            return ExitCode::from(2);
        }
    };
    match serve(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {}: {error}", options.address);
            ExitCode::FAILURE
        }
    }
}

fn parse(words: &[String]) -> Result<Options, String> {
    let (mut idle, mut plain) = (Duration::from_secs(60), Vec::new());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--idle-ms" {
            let millis = words.next().and_then(|word| word.parse().ok()).ok_or("--idle-ms needs a number")?;
            idle = Duration::from_millis(millis);
        } else {
            plain.push(word);
        }
    }
    let (certificate, key, address) = match plain[..] {
        [certificate, key] => (certificate, key, "127.0.0.1:0"),
        [certificate, key, address] => (certificate, key, address.as_str()),
        _ => return Err("a certificate and a key are needed".to_owned()),
    };
    let address = address.parse().map_err(|_| format!("not an address: {address}"))?;
    Ok(Options { address, config: config(certificate, key)?, idle })
}

fn config(certificate: &str, key: &str) -> Result<Arc<ServerConfig>, String> {
    let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect);
    let chain: Vec<CertificateDer<'static>> = chain.map_err(|error| format!("{certificate}: {error}"))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| format!("{key}: {error}"))?;
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
    let config = config.with_no_client_auth().with_single_cert(chain, private);
    Ok(Arc::new(config.map_err(|error| format!("{certificate}: {error}"))?))
}
