// No safe call takes a file descriptor as a number.
use evcore::Fd;

fn main() {
    let _ = Fd::of(&0);
    let _: Fd = 0.into();
}
