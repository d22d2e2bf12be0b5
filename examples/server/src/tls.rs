//! TLS: a certificate and its key from PEM files, read again when they change.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio_rustls::TlsAcceptor;
use tracing::{info, warn};

/// Where the certificate and its key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, followed by those that lead to a root, in PEM.
    pub certificates: PathBuf,
    /// Its private key in PEM: PKCS#8, PKCS#1 or SEC1.
    pub key: PathBuf,
}

/// Why the files can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file can't be read, or holds nothing of the kind.
    #[error("cannot use {path} as a {what} in PEM: {source}")]
    File {
        /// The file.
        path: String,
        /// What it should hold.
        what: &'static str,
        /// What is wrong with it.
        source: rustls::pki_types::pem::Error,
    },
    /// There is no certificate in the file.
    #[error("{path} holds no certificate; it should have lines BEGIN CERTIFICATE")]
    Empty {
        /// The file.
        path: String,
    },
    /// Certificate and key don't belong together, or are of a kind that is not supported.
    #[error("the certificate can't be used with its key: {0}")]
    Pair(#[from] rustls::Error),
}

/// Accepts connections with the certificate of the moment.
pub struct Tls {
    files: TlsFiles,
    current: Mutex<Current>,
}

struct Current {
    acceptor: TlsAcceptor,
    /// When the files were changed last.
    changed: [Option<SystemTime>; 2],
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`] when they can't be used.
    pub fn new(files: TlsFiles) -> Result<Self, TlsError> {
        let changed = files.changed();
        let acceptor = files.acceptor()?;
        Ok(Self { files, current: Mutex::new(Current { acceptor, changed }) })
    }

    /// For the next connection.
    pub fn acceptor(&self) -> TlsAcceptor {
        self.current().acceptor.clone()
    }

    /// Reads the files again if they have changed. With files that can't be used it goes on as before.
    pub fn refresh(&self) {
        let changed = self.files.changed();
        let mut current = self.current();
        if changed == current.changed {
            return;
        }
        current.changed = changed;
        match self.files.acceptor() {
            Ok(acceptor) => {
                current.acceptor = acceptor;
                info!("took up the new certificate");
            }
            Err(error) => warn!(%error, "going on with the old certificate"),
        }
    }

    fn current(&self) -> std::sync::MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TlsFiles {
    fn changed(&self) -> [Option<SystemTime>; 2] {
        [&self.certificates, &self.key].map(|path| fs::metadata(path).and_then(|file| file.modified()).ok())
    }

    fn acceptor(&self) -> Result<TlsAcceptor, TlsError> {
        let file = |path: &Path, what| {
            let path = path.display().to_string();
            move |source| TlsError::File { path, what, source }
        };
        let certificates = CertificateDer::pem_file_iter(&self.certificates)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(file(&self.certificates, "certificate"))?;
        if certificates.is_empty() {
            return Err(TlsError::Empty { path: self.certificates.display().to_string() });
        }
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(file(&self.key, "private key"))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(certificates, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}
