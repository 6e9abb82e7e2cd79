mod workload;

fn main() {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(workload::RUN) {
        workload::run(&arguments.next().unwrap_or_default()).unwrap();
    }
}
