//! The mail server of one test: a process that ends with it.

use std::{path::Path, process::Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdout, Command},
    sync::mpsc,
};

use crate::mail::config::{SmtpConfig, TlsMode};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/mail/tests/smtp_server.py");

pub(super) struct SmtpServer {
    process: Child,
    events: mpsc::UnboundedReceiver<Value>,
    pub port: u16,
}

impl SmtpServer {
    /// Settings are those of the script.
    pub(super) async fn start(settings: &Value) -> Self {
        let mut process = Command::new(python())
            .arg(SCRIPT)
            .arg(settings.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let events = read_events(process.stdout.take().unwrap());
        let mut server = Self { process, events, port: 0 };
        server.port = server.next("listening").await["port"].as_u64().unwrap().try_into().unwrap();
        server
    }

    /// Waits for the next event of that name and skips others.
    pub(super) async fn next(&mut self, name: &str) -> Value {
        loop {
            let event = self.events.recv().await.expect("the mail server ended");
            if event["event"] == name {
                return event;
            }
        }
    }

    /// Ends it; what it told until then comes back.
    pub(super) async fn stop(mut self) -> Vec<Value> {
        drop(self.process.stdin.take());
        let mut told = Vec::new();
        while let Some(event) = self.events.recv().await {
            told.push(event);
        }
        self.process.wait().await.unwrap();
        told
    }

    pub(super) fn config(&self) -> SmtpConfig {
        SmtpConfig {
            host: "127.0.0.1".to_owned(),
            port: Some(self.port),
            tls: TlsMode::None,
            username: None,
            password: None,
            ca_file: None,
            timeout_seconds: 20,
            connections: 4,
        }
    }
}

/// Read at once: a server whose output fills up would stand still.
fn read_events(output: ChildStdout) -> mpsc::UnboundedReceiver<Value> {
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut lines = BufReader::new(output).lines();
        while let Some(line) = lines.next_line().await.unwrap() {
            if sender.send(serde_json::from_str(&line).unwrap()).is_err() {
                return;
            }
        }
    });
    receiver
}

/// A certificate authority and a certificate of it for 127.0.0.1, as files.
pub(super) struct Certificates {
    directory: TempDir,
}

impl Certificates {
    pub(super) fn new() -> Self {
        let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority_key = rcgen::KeyPair::generate().unwrap();
        let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
        let issuer = rcgen::Issuer::new(authority, authority_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        params.use_authority_key_identifier_extension = true;
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.signed_by(&key, &issuer).unwrap().pem();
        let directory = tempfile::tempdir().unwrap();
        for (name, content) in [
            ("ca.pem", authority_pem),
            ("server.pem", certificate),
            ("key.pem", key.serialize_pem()),
        ] {
            std::fs::write(directory.path().join(name), content).unwrap();
        }
        Self { directory }
    }

    pub(super) fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    /// Settings for a server that speaks TLS, with a user.
    pub(super) fn settings(&self, tls: &str) -> Value {
        json!({
            "tls": tls,
            "certificate": self.path("server.pem"),
            "key": self.path("key.pem"),
            "user": ["gatepost", "right"],
        })
    }
}

/// The interpreter that has aiosmtpd: the system's, where Debian's package puts it, or the first in the path.
fn python() -> &'static Path {
    ["/usr/bin/python3", "python3"]
        .into_iter()
        .map(Path::new)
        .find(|python| {
            std::process::Command::new(python)
                .args(["-c", "import aiosmtpd"])
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
        })
        .expect("these tests need aiosmtpd: apt-get install python3-aiosmtpd")
}
