//! Tasks on epoll: sockets, time, signals and other threads.

use std::cell::Cell;
use std::future::poll_fn;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use evplat_linux::evcore::Error;
use evplat_linux::task::{Executor, Handle, Io, JoinError, executor, yield_now};

/// So long that only a failure comes to its end.
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(5);

async fn echo(stream: Io<TcpStream>) -> io::Result<()> {
    let mut bytes = [0; 4096];
    loop {
        match stream.read(&mut bytes).await? {
            0 => return Ok(()),
            read => stream.write_all(&bytes[..read]).await?,
        }
    }
}

async fn serve(handle: Handle, listener: Io<TcpListener>) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        handle.spawn(echo(stream))?.detach();
    }
}

/// An executor with an echo server.
fn server() -> (Executor, Handle, SocketAddr) {
    let executor = executor().unwrap();
    let handle = executor.handle();
    let listener = Io::new(&handle, TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).unwrap();
    let address = listener.get_ref().local_addr().unwrap();
    handle.spawn(serve(handle.clone(), listener)).unwrap().detach();
    (executor, handle, address)
}

#[test]
fn a_hundred_clients_get_their_own_bytes_back() {
    let (mut executor, handle, address) = server();
    let client = |number: u32| {
        let handle = handle.clone();
        async move {
            let stream = Io::connect(&handle, address).await?;
            for round in 0..10u32 {
                let sent: Vec<u8> = (0..2_000).map(|at: u32| (at * number + round) as u8).collect();
                stream.write_all(&sent).await?;
                let (mut received, mut length) = (vec![0; sent.len()], 0);
                while length < received.len() {
                    length += stream.read(&mut received[length..]).await?;
                }
                assert_eq!(received, sent);
            }
            Ok::<(), io::Error>(())
        }
    };
    let clients: Vec<_> = (0..100).map(|number| handle.spawn(client(number)).unwrap()).collect();
    executor
        .block_on(async {
            for client in clients {
                client.await.unwrap().unwrap();
            }
        })
        .unwrap();
}

#[test]
fn connect_to_nobody_is_refused() {
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let mut executor = executor().unwrap();
    let handle = executor.handle();
    let refused = executor.block_on(async { Io::connect(&handle, address).await.map(drop) }).unwrap();
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn a_read_after_its_idle_timeout_fails_and_the_next_one_waits_anew() {
    let mut executor = executor().unwrap();
    let handle = executor.handle();
    let (near, mut far) = UnixStream::pair().unwrap();
    let near = Io::new(&handle, near).unwrap();
    near.set_idle_timeout(Some(SHORT));
    let mut byte = [0];
    executor
        .block_on(async {
            assert_eq!(near.read(&mut byte).await.unwrap_err().kind(), ErrorKind::TimedOut);
            far.write_all(b"x").unwrap();
            assert_eq!(near.read(&mut byte).await.unwrap(), 1);
            assert_eq!(near.read(&mut byte).await.unwrap_err().kind(), ErrorKind::TimedOut);
            near.set_idle_timeout(None);
            let late = handle.timeout(SHORT * 4, near.read(&mut byte)).await;
            assert_eq!(late.unwrap_err(), Error::TimedOut);
        })
        .unwrap();
    let base = executor.base().unwrap();
    assert_eq!(base.counts().events, 1, "what has ended left no event");
}

#[test]
fn a_write_waits_until_the_peer_has_read() {
    let mut executor = executor().unwrap();
    let handle = executor.handle();
    let (near, mut far) = UnixStream::pair().unwrap();
    let near = Io::new(&handle, near).unwrap();
    let reader = thread::spawn(move || {
        let mut all = Vec::new();
        far.read_to_end(&mut all).unwrap();
        all.len()
    });
    const LENGTH: usize = 4 << 20;
    executor.block_on(async { near.write_all(&vec![7; LENGTH]).await }).unwrap().unwrap();
    drop(near);
    assert_eq!(reader.join().unwrap(), LENGTH);
}

#[test]
fn a_thread_wakes_a_sleeping_executor() {
    let mut executor = executor().unwrap();
    let (sender, receiver) = std::sync::mpsc::channel::<u32>();
    let mut waker = None;
    let mut sender = Some(sender);
    let mut thread = None;
    let received = executor
        .block_on(poll_fn(|context| {
            if let Ok(value) = receiver.try_recv() {
                return Poll::Ready(value);
            }
            if let Some(sender) = sender.take() {
                let waker = waker.insert(context.waker().clone()).clone();
                thread = Some(thread::spawn(move || {
                    thread::sleep(SHORT);
                    sender.send(7).unwrap();
                    waker.wake();
                }));
            }
            Poll::Pending
        }))
        .unwrap();
    assert_eq!(received, 7);
    thread.unwrap().join().unwrap();
    drop(executor);
    // Nobody is there.
    waker.unwrap().wake();
}

#[test]
fn a_panic_reaches_the_handle_and_no_other_task() {
    let mut executor = executor().unwrap();
    let handle = executor.handle();
    let done = Rc::new(Cell::new(false));
    let other = handle
        .spawn({
            let (done, handle) = (done.clone(), handle.clone());
            async move {
                handle.sleep(SHORT).await.unwrap();
                done.set(true);
            }
        })
        .unwrap();
    let panics = handle.spawn(async { panic!("on purpose") }).unwrap();
    let (error, other) = executor.block_on(async { (panics.await.unwrap_err(), other.await) }).unwrap();
    assert!(other.is_ok() && done.get());
    let JoinError::Panicked(Some(payload)) = error else { panic!("{error}") };
    assert_eq!(payload.downcast_ref(), Some(&"on purpose"));
}

#[test]
fn a_task_whose_reads_never_wait_lets_others_go_on() {
    let mut executor = executor().unwrap();
    let handle = executor.handle();
    let zeros = Io::new(&handle, UnixStream::pair().unwrap().0).unwrap();
    let stop = Rc::new(Cell::new(false));
    let greedy = handle
        .spawn({
            let stop = stop.clone();
            async move {
                // As a peer that always has something.
                while !stop.get() {
                    zeros.read_with(|_| Ok(())).await.unwrap();
                }
            }
        })
        .unwrap();
    executor
        .block_on(async {
            yield_now().await;
            stop.set(true);
            greedy.await.unwrap();
        })
        .unwrap();
}

#[test]
fn a_signal_is_awaited_and_counted() {
    let mut executor = executor().unwrap();
    let handle = executor.handle();
    let mut signal = handle.signal(evplat_linux::signum::SIGUSR2).unwrap();
    let count = executor
        .block_on(async {
            handle.sleep(Duration::ZERO).await.unwrap();
            std::process::Command::new("kill").args(["-USR2", &std::process::id().to_string()]).status().unwrap();
            handle.timeout(LONG, signal.next()).await.unwrap().unwrap().count
        })
        .unwrap();
    assert_eq!(count, 1);
}
