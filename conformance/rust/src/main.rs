//! tonic with tonic-types: `conformance client HOST:PORT` or `conformance server PATH`.

mod client;
mod details;
mod server;

pub mod pb {
    tonic::include_proto!("errgrpc.conformance.v1");
}

pub type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments[1].as_str() {
        "client" => client::run(&arguments[2]).await,
        "server" => server::run(&arguments[2]).await,
        other => Err(format!("{other}: give client or server").into()),
    }
}
