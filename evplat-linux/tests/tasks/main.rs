//! Tasks on epoll: sockets, time, signals and other threads.

use std::cell::Cell;
use std::future::poll_fn;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use evplat_linux::evcore::Error;
use evplat_linux::task::{Executor, Handle, Io, JoinError, executor, yield_now};

/// Long enough that it expires only if the test fails.
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
fn read_after_its_idle_timeout_fails_and_the_next_one_waits() {
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
    // Nobody waits for this wake.
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
                // Like a peer that always has data.
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
            handle.timeout(LONG, signal.next()).await.unwrap().unwrap()
        })
        .unwrap();
    assert_eq!(count, 1);
}

#[test]
fn threads_and_tasks_talk_by_a_channel() {
    use futures_channel::{mpsc, oneshot};

    let mut executor = executor().unwrap();
    let (questions, mut asked) = mpsc::unbounded::<(u32, oneshot::Sender<u32>)>();
    let threads: Vec<_> = (0..4u32)
        .map(|number| {
            let questions = questions.clone();
            thread::spawn(move || {
                let mut executor = evplat_linux::task::executor().unwrap();
                for round in 0..100 {
                    let (answer, answered) = oneshot::channel();
                    questions.unbounded_send((number * 1_000 + round, answer)).unwrap();
                    assert_eq!(executor.block_on(answered).unwrap(), Ok(number * 1_000 + round + 1));
                }
            })
        })
        .collect();
    drop(questions);
    let questions = executor
        .block_on(async {
            let mut count = 0;
            while let Ok((question, answer)) = asked.recv().await {
                answer.send(question + 1).unwrap();
                count += 1;
            }
            count
        })
        .unwrap();
    assert_eq!(questions, 400);
    for thread in threads {
        thread.join().unwrap();
    }
}

/// The client of evcore's example `retries`, unchanged.
#[path = "../../../evcore/examples/retries/client.rs"]
#[allow(dead_code, reason = "the example looks at more of it")]
mod client;

struct Sockets {
    handle: Handle,
    server: SocketAddr,
}

impl client::Network for Sockets {
    async fn call(&self, request: u32) -> Result<u32, client::Refused> {
        let exchange = async {
            let stream = Io::connect(&self.handle, self.server).await?;
            stream.write_all(&request.to_be_bytes()).await?;
            let mut answer = [0; 4];
            match stream.read(&mut answer).await? {
                4 => Ok(u32::from_be_bytes(answer)),
                _ => Err(io::Error::from(ErrorKind::UnexpectedEof)),
            }
        };
        exchange.await.map_err(|_| client::Refused)
    }
}

#[test]
fn client_of_the_simulation_runs_on_sockets() {
    let mut executor = executor().unwrap();
    let handle = executor.handle();
    let listener = Io::new(&handle, TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).unwrap();
    let server = listener.get_ref().local_addr().unwrap();
    let serve = async move {
        // The first connection is closed without an answer.
        drop(listener.accept().await.unwrap());
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4];
            assert_eq!(stream.read(&mut request).await.unwrap(), 4);
            stream.write_all(&(u32::from_be_bytes(request) + 1).to_be_bytes()).await.unwrap();
        }
    };
    handle.spawn(serve).unwrap().detach();
    let client = client::Client::new(Sockets { handle: handle.clone(), server }, handle, 7);
    for request in 0..3 {
        assert_eq!(executor.block_on(client.request(request)).unwrap().unwrap(), Ok(request + 1));
    }
}

#[test]
fn io_dropped_in_a_wait_leaves_its_number_free() {
    let mut executor = executor().unwrap();
    let handle = executor.handle();
    for _ in 0..3 {
        let (near, mut far) = UnixStream::pair().unwrap();
        let near = Io::new(&handle, near).unwrap();
        let mut byte = [0];
        let late = executor.block_on(handle.timeout(Duration::from_millis(1), near.read(&mut byte))).unwrap();
        assert_eq!(late.unwrap_err(), Error::TimedOut);
        // The next pair gets the same numbers.
        drop(near);
        assert!(far.write_all(b"x").is_err(), "the descriptor is open still");
    }
    assert_eq!(executor.base().unwrap().counts().events, 0);
}

#[test]
fn connections_of_a_path_and_their_end_are_awaited() {
    use std::os::unix::net::UnixListener;

    let path = std::env::temp_dir().join(format!("evcore-tasks-{}", std::process::id()));
    let mut executor = executor().unwrap();
    let handle = executor.handle();
    let listener = Io::new(&handle, UnixListener::bind(&path).unwrap()).unwrap();
    let mut client = UnixStream::connect(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    executor
        .block_on(async {
            let (stream, _) = listener.accept().await.unwrap();
            client.write_all(b"all").unwrap();
            client.shutdown(std::net::Shutdown::Write).unwrap();
            let mut bytes = [0; 8];
            assert_eq!(stream.read(&mut bytes).await.unwrap(), 3);
            assert_eq!(stream.read(&mut bytes).await.unwrap(), 0);
            stream.write_all(b"x").await.unwrap();
        })
        .unwrap();
    assert_eq!(client.read(&mut [0; 8]).unwrap(), 1);
}

#[cfg(feature = "futures-io")]
#[test]
fn traits_of_the_futures_crates_read_write_and_close() {
    use std::pin::Pin;

    use evplat_linux::evcore::Ready;
    use futures_io::{AsyncRead, AsyncWrite};

    let mut executor = executor().unwrap();
    let handle = executor.handle();
    let (near, far) = UnixStream::pair().unwrap();
    let (mut near, mut far) = (Io::new(&handle, near).unwrap(), Io::new(&handle, far).unwrap());
    let mut bytes = [0; 8];
    executor
        .block_on(async {
            let written = poll_fn(|context| Pin::new(&mut near).poll_write(context, b"text")).await;
            assert_eq!(written.unwrap(), 4);
            poll_fn(|context| Pin::new(&mut near).poll_flush(context)).await.unwrap();
            poll_fn(|context| Pin::new(&mut near).poll_close(context)).await.unwrap();
            poll_fn(|context| Pin::new(&mut near).poll_close(context)).await.unwrap();
            assert_eq!(poll_fn(|context| Pin::new(&mut far).poll_read(context, &mut bytes)).await.unwrap(), 4);
            assert_eq!(poll_fn(|context| Pin::new(&mut far).poll_read(context, &mut bytes)).await.unwrap(), 0);
            assert!(far.readable().await.unwrap().contains(Ready::READ));
        })
        .unwrap();
}

#[test]
fn broken_socket_that_was_awaited_does_not_spin() {
    let mut executor = executor().unwrap();
    let handle = executor.handle();
    let (reader, writer) = UnixStream::pair().unwrap();
    let writer = Io::new(&handle, writer).unwrap();
    let broken = executor.block_on(async {
        let filled = handle.timeout(SHORT, writer.write_all(&[0; 1 << 20])).await;
        assert!(matches!(filled, Err(Error::TimedOut)));
        let sleeper = handle.clone();
        let closer = async move {
            sleeper.sleep(SHORT).await.unwrap();
            drop(reader);
        };
        handle.spawn(closer).unwrap().detach();
        writer.writable().await
    });
    assert!(broken.unwrap().unwrap().is_error());
    let before = executor.base().unwrap().stats().waits;
    executor.block_on(handle.sleep(SHORT * 4)).unwrap().unwrap();
    let waits = executor.base().unwrap().stats().waits - before;
    assert!(waits < 20, "{waits} waits for one sleep");
}

#[test]
fn idle_timeout_of_a_dropped_wait_hides_no_bytes() {
    let mut executor = executor().unwrap();
    let handle = executor.handle();
    let (stream, mut peer) = UnixStream::pair().unwrap();
    let stream = Io::new(&handle, stream).unwrap();
    stream.set_idle_timeout(Some(SHORT * 2));
    let read = executor.block_on(async {
        let mut bytes = [0; 16];
        let early = handle.timeout(SHORT, stream.read(&mut bytes)).await;
        assert!(matches!(early, Err(Error::TimedOut)));
        // The idle timeout expires, then data arrives.
        handle.sleep(SHORT * 4).await.unwrap();
        peer.write_all(b"hello").unwrap();
        stream.read(&mut bytes).await
    });
    assert_eq!(read.unwrap().unwrap(), 5);
}

#[test]
fn task_that_was_ready_and_wakes_itself_goes_on_in_the_next_turn() {
    for waits_for_bytes in [false, true] {
        let mut executor = executor().unwrap();
        let handle = executor.handle();
        let (stream, mut peer) = UnixStream::pair().unwrap();
        let (other, other_peer) = UnixStream::pair().unwrap();
        let (stream, other) = (Io::new(&handle, stream).unwrap(), Io::new(&handle, other).unwrap());
        let has_come = Rc::new(Cell::new(false));
        let waiter = handle.spawn({
            let has_come = has_come.clone();
            async move {
                other.readable().await.unwrap();
                has_come.set(true);
            }
        });
        let waiter = waiter.unwrap();
        let greedy = handle.spawn(async move {
            if waits_for_bytes {
                stream.readable().await.unwrap();
            } else {
                yield_now().await;
                yield_now().await;
            }
            (&other_peer).write_all(b"x").unwrap();
            let mut polls = 0;
            while !has_come.get() {
                yield_now().await;
                polls += 1;
            }
            polls
        });
        let greedy = greedy.unwrap();
        let polls = executor.block_on(async {
            yield_now().await;
            peer.write_all(b"x").unwrap();
            waiter.await.unwrap();
            greedy.await.unwrap()
        });
        // One poll in the turn that finds the other's byte, and one after it.
        assert!(polls.unwrap() <= 2);
    }
}

#[test]
fn accept_on_a_full_base_loses_no_connection() {
    use evplat_linux::Epoll;
    use evplat_linux::evcore::{EventBase, Fixed};
    use evplat_linux::task::Item;

    // Room for the listener, the executor's own event, and one connection.
    let base: EventBase<Epoll, Fixed<3>, Item<()>> = EventBase::new(Epoll::new().unwrap());
    let mut executor = evplat_linux::evcore::task::Executor::new(base).unwrap();
    let handle = executor.handle();
    let listener = Io::new(&handle, TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).unwrap();
    let address = listener.get_ref().local_addr().unwrap();
    let mut peers = [0, 1].map(|number: u8| {
        let mut peer = TcpStream::connect(address).unwrap();
        peer.write_all(&[number]).unwrap();
        peer
    });
    let answer = async |stream: Io<TcpStream>| {
        let mut byte = [9];
        assert_eq!(stream.read(&mut byte).await.unwrap(), 1);
        stream.write_all(&byte).await.unwrap();
    };
    let run = async {
        let (first, _) = listener.accept().await.unwrap();
        for _ in 0..2 {
            assert!(listener.accept().await.unwrap_err().to_string().contains("no room"));
        }
        answer(first).await;
        answer(listener.accept().await.unwrap().0).await;
    };
    executor.block_on(run).unwrap();
    for (number, peer) in (0..).zip(&mut peers) {
        let mut byte = [9];
        assert_eq!((peer.read(&mut byte).unwrap(), byte[0]), (1, number), "the connection was closed");
    }
}

#[test]
fn read_after_an_idle_time_in_which_nobody_waited_does_not_fail_at_once() {
    let mut executor = executor().unwrap();
    let handle = executor.handle();
    let (stream, mut peer) = UnixStream::pair().unwrap();
    let stream = Io::new(&handle, stream).unwrap();
    let run = async {
        let mut bytes = [0; 16];
        stream.set_idle_timeout(Some(SHORT * 2));
        let is_pending = poll_fn(|context| {
            let read = pin!(stream.read(&mut bytes));
            Poll::Ready(read.poll(context).is_pending())
        });
        assert!(is_pending.await);
        // Now the idle timeout of the dropped wait expires.
        handle.sleep(SHORT * 4).await.unwrap();
        stream.set_idle_timeout(Some(LONG));
        let answer = handle.spawn({
            let handle = handle.clone();
            async move {
                handle.sleep(SHORT).await.unwrap();
                peer.write_all(b"hello").unwrap();
            }
        });
        let read = stream.read(&mut bytes).await;
        answer.unwrap().await.unwrap();
        read
    };
    assert_eq!(executor.block_on(run).unwrap().unwrap(), 5);
}

#[test]
fn read_into_nothing_after_a_short_one_does_not_wait() {
    let mut executor = executor().unwrap();
    let handle = executor.handle();
    let (stream, mut peer) = UnixStream::pair().unwrap();
    let stream = Io::new(&handle, stream).unwrap();
    peer.write_all(b"x").unwrap();
    let run = async {
        assert_eq!(stream.read(&mut [0; 16]).await.unwrap(), 1);
        poll_fn(|context| Poll::Ready(stream.poll_read(context, &mut []))).await
    };
    assert!(matches!(executor.block_on(run).unwrap(), Poll::Ready(Ok(0))));
}

#[test]
fn file_that_is_handed_back_still_blocks() {
    use std::os::fd::AsRawFd;

    use evplat_linux::Epoll;
    use evplat_linux::evcore::{EventBase, Fixed};
    use evplat_linux::task::Item;

    let base: EventBase<Epoll, Fixed<1>, Item<()>> = EventBase::new(Epoll::new().unwrap());
    let executor = evplat_linux::evcore::task::Executor::local(base);
    let handle = executor.handle();
    let (first, second) = UnixStream::pair().unwrap();
    let flags = |file: &UnixStream| {
        let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd())).unwrap();
        info.lines().find(|line| line.starts_with("flags:")).map(str::to_owned).unwrap()
    };
    let before = flags(&second);
    let first = Io::new(&handle, first).unwrap();
    let second = Io::new(&handle, second).unwrap_err().data;
    assert_eq!(flags(&second), before);
    assert_ne!(flags(first.get_ref()), before);
}
