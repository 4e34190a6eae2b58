// What a backend watches is a small number that can be copied.
use evcore::backend::Descriptor;

fn watch(_: impl Descriptor) {}

fn main() {
    watch("socket");
}
