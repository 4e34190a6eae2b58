//! Tests the TLS servers as processes, with independent clients: `openssl s_client`, curl, and rustls for what
//! neither can do.

use std::fs;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, Stream};

/// How long a test waits for something immediate.
const PATIENCE: Duration = Duration::from_secs(30);

/// The paths of a certificate of localhost and its key, made once by openssl.
fn certificate() -> &'static (PathBuf, PathBuf) {
    static MADE: OnceLock<(PathBuf, PathBuf)> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("tls-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]);
        openssl.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
        openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
        openssl.arg("-keyout").arg(&key).arg("-out").arg(&certificate);
        let output = openssl.output().expect("openssl is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        (certificate, key)
    })
}

/// A server, killed when it is dropped.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(program: &str, arguments: &[&str]) -> Self {
        let (certificate, key) = certificate();
        let mut command = Command::new(program);
        command.arg(certificate).arg(key).args(arguments).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening on ").unwrap().parse().unwrap();
        Self { child, address }
    }

    fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("it runs").count()
    }

    fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("it runs");
        let fields = stat.rsplit(')').next().unwrap().split_whitespace();
        let ticks: u64 = fields.skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum();
        Duration::from_millis(ticks * 10)
    }

    /// Its memory in kB.
    fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect_timeout(&self.address, PATIENCE).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn client(&self) -> (ClientConnection, TcpStream) {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&certificate().0).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        (ClientConnection::new(Arc::new(config), name).unwrap(), self.connect())
    }

    fn openssl(&self, arguments: &[&str]) -> Command {
        let mut openssl = Command::new("openssl");
        openssl.args(["s_client", "-quiet", "-verify_return_error", "-CAfile"]).arg(&certificate().0);
        openssl.args(["-connect", &self.address.to_string()]).args(arguments);
        openssl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        openssl
    }

    /// Asserts that it still serves, has closed all other connections, and ends when asked.
    fn end(mut self, descriptors: usize) {
        until("every connection is closed", || self.descriptors() == descriptors);
        let (mut tls, mut stream) = self.client();
        let mut answer = [0; 5];
        Stream::new(&mut tls, &mut stream).write_all(b"hello").unwrap();
        Stream::new(&mut tls, &mut stream).read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"hello");
        let script = format!("kill -TERM {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
        let mut status = None;
        until("it ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        assert_eq!(status.and_then(|status| status.code()), Some(0));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

fn bytes(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..len).map(|_| next()).collect()
}

/// Sends data through `openssl s_client`, and returns what comes back.
fn through_openssl(server: &Server, sent: &[u8], arguments: &[&str]) -> Vec<u8> {
    let mut openssl = server.openssl(arguments).spawn().unwrap();
    let (mut stdin, mut stdout) = (openssl.stdin.take().unwrap(), openssl.stdout.take().unwrap());
    let mut received = vec![0; sent.len()];
    thread::scope(|scope| {
        // The input stays open until everything has come back, because openssl does not support half-closed
        // connections.
        let writer = scope.spawn(move || stdin.write_all(sent).map(|()| stdin));
        stdout.read_exact(&mut received).unwrap();
        drop(writer.join().unwrap().unwrap());
    });
    let _ = openssl.kill();
    openssl.wait().unwrap();
    received
}

/// Expands to the same tests for each server.
macro_rules! servers {
    ($($name:ident: $program:expr;)+) => { $(mod $name {
        use super::*;

        fn start(arguments: &[&str]) -> (Server, usize) {
            let server = Server::start(env!($program), arguments);
            let descriptors = server.descriptors();
            (server, descriptors)
        }

        #[test]
        fn thirty_megabytes_through_openssl_come_back_as_they_were() {
            let (server, descriptors) = start(&[]);
            let sent = bytes(30 << 20);
            for version in ["-tls1_3", "-tls1_2"] {
                assert!(through_openssl(&server, &sent, &[version]) == sent, "{version}: not what was sent");
            }
            server.end(descriptors);
        }

        #[test]
        fn one_record_of_many_pieces_comes_back_though_nothing_follows() {
            super::one_record(start(&[]));
        }

        #[test]
        fn a_half_close_is_answered_after_everything_else() {
            super::half_close(start(&[]));
        }

        #[test]
        fn a_client_that_does_not_read_costs_little_and_gets_all_in_the_end() {
            super::slow_reader(start(&[]));
        }

        #[test]
        fn half_a_hello_is_waited_for_and_not_for_ever() {
            super::half_a_hello(start(&["--idle-ms", "300"]));
        }

        #[test]
        fn what_is_no_tls_gets_an_alert_and_an_end() {
            super::no_tls(start(&[]));
        }

        #[test]
        fn a_hundred_clients_at_once() {
            super::hundred(start(&[]));
        }

        #[test]
        fn curl_gets_its_own_request_back() {
            super::curl(start(&[]));
        }
    })+ };
}

servers! {
    plain: "CARGO_BIN_EXE_tls";
    tasks: "CARGO_BIN_EXE_async_tls";
}

/// A record holds 16 KiB, more than one piece: the rest is buffered in the TLS layer while the socket is silent.
fn one_record((server, descriptors): (Server, usize)) {
    let (mut tls, mut stream) = server.client();
    let sent = bytes(16 * 1024);
    for _ in 0..20 {
        tls.writer().write_all(&sent).unwrap();
        let mut received = vec![0; sent.len()];
        Stream::new(&mut tls, &mut stream).read_exact(&mut received).unwrap();
        assert!(received == sent, "not what was sent");
    }
    let cpu = server.cpu();
    thread::sleep(Duration::from_millis(300));
    assert!(server.cpu() - cpu <= Duration::from_millis(50), "it spins");
    drop(stream);
    server.end(descriptors);
}

fn half_close((server, descriptors): (Server, usize)) {
    let sent = bytes(1 << 20);
    let (mut tls, mut stream) = server.client();
    let mut received = Vec::new();
    for part in sent.chunks(64 * 1024) {
        let mut answer = vec![0; part.len()];
        Stream::new(&mut tls, &mut stream).write_all(part).unwrap();
        Stream::new(&mut tls, &mut stream).read_exact(&mut answer).unwrap();
        received.extend_from_slice(&answer);
    }
    // The last data and the TLS end arrive together, and the socket stays open: only the TLS layer knows the end.
    tls.writer().write_all(&sent[..10_000]).unwrap();
    tls.send_close_notify();
    while tls.wants_write() {
        tls.write_tls(&mut stream).unwrap();
    }
    received.truncate(sent.len());
    assert!(received == sent, "not what was sent");
    let mut last = Vec::new();
    Stream::new(&mut tls, &mut stream).read_to_end(&mut last).expect("a proper end, which no cut wire is");
    assert!(last == sent[..10_000], "{} of the last bytes came", last.len());
    until("the connection is closed", || server.descriptors() == descriptors);
    server.end(descriptors);
}

fn slow_reader((server, descriptors): (Server, usize)) {
    let (mut tls, stream) = server.client();
    let (mut near, mut far) = (stream.try_clone().unwrap(), stream);
    let before = server.memory();
    near.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    // Until neither side makes progress.
    let (sent, mut accepted) = (bytes(64 * 1024), 0);
    'sending: for _ in 0..1_000 {
        tls.writer().write_all(&sent).unwrap();
        accepted += sent.len();
        while tls.wants_write() {
            match tls.write_tls(&mut near) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if tls.is_handshaking() => panic!("{error}"),
                Err(_) => break 'sending,
            }
            while tls.is_handshaking() && !tls.wants_write() {
                tls.read_tls(&mut far).unwrap();
                tls.process_new_packets().unwrap();
            }
        }
    }
    assert!(tls.wants_write(), "{accepted} bytes went, and nobody read them");
    let (memory, cpu) = (server.memory(), server.cpu());
    assert!(memory < before + 2_000, "{before} kB before, {memory} kB now");
    thread::sleep(Duration::from_millis(300));
    assert!(server.cpu() - cpu <= Duration::from_millis(50), "it spins");
    // Now it reads, and the buffered data follows.
    far.set_nonblocking(true).unwrap();
    let (mut received, mut piece, begin) = (0, vec![0; 64 * 1024], Instant::now());
    while received < accepted {
        assert!(begin.elapsed() < PATIENCE, "{received} of {accepted} bytes came back");
        while tls.wants_write() && tls.write_tls(&mut far).is_ok() {}
        match tls.read_tls(&mut far) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(Duration::from_millis(1)),
            other => assert_ne!(other.unwrap(), 0, "the end, after {received} of {accepted}"),
        }
        tls.process_new_packets().unwrap();
        while let Ok(len) = tls.reader().read(&mut piece) {
            assert!((0..len).all(|at| piece[at] == sent[(received + at) % sent.len()]), "not what was sent");
            received += len;
        }
    }
    drop((near, far));
    server.end(descriptors);
}

fn half_a_hello((server, descriptors): (Server, usize)) {
    let (mut tls, stream) = server.client();
    let mut hello = Vec::new();
    tls.write_tls(&mut hello).unwrap();
    drop(stream);
    let mut stream = server.connect();
    stream.write_all(&hello[..hello.len() / 2]).unwrap();
    let begin = Instant::now();
    assert_eq!(end_of(&mut stream), 0);
    assert!(begin.elapsed() >= Duration::from_millis(290), "after {:?} only", begin.elapsed());
    // The server must not keep a connection whose client has gone.
    for len in [0, 1, 5, hello.len() / 2, hello.len() - 1, hello.len()] {
        let mut stream = server.connect();
        stream.write_all(&hello[..len]).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let begin = Instant::now();
        end_of(&mut stream);
        assert!(begin.elapsed() < PATIENCE);
    }
    server.end(descriptors);
}

/// How many bytes arrive before the end, which may be a reset.
fn end_of(stream: &mut TcpStream) -> usize {
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("no end: {error}"),
        _ => answer.len(),
    }
}

fn no_tls((server, descriptors): (Server, usize)) {
    for wrong in
        [&b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..], &[0; 100], &[0xff; 70_000], b"\x16\x03\x01\x00\x00"]
    {
        let mut stream = server.connect();
        let written: io::Result<()> = stream.write_all(wrong);
        let _ = stream.shutdown(Shutdown::Write);
        let answer = end_of(&mut stream);
        // A complete alert, or nothing if the rest of the data has reset the connection.
        assert!(answer == 7 || answer == 0, "{answer} bytes, {written:?}");
    }
    server.end(descriptors);
}

fn hundred((server, descriptors): (Server, usize)) {
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut clients: Vec<_> = (0..25).map(|_| server.client()).collect();
                let sent = bytes(20_000);
                for _ in 0..3 {
                    for (tls, stream) in &mut clients {
                        Stream::new(tls, stream).write_all(&sent).unwrap();
                    }
                    for (tls, stream) in &mut clients {
                        let mut received = vec![0; sent.len()];
                        Stream::new(tls, stream).read_exact(&mut received).unwrap();
                        assert!(received == sent, "not what was sent");
                    }
                }
            });
        }
    });
    server.end(descriptors);
}

/// curl accepts an echo of its HTTP request as an answer of HTTP 0.9. It ends after a limited amount.
fn curl((server, descriptors): (Server, usize)) {
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--http0.9", "--no-buffer", "--max-time", "20", "--cacert"]).arg(&certificate().0);
    curl.arg(format!("https://{}/hello", server.address));
    let mut child = match curl.stdout(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) => return println!("not run: curl: {error}"),
    };
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "GET /hello HTTP/1.1\r\n");
    child.kill().unwrap();
    child.wait().unwrap();
    server.end(descriptors);
}
