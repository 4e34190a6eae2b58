//! Tests `http` with all kinds of clients, including hostile ones.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::program::{PATIENCE, Program, connect, until};

struct Server {
    program: Program,
    address: SocketAddr,
    descriptors: usize,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        Self::of(Program::start("http", arguments))
    }

    fn of(program: Program) -> Self {
        let address = program.address();
        let descriptors = program.descriptors();
        Self { program, address, descriptors }
    }

    /// Sends these bytes, and returns everything that the server sends until it closes the connection.
    fn tell(&self, bytes: &[u8]) -> String {
        let mut stream = connect(self.address);
        stream.write_all(bytes).expect("it takes what is sent");
        rest(&mut stream)
    }

    /// Asserts that it is still running, has closed every connection, and ends when asked.
    fn end(self) {
        assert_eq!(status(&self.tell(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")), "200");
        until("every connection is closed", || self.program.descriptors() == self.descriptors);
        let last = self.program.stop();
        assert!(last.last().is_some_and(|line| line.starts_with("served ")), "{last:?}");
    }
}

/// Reads up to the end, which must not be a reset.
fn rest(stream: &mut TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("a clean end");
    answer
}

fn status(answer: &str) -> &str {
    answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).unwrap_or("none")
}

/// Reads one answer with a length. Returns its head and body.
fn answer(reader: &mut impl BufRead) -> (String, Vec<u8>) {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut head).expect("a line"), 0, "the end, after {head:?}");
    }
    let length = head.split("Content-Length: ").nth(1).and_then(|rest| rest.split('\r').next()).unwrap_or("0");
    let mut body = vec![0; length.parse().unwrap()];
    reader.read_exact(&mut body).expect("a body");
    (head, body)
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

#[test]
fn connections_are_kept_and_bodies_come_back() {
    let server = Server::start(&[]);
    let mut reader = BufReader::new(connect(server.address));
    for _ in 0..3 {
        reader.get_mut().write_all(GET).unwrap();
        let (head, body) = answer(&mut reader);
        assert_eq!((status(&head), &body[..]), ("200", &b"Hello, world\n"[..]));
        assert!(head.contains("\r\nDate: ") && head.contains(" GMT\r\n"), "{head}");
    }
    // Far more than fits into the buffers between the two, so that the server has to wait while it answers.
    let sent: Vec<u8> = (0..1_u32 << 20).map(|at| (at ^ at >> 8) as u8).collect();
    let stream = reader.get_ref().try_clone().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            write!(&stream, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", sent.len()).unwrap();
            (&stream).write_all(&sent).expect("it takes what is sent");
        });
        assert!(answer(&mut reader).1 == sent, "not what was sent");
    });
    drop((reader, stream));
    server.end();
}

#[test]
fn a_thousand_requests_at_once_are_answered_in_order() {
    let server = Server::start(&[]);
    let stream = connect(server.address);
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..1_000 {
                let body = format!("{number}");
                let head = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length:";
                write!(&stream, "{head} {}\r\n\r\n{body}", body.len()).unwrap();
            }
        });
        for number in 0..1_000 {
            assert_eq!(answer(&mut reader).1, number.to_string().into_bytes());
        }
    });
    drop((reader, stream));
    server.end();
}

#[test]
fn pipelined_requests_of_a_client_that_reads_late_wait_for_it() {
    let server = Server::start(&[]);
    let stream = connect(server.address);
    let requests = GET.repeat(100_000);
    thread::scope(|scope| {
        scope.spawn(|| (&stream).write_all(&requests).expect("it takes what is sent, in the end"));
        thread::sleep(Duration::from_millis(300));
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        for _ in 0..100_000 {
            assert_eq!(answer(&mut reader).1, b"Hello, world\n");
        }
    });
    drop(stream);
    server.end();
}

#[test]
fn head_has_no_body_and_old_clients_are_let_go() {
    let server = Server::start(&[]);
    let head = server.tell(b"HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(head.contains("Content-Length: 13\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    assert!(server.tell(b"GET / HTTP/1.0\r\n\r\n").ends_with("Hello, world\n"));
    let mut reader = BufReader::new(connect(server.address));
    for _ in 0..2 {
        reader.get_mut().write_all(b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").unwrap();
        assert!(answer(&mut reader).0.contains("Connection: keep-alive\r\n"));
    }
    drop(reader);
    server.end();
}

#[test]
fn what_is_wrong_is_refused_by_its_number_and_a_clean_end() {
    let server = Server::start(&[]);
    let long = |len| "a".repeat(len);
    let close = "Connection: close\r\n";
    let wrong: Vec<(&str, String)> = vec![
        ("400", "GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n".into()),
        ("400", "\0\0\0\0\0\0\0\0\r\n\r\n".into()),
        ("400", "GET / HTTP/1.1\r\n\r\n".into()),
        ("400", "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n".into()),
        ("400", "GET / HTTP/1.1\r\nHost : x\r\n\r\n".into()),
        ("400", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc".into()),
        ("400", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n".into()),
        ("400", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n".into()),
        ("400", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd".into()),
        (
            "400",
            "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".into(),
        ),
        ("400", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n".into()),
        ("404", format!("GET /none HTTP/1.1\r\nHost: x\r\n{close}\r\n")),
        ("405", format!("DELETE / HTTP/1.1\r\nHost: x\r\n{close}\r\n")),
        ("405", format!("GET /echo?a=b HTTP/1.1\r\nHost: x\r\n{close}\r\n")),
        ("411", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".into()),
        ("413", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n".into()),
        ("413", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551615\r\n\r\n".into()),
        ("414", format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", long(9_000))),
        ("431", format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n", long(9_000))),
        ("431", format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "A: b\r\n".repeat(65))),
        ("505", "GET / HTTP/2.0\r\nHost: x\r\n\r\n".into()),
    ];
    for (expected, request) in wrong {
        let mut stream = connect(server.address);
        stream.write_all(request.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(status(&rest(&mut stream)), expected, "{:.80}", request.escape_debug().to_string());
    }
    server.end();
}

#[test]
fn a_megabyte_without_a_line_gets_an_answer_and_a_clean_end() {
    let server = Server::start(&[]);
    for byte in [b'a', 0, b'\n', 0xff] {
        let mut stream = connect(server.address);
        stream.write_all(&vec![byte; 1 << 20]).expect("it takes what is sent");
        stream.shutdown(Shutdown::Write).unwrap();
        let expected = match byte {
            b'a' => "414",
            b'\n' => "431",
            _ => "400",
        };
        assert_eq!(status(&rest(&mut stream)), expected, "{byte}");
    }
    server.end();
}

#[test]
fn drops_do_not_stretch_the_time_for_a_request() {
    let server = Server::start(&["--timeout", "1", "--keep-alive", "30"]);
    let mut stream = connect(server.address);
    let (begin, mut sent) = (Instant::now(), GET.iter());
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut first = [0; 512];
    let len = loop {
        assert!(begin.elapsed() < PATIENCE, "it waits for ever");
        let byte = sent.next().expect("it is not patient enough for all of it");
        stream.write_all(&[*byte]).expect("it is still there");
        match stream.read(&mut first) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            other => break other.expect("an answer"),
        }
    };
    assert!(begin.elapsed() >= Duration::from_millis(900), "after {:?} only", begin.elapsed());
    assert_eq!(status(&String::from_utf8_lossy(&first[..len])), "408");
    drop(stream);
    server.end();
}

#[test]
fn the_silent_are_let_go_in_time_and_in_silence() {
    let server = Server::start(&["--timeout", "0.3", "--keep-alive", "0.6"]);
    let begin = Instant::now();
    assert_eq!(rest(&mut connect(server.address)), "");
    assert!(begin.elapsed() >= Duration::from_millis(290));
    let mut reader = BufReader::new(connect(server.address));
    reader.get_mut().write_all(GET).unwrap();
    let begin = Instant::now();
    answer(&mut reader);
    assert_eq!(rest(reader.get_mut()), "");
    assert!(begin.elapsed() >= Duration::from_millis(500), "after {:?} only", begin.elapsed());
    server.end();
}

#[test]
fn half_requests_and_resets_leave_nothing() {
    let server = Server::start(&[]);
    for len in 0..GET.len() {
        let mut stream = connect(server.address);
        // The answer to the complete request is not read, so closing resets the connection.
        stream.write_all(GET).unwrap();
        stream.write_all(&GET[..len]).unwrap();
        let _ = stream.peek(&mut [0]);
    }
    server.end();
}

#[test]
fn leave_is_given_to_send_a_body() {
    let server = Server::start(&[]);
    let mut reader = BufReader::new(connect(server.address));
    let head = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
    reader.get_mut().write_all(head).unwrap();
    assert_eq!(status(&answer(&mut reader).0), "100");
    reader.get_mut().write_all(b"abc").unwrap();
    assert_eq!(answer(&mut reader).1, b"abc");
    drop(reader);
    server.end();
}

#[test]
fn without_descriptors_it_waits_for_some() {
    let server = Server::of(Program::start_limited("http", 20, &[]));
    let streams: Vec<TcpStream> = (0..40).map(|_| connect(server.address)).collect();
    until("it has none left", || server.program.has_all_below(20));
    let cpu = server.program.cpu();
    thread::sleep(Duration::from_millis(500));
    assert!(server.program.cpu() - cpu <= Duration::from_millis(100), "it spins");
    for mut stream in streams {
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        assert_eq!(status(&rest(&mut stream)), "200");
    }
    server.end();
}

#[test]
fn at_the_end_nobody_is_cut_off() {
    let server = Server::start(&[]);
    let (mut busy, mut idle) = (connect(server.address), connect(server.address));
    idle.write_all(GET).unwrap();
    answer(&mut BufReader::new(&idle));
    busy.write_all(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na").unwrap();
    // A request on another connection has been answered, so the server has processed what was sent on this one
    // before.
    assert_eq!(status(&server.tell(b"GET / HTTP/1.0\r\n\r\n")), "200");
    server.program.signal("TERM");
    assert_eq!(rest(&mut idle), "");
    assert!(TcpStream::connect(server.address).is_err(), "it still listens");
    busy.write_all(b"bc").unwrap();
    let last = rest(&mut busy);
    assert!(last.contains("Connection: close\r\n") && last.ends_with("abc"), "{last}");
    drop(busy);
    assert_eq!(server.program.rest(), ["served 3 requests"]);
}

#[test]
fn curl_is_content() {
    let server = Server::start(&[]);
    let curl = |arguments: &[&str]| {
        let (root, format) = (format!("http://{}", server.address), "%{http_code} %{num_connects}");
        let urls = arguments.iter().map(|word| word.replace('@', &root));
        Command::new("curl").args(["-sS", "--max-time", "10", "-w", format]).args(urls).output()
    };
    let Ok(output) = curl(&["@/", "@/none"]) else {
        println!("not run: curl is not installed");
        return;
    };
    let text = |output: std::process::Output| {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(text(output), "Hello, world\n200 1404 Not Found\n404 0");
    assert_eq!(text(curl(&["-d", "some text", "@/echo"]).unwrap()), "some text200 1");
    assert!(text(curl(&["-I", "@/"]).unwrap()).ends_with("\r\n\r\n200 1"));
    assert_eq!(text(curl(&["-0", "@/"]).unwrap()), "Hello, world\n200 1");
    server.end();
}
