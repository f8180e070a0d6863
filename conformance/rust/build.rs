//! Compiles conformance.proto; protox stands in for protoc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=../v1/conformance.proto");
    let descriptors = protox::compile(["conformance.proto"], ["../v1", "../../third_party"])?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
