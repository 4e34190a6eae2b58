//! The smaller servers: `chat`, `udp`, `threads`, `multicore`, `callbacks`, `closures`.

use std::collections::HashSet;
use std::io::{BufReader, ErrorKind, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::time::Duration;

use crate::program::{PATIENCE, Program, connect, read_line, until};

fn join(program: &Program, address: std::net::SocketAddr, name: &str) -> BufReader<TcpStream> {
    let mut reader = BufReader::new(connect(address));
    assert_eq!(read_line(&mut reader), "* your name?");
    writeln!(reader.get_mut(), "{name}").unwrap();
    assert!(program.descriptors() > 0);
    reader
}

#[test]
fn all_get_a_line_and_a_slow_reader_is_disconnected() {
    let program = Program::start("chat", &[]);
    let address = program.address();
    let descriptors = program.descriptors();
    let mut ann = join(&program, address, "ann");
    // Clients that already have a name are told when another gets one.
    let slow = join(&program, address, "slow");
    assert_eq!(read_line(&mut ann), "* slow is here");
    let mut bob = join(&program, address, "b\x1b[2Job");
    assert_eq!(read_line(&mut ann), "* b[2Job is here");
    let line = "x".repeat(1000);
    let mut is_gone = false;
    // More than the buffers between two processes can hold; ann reads, and misses nothing.
    for number in 0..40_000 {
        writeln!(bob.get_mut(), "{number} {line}").unwrap();
        let mut heard = read_line(&mut ann);
        if heard == "* slow is gone" {
            is_gone = true;
            heard = read_line(&mut ann);
        }
        assert_eq!(heard, format!("b[2Job: {number} {line}"));
        if is_gone {
            break;
        }
    }
    assert!(is_gone, "a client that does not read is kept for ever");
    writeln!(ann.get_mut(), "hello\nthere").unwrap();
    until("bob reads the line", || read_line(&mut bob) == "ann: hello");
    assert_eq!(read_line(&mut bob), "ann: there");
    drop((ann, bob, slow));
    until("every connection is closed", || program.descriptors() == descriptors);
    assert_eq!(program.stop(), ["dropped 1"]);
}

#[test]
fn a_line_without_end_is_not_kept() {
    let program = Program::start("chat", &[]);
    let mut stream = connect(program.address());
    let sent = (0..1000).try_for_each(|_| stream.write_all(&[b'x'; 1000]));
    // The server closes while more is arriving, which resets the connection.
    assert!(sent.is_err() || stream.read_to_end(&mut Vec::new()).is_err());
    program.stop();
}

/// A query for one name.
fn query(name: &str, kind: u16) -> Vec<u8> {
    let mut bytes = vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        bytes.push(label.len() as u8);
        bytes.extend(label.bytes());
    }
    bytes.push(0);
    bytes.extend([kind.to_be_bytes(), 1_u16.to_be_bytes()].concat());
    bytes
}

#[test]
fn names_are_answered_for_and_nonsense_does_no_harm() {
    let program = Program::start("udp", &["printer.test=192.0.2.7"]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(program.address()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let ask = |bytes: &[u8]| {
        socket.send(bytes).unwrap();
        let (mut answer, mut len) = ([0; 600], 0);
        until("an answer", || socket.recv(&mut answer).inspect(|received| len = *received).is_ok());
        answer[..len].to_vec()
    };
    let answer = ask(&query("PRINTER.test", 1));
    assert_eq!(answer[..8], [0xab, 0xcd, 0x85, 0, 0, 1, 0, 1]);
    assert_eq!(answer[answer.len() - 4..], [192, 0, 2, 7]);
    assert_eq!(ask(&query("printer.test", 28))[3..8], [0, 0, 1, 0, 0], "the name is there, but no such address");
    assert_eq!(ask(&query("nobody.test", 1))[3] & 15, 3);
    let mut wrong = query("printer.test", 1);
    wrong[12] = 0xc0;
    assert_eq!(ask(&wrong)[3] & 15, 1, "a pointer to itself");
    assert_eq!(ask(&query("printer.test", 1)[..20])[3] & 15, 1);
    let mut status = query("printer.test", 1);
    status[2] = 0x10;
    assert_eq!(ask(&status)[3] & 15, 4);
    // First what must not be answered, then a query cut or corrupted at each place, then a valid one.
    socket.send(&answer).unwrap();
    socket.send(b"").unwrap();
    let sound = query("printer.test", 1);
    for at in 0..sound.len() {
        socket.send(&sound[..at]).unwrap();
        let mut spoilt = sound.clone();
        spoilt[at] ^= 0xff;
        socket.send(&spoilt).unwrap();
    }
    socket.send(&[0; 5000]).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    while !matches!(socket.recv(&mut [0; 600]), Err(error) if error.kind() == ErrorKind::WouldBlock) {}
    assert_eq!(ask(&sound)[7], 1);
    assert!(program.stop()[0].starts_with("answered "));
}

#[test]
fn workers_answer_in_order_and_a_leaver_stops_no_one() {
    let program = Program::start("threads", &[]);
    let address = program.address();
    let descriptors = program.descriptors();
    let mut reader = BufReader::new(connect(address));
    reader.get_mut().write_all(b"15\n7\n1\n0\n1000036000099\n").unwrap();
    // This client goes before its answer is ready.
    drop(connect(address).write_all(b"1000036000099\n"));
    for expected in ["15: 3 5", "7: 7", "1: 1", "0: 0", "1000036000099: 1000003 1000033"] {
        assert_eq!(read_line(&mut reader), expected);
    }
    reader.get_mut().write_all(b"nonsense\n").unwrap();
    assert_eq!(read_line(&mut reader), "");
    until("every connection is closed", || program.descriptors() == descriptors);
    assert!(program.stop()[0].ends_with(" workers"));
}

#[test]
fn connections_are_shared_out_and_each_is_greeted() {
    let program = Program::start("multicore", &["127.0.0.1:0", "4"]);
    let (address, mut seen) = (program.address(), HashSet::new());
    for _ in 0..200 {
        let mut greeting = String::new();
        connect(address).read_to_string(&mut greeting).unwrap();
        seen.insert(greeting.trim().strip_prefix("thread ").unwrap().parse::<usize>().unwrap());
    }
    assert!(seen.len() > 1, "{seen:?}");
    let lines = program.stop();
    let greeted = lines.iter().map(|line| line.rsplit(' ').next().unwrap().parse::<u32>().unwrap());
    assert_eq!((lines.len(), greeted.sum::<u32>()), (4, 200), "{lines:?}");
}

#[test]
fn functions_and_closures_greet_alike() {
    for example in ["callbacks", "closures"] {
        let program = Program::start_limited(example, 20, &[]);
        let (address, descriptors) = (program.address(), program.descriptors());
        let mut streams: Vec<_> = (0..40).map(|_| connect(address)).collect();
        // A client that has already sent data is greeted, too, and so are those that can be accepted only after
        // others have gone.
        for mut stream in streams.drain(..) {
            let _ = stream.write_all(b"not asked for");
            let mut greeting = String::new();
            stream.read_to_string(&mut greeting).expect("a greeting, and an end");
            assert_eq!(greeting, "Hello, World!\n");
        }
        until("every connection is closed", || program.descriptors() == descriptors);
        assert_eq!(program.stop(), ["greeted 40"]);
    }
}
