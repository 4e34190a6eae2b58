// A backend that cannot be woken.
use evcore::backend::Wake;

fn with_waker<B: Wake>(_: B) {}

fn main() {
    with_waker(evcore::Instant::ZERO);
}
