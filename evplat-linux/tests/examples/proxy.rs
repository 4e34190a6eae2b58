//! Tests `async_proxy` and `async_echo` with curl, and with clients that curl cannot imitate.

use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::program::{PATIENCE, Program, connect, read_line, until};

struct Proxy {
    program: Program,
    address: SocketAddr,
    descriptors: usize,
}

impl Proxy {
    fn start(arguments: &[&str]) -> Self {
        let program = Program::start("async_proxy", arguments);
        let address = program.address();
        let descriptors = program.descriptors();
        Self { program, address, descriptors }
    }

    /// A connection to `server` through the proxy.
    fn through(&self, server: SocketAddr) -> TcpStream {
        let mut stream = connect(self.address);
        assert_eq!(request(&mut stream, server).unwrap(), 0, "no connection to {server}");
        stream
    }

    /// Asserts that it has closed every connection, and ends when asked.
    fn end(self) {
        until("every connection is closed", || self.program.descriptors() == self.descriptors);
        assert_eq!(self.program.stop(), ["0 sessions cut off"]);
    }
}

/// Requests a connection, and returns the proxy's reply code.
fn request(stream: &mut TcpStream, server: SocketAddr) -> io::Result<u8> {
    let SocketAddr::V4(server) = server else { unreachable!("loopback") };
    stream.write_all(&[5, 2, 0, 2])?;
    let mut chosen = [0; 2];
    stream.read_exact(&mut chosen)?;
    assert_eq!(chosen, [5, 0]);
    let mut words = vec![5, 1, 0, 1];
    words.extend_from_slice(&server.ip().octets());
    words.extend_from_slice(&server.port().to_be_bytes());
    stream.write_all(&words)?;
    let mut reply = [0; 10];
    stream.read_exact(&mut reply)?;
    Ok(reply[1])
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn accept(listener: &TcpListener) -> TcpStream {
    let stream = listener.accept().unwrap().0;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn rest(mut stream: &TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("a proper end");
    bytes
}

/// Test data without repetitions.
fn bytes(len: usize) -> Vec<u8> {
    (0..len / 8 + 1)
        .flat_map(|number| (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_ne_bytes())
        .take(len)
        .collect()
}

/// Uses a session and ends it properly.
fn converse(proxy: &Proxy, listener: &TcpListener, server: SocketAddr) {
    let mut near = proxy.through(server);
    let mut far = accept(listener);
    near.write_all(b"ping").unwrap();
    near.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&far), b"ping");
    far.write_all(b"pong").unwrap();
    drop(far);
    assert_eq!(rest(&near), b"pong");
}

#[test]
fn curl_fetches_thirty_megabytes() {
    let proxy = Proxy::start(&[]);
    let (listener, server) = listener();
    let sent = bytes(30 << 20);
    let (socks, url) = (proxy.address.to_string(), format!("http://{server}/"));
    let curl = || {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--max-time", "60", "--socks5", &socks, &url]);
        curl.output()
    };
    if Command::new("curl").arg("--version").output().is_err() {
        return println!("not run: curl is not installed");
    }
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut stream = accept(&listener);
            // Read everything, otherwise closing would reset the connection.
            let mut request = BufReader::new(stream.try_clone().unwrap());
            while !read_line(&mut request).is_empty() {}
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", sent.len()).unwrap();
            stream.write_all(&sent).unwrap();
        });
        let output = curl().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stdout == sent, "{} bytes came, not what was sent", output.stdout.len());
    });
    // The address has no listener any more.
    drop(listener);
    let output = curl().unwrap();
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("(5)"), "{output:?}");
    proxy.end();
}

#[test]
fn each_half_closes_on_its_own() {
    let proxy = Proxy::start(&[]);
    let (listener, server) = listener();
    let sent = bytes(1 << 20);
    // The client shuts down its side first.
    let (mut near, mut far) = (proxy.through(server), accept(&listener));
    thread::scope(|scope| {
        scope.spawn(|| {
            near.write_all(&sent).unwrap();
            near.shutdown(Shutdown::Write).unwrap();
        });
        assert!(rest(&far) == sent);
    });
    far.write_all(&sent[..1_000]).unwrap();
    let mut some = [0; 1_000];
    near.read_exact(&mut some).unwrap();
    assert!(some[..] == sent[..1_000]);
    drop(far);
    assert_eq!(rest(&near), b"");
    // The server shuts down its side first.
    let (mut near, mut far) = (proxy.through(server), accept(&listener));
    far.write_all(b"all I have to say").unwrap();
    far.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&near), b"all I have to say");
    thread::scope(|scope| {
        scope.spawn(|| {
            near.write_all(&sent).unwrap();
            near.shutdown(Shutdown::Write).unwrap();
        });
        assert!(rest(&far) == sent);
    });
    drop((near, far));
    proxy.end();
}

#[test]
fn a_side_that_does_not_read_holds_up_the_other() {
    let proxy = Proxy::start(&[]);
    let (listener, server) = listener();
    let (near, far) = (proxy.through(server), accept(&listener));
    let before = proxy.program.memory();
    near.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let (chunk, mut sent) = (bytes(64 * 1024), 0);
    let error = loop {
        match (&near).write(&chunk[sent % chunk.len()..]) {
            Ok(len) => sent += len,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => break error,
        }
        assert!(sent < 200 << 20, "nothing holds it up");
    };
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    assert!(proxy.program.memory() < before + 1_000, "it keeps what it cannot pass on");
    let cpu = proxy.program.cpu();
    thread::sleep(Duration::from_millis(300));
    assert!(proxy.program.cpu() - cpu <= Duration::from_millis(50), "it spins");
    near.shutdown(Shutdown::Write).unwrap();
    let received = rest(&far);
    assert!(received.len() == sent && received.iter().enumerate().all(|(at, byte)| *byte == chunk[at % chunk.len()]));
    drop((near, far));
    proxy.end();
}

#[test]
fn a_reset_on_one_side_ends_the_other() {
    let proxy = Proxy::start(&[]);
    let (listener, server) = listener();
    for side in 0..2 {
        let (near, far) = (proxy.through(server), accept(&listener));
        let (mut stays, goes) = if side == 0 { (near, far) } else { (far, near) };
        // Closing with unread bytes resets the connection.
        stays.write_all(b"unread").unwrap();
        until("it has come", || goes.peek(&mut [0]).is_ok_and(|len| len > 0));
        drop(goes);
        assert!(stays.read_exact(&mut [0]).is_err());
    }
    proxy.end();
}

#[test]
fn failures_are_answered_as_socks_has_it() {
    let proxy = Proxy::start(&[]);
    let nobody = listener().1;
    assert_eq!(request(&mut connect(proxy.address), nobody).unwrap(), 5);
    let answers = |words: &[u8]| {
        let mut stream = connect(proxy.address);
        stream.write_all(&[5, 1, 0]).unwrap();
        stream.write_all(words).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        rest(&stream)
    };
    assert_eq!(answers(&[5, 1, 0, 3])[..4], [5, 0, 5, 8], "a name");
    assert_eq!(answers(&[5, 2, 0, 1])[..4], [5, 0, 5, 7], "bind");
    assert_eq!(answers(&[5, 1, 0, 1, 127]), [5, 0], "half a request");
    let mut stream = connect(proxy.address);
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert!(stream.read_exact(&mut [0]).is_err(), "no SOCKS at all");
    proxy.end();
}

#[test]
fn a_session_ends_after_silence_and_not_while_bytes_go_one_way() {
    let proxy = Proxy::start(&["127.0.0.1:0", "0.5"]);
    let (listener, server) = listener();
    let (near, mut far) = (proxy.through(server), accept(&listener));
    // The client is silent for several times its idle timeout, while the server sends.
    let mut some = [0; 4];
    for _ in 0..15 {
        far.write_all(b"more").unwrap();
        (&near).read_exact(&mut some).expect("the session goes on");
        thread::sleep(Duration::from_millis(100));
    }
    let begin = Instant::now();
    assert_eq!((&near).read_exact(&mut some).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    assert!(begin.elapsed() >= Duration::from_millis(300), "after {:?} only", begin.elapsed());
    // A client that never says anything is disconnected, too.
    assert_eq!(connect(proxy.address).read_exact(&mut some).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    drop((near, far));
    proxy.end();
}

#[test]
fn five_hundred_sessions_at_once() {
    // Each session needs two descriptors in this process and two in the proxy.
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum.map_or(Some(4096), |maximum| Some(maximum.min(4096)));
    setrlimit(Resource::Nofile, limit).unwrap();
    let proxy = Proxy::start(&[]);
    let (listener, server) = listener();
    let mut sessions: Vec<_> = (0..500).map(|_| (proxy.through(server), accept(&listener))).collect();
    for round in 0..3 {
        for (number, (near, far)) in sessions.iter_mut().enumerate() {
            near.write_all(format!("{round} {number:4}").as_bytes()).unwrap();
            far.write_all(format!("{number:4} {round}").as_bytes()).unwrap();
        }
        for (number, (near, far)) in sessions.iter_mut().enumerate() {
            let mut words = [0; 6];
            far.read_exact(&mut words).unwrap();
            assert_eq!(words, format!("{round} {number:4}").as_bytes());
            near.read_exact(&mut words).unwrap();
            assert_eq!(words, format!("{number:4} {round}").as_bytes());
        }
    }
    drop(sessions);
    proxy.end();
}

#[test]
fn terminated_it_lets_the_sessions_end() {
    let proxy = Proxy::start(&[]);
    let (listener, server) = listener();
    let (mut near, mut far) = (proxy.through(server), accept(&listener));
    proxy.program.signal("TERM");
    until("it listens no more", || TcpStream::connect(proxy.address).is_err());
    near.write_all(b"still here?").unwrap();
    near.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&far), b"still here?");
    far.write_all(b"yes").unwrap();
    drop(far);
    assert_eq!(rest(&near), b"yes");
    assert_eq!(proxy.program.rest(), ["0 sessions cut off"]);
}

/// Asserts that memory does not grow over `rounds` times many sessions.
fn memory_is_flat(rounds: usize) {
    let proxy = Proxy::start(&[]);
    let (listener, server) = listener();
    let round = || {
        let open: Vec<_> = (0..20).map(|_| (proxy.through(server), accept(&listener))).collect();
        (0..100).for_each(|_| converse(&proxy, &listener, server));
        drop(open);
        until("every connection is closed", || proxy.program.descriptors() == proxy.descriptors);
    };
    (0..3).for_each(|_| round());
    let before = proxy.program.memory();
    (0..rounds).for_each(|_| round());
    let after = proxy.program.memory();
    println!("{} sessions: {before} kB before, {after} kB after", rounds * 120);
    assert!(after <= before + 200, "{before} kB before, {after} kB after");
    proxy.end();
}

#[test]
fn memory_is_flat_over_a_thousand_sessions() {
    memory_is_flat(8);
}

#[test]
#[ignore = "half a minute: .ci/run proxy-soak"]
fn memory_is_flat_over_fifty_thousand_sessions() {
    memory_is_flat(420);
}

#[test]
fn the_echo_of_tasks_echoes() {
    let program = Program::start("async_echo", &[]);
    let (address, descriptors) = (program.address(), program.descriptors());
    let sent = bytes(8 << 20);
    let stream = connect(address);
    thread::scope(|scope| {
        scope.spawn(|| {
            (&stream).write_all(&sent).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
        });
        assert!(rest(&stream) == sent, "not what was sent");
    });
    let mut many: Vec<TcpStream> = (0..100).map(|_| connect(address)).collect();
    many.iter_mut().for_each(|stream| stream.write_all(b"hello").unwrap());
    many.iter_mut().for_each(|stream| {
        let mut words = [0; 5];
        stream.read_exact(&mut words).unwrap();
        assert_eq!(&words, b"hello");
    });
    many.clear();
    drop(stream);
    until("every connection is closed", || program.descriptors() == descriptors);
    assert!(program.stop().is_empty());
}

#[test]
fn they_say_what_they_cannot_do() {
    for example in ["async_echo", "async_proxy"] {
        let (code, _, err) = Program::start(example, &["nowhere"]).outcome();
        assert!(code == Some(2) && err[1].starts_with("usage: "), "{err:?}");
        let taken = listener();
        let (code, _, err) = Program::start(example, &[&taken.1.to_string()]).outcome();
        assert!(code == Some(1) && err[0].contains(&taken.1.to_string()), "{err:?}");
    }
}
